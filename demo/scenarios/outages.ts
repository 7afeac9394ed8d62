// Scenarios of outages: the worker is killed, no worker runs, Temporal is down.
import type { PayResult } from '../../simulator/wechatpay/payments/payments';
import type { OrderReply } from '../replies';
import { lockProduct } from '../disturb-database';
import type { Shop } from '../shop';
import { RECOVERY_MS, SOON_MS, waitUntil } from '../wait-until';
import type { Scenario, Seen, World } from '../world';
import { countReplies } from './callbacks';

const ORDERS = 10;
/** The worker is killed when at least so many orders are paid but not fulfilled. */
const PAID_AT_THE_KILL = 3;
const UNIT_FEN = 1_000;
const POINTS_EACH = UNIT_FEN / 100;
const EACH_ONCE = `${ORDERS} fulfilled; ${ORDERS} sold, 0 left, ${ORDERS * POINTS_EACH} points`;

/**
 * Places orders of one user for the whole stock of one product, so that anything done twice shows.
 */
async function placeOrders(shop: Shop, sku: string): Promise<string[]> {
  await shop.putProduct(sku, { name: sku, stock: ORDERS });
  const placed = await Promise.all(
    Array.from({ length: ORDERS }, (_none, index) =>
      shop.order({ user: `${sku}-buyer`, sku, unitFen: UNIT_FEN, shopOrderNo: `${sku}-${index}` }),
    ),
  );
  return placed.map((order) => order.out_trade_no);
}

/** Waits until all orders are fulfilled. @returns their sums as text */
async function waitForOutcome(
  shop: Shop,
  sku: string,
  numbers: readonly string[],
): Promise<string> {
  const orders = await Promise.all(numbers.map((no) => shop.waitFor(no, 'fulfilled', RECOVERY_MS)));
  const fulfilled = orders.filter(isFulfilledOnce).length;
  const { sold, stock } = await shop.product(sku);
  const points = await shop.points(`${sku}-buyer`);
  return `${fulfilled} fulfilled; ${sold} sold, ${stock ?? 0} left, ${points} points`;
}

/** True if one transaction paid the order and it passed through each status once. */
function isFulfilledOnce(order: OrderReply): boolean {
  const way = order.history.map(({ to }) => to);
  return (
    order.status === 'fulfilled' &&
    order.transactions.length === 1 &&
    new Set(way).size === way.length &&
    order.effects.every(({ status }) => status === 'done')
  );
}

function summariseReplies(payments: readonly PayResult[]): { counts: string; slowestMs: number } {
  const callbacks = payments.flatMap(({ callback }) => (callback === null ? [] : [callback]));
  const slowestMs = Math.max(0, ...callbacks.map(({ durationMs }) => durationMs));
  return { counts: countReplies(callbacks), slowestMs: Math.round(slowestMs) };
}

function statusCounts(orders: readonly OrderReply[]): string {
  const statuses = [...new Set(orders.map(({ status }) => status))].sort();
  return statuses
    .map((status) => `${orders.filter((order) => order.status === status).length} ${status}`)
    .join(', ');
}

async function playWorkerKilled(world: World): Promise<Seen> {
  const { shop, simulator, oncepay } = world;
  const sku = 'worker-killed';
  const numbers = await placeOrders(shop, sku);
  const readAll = () => Promise.all(numbers.map((no) => shop.read(no)));
  const unlock = await lockProduct(oncepay.databaseUrl, sku);
  let payments: PayResult[];
  try {
    payments = await Promise.all(numbers.map((outTradeNo) => simulator.pay({ outTradeNo })));
    await waitUntil('orders that are paid and not fulfilled', SOON_MS, async () => {
      const paid = (await readAll()).filter(({ status }) => status === 'paid');
      return paid.length >= PAID_AT_THE_KILL ? true : undefined;
    });
    await world.killWorker();
  } finally {
    await unlock();
  }
  const orders = await readAll();
  const paid = orders.some(({ status }) => status === 'paid') ? 'some paid' : 'none paid';
  const fulfilled = orders.filter(({ status }) => status === 'fulfilled').length;
  const restartedAt = performance.now();
  await world.startWorker();
  const result = await waitForOutcome(shop, sku, numbers);
  const seconds = ((performance.now() - restartedAt) / 1_000).toFixed(1);
  const atTheKill = `killed with ${paid}, ${fulfilled} fulfilled`;
  return {
    seen: `${summariseReplies(payments).counts}; ${atTheKill}; then ${result}`,
    note: `at the kill ${statusCounts(orders)}; all done ${seconds} s after the worker’s restart`,
  };
}

async function playResolutionWithoutWorker(world: World): Promise<Seen> {
  const { shop, simulator, desk } = world;
  const user = 'early-resolution';
  const { out_trade_no: no } = await shop.order({ user, sku: 'postcard', unitFen: 1_500 });
  await simulator.pay({ outTradeNo: no, totalFen: 1_499 });
  const intervention = await desk.waitForIntervention(no, 'amount_mismatch');
  await world.killWorker();
  const carryOn = async () => {
    const kept = await waitUntil(
      `the resolution of the intervention on ${no} is stored`,
      SOON_MS,
      async () => {
        const [open] = await desk.interventions(no);
        return open?.pending ?? undefined;
      },
    );
    const { status } = await shop.read(no);
    await world.startWorker();
    const order = await shop.waitFor(no, 'fulfilled', RECOVERY_MS);
    const before = `${kept.action} stored as ${kept.status}, still ${status}`;
    return `${before}; then ${order.status}, ${await shop.points(user)} points`;
  };
  const [resolved, seen] = await Promise.all([desk.resolve(intervention, 'accept'), carryOn()]);
  return { seen, note: `the api replied ${resolved}` };
}

async function playTemporalDown({ stack, shop, simulator }: World): Promise<Seen> {
  const sku = 'temporal-down';
  const numbers = await placeOrders(shop, sku);
  await stack.stopTemporal();
  const payments = await Promise.all(numbers.map((outTradeNo) => simulator.pay({ outTradeNo })));
  const orders = await Promise.all(numbers.map((no) => shop.read(no)));
  const waiting = orders.filter(({ status }) => status === 'awaiting_payment').length;
  await stack.startTemporal();
  const backAt = performance.now();
  const result = await waitForOutcome(shop, sku, numbers);
  const seconds = ((performance.now() - backAt) / 1_000).toFixed(1);
  const { counts, slowestMs } = summariseReplies(payments);
  return {
    seen: `${counts}; ${waiting} orders wait; then ${result}`,
    note: `slowest 204: ${slowestMs} ms; all done ${seconds} s after Temporal’s restart`,
  };
}

/** Parts of Oncepay fail while payments arrive. */
export const outageScenarios: readonly Scenario[] = [
  {
    name: 'The worker is killed between payment and fulfilment',
    expected: `${ORDERS} × 204; killed with some paid, 0 fulfilled; then ${EACH_ONCE}`,
    play: playWorkerKilled,
  },
  {
    name: 'An operator resolves an intervention while no worker runs',
    expected: 'accept stored as approved, still awaiting_payment; then fulfilled, 14 points',
    play: playResolutionWithoutWorker,
  },
  {
    name: 'Temporal is down while callbacks arrive',
    expected: `${ORDERS} × 204; ${ORDERS} orders wait; then ${EACH_ONCE}`,
    hindrance: ({ webUiUrl }) =>
      webUiUrl === null
        ? 'the demo can’t stop the Temporal server that TEMPORAL_ADDRESS names'
        : null,
    play: playTemporalDown,
  },
];

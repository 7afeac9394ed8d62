import type { PayResult } from '../../simulator/wechatpay/payments/payments';
import type { OrderAnswer } from '../answers';
import { lockProduct } from '../trouble';
import type { Shop } from '../shop';
import { RECOVERY_MS, SOON_MS, until } from '../until';
import type { Scenario, Seen, World } from '../world';
import { tally } from './callbacks';

const ORDERS = 10;
/** So many are between payment and fulfilment when the worker is killed. */
const CAUGHT = 3;
const UNIT_FEN = 1_000;
const POINTS_EACH = UNIT_FEN / 100;
const EACH_ONCE = `${ORDERS} fulfilled; ${ORDERS} sold, 0 left, ${ORDERS * POINTS_EACH} points`;

/** Orders of one user for all that is left of one product, so that anything done twice shows. */
async function placeOrders(shop: Shop, sku: string): Promise<string[]> {
  await shop.putProduct(sku, { name: sku, stock: ORDERS });
  const placed = await Promise.all(
    Array.from({ length: ORDERS }, (_none, index) =>
      shop.order({ user: `${sku}-buyer`, sku, unitFen: UNIT_FEN, shopOrderNo: `${sku}-${index}` }),
    ),
  );
  return placed.map((order) => order.out_trade_no);
}

/** Waits until all are fulfilled, and tells what came of them together. */
async function outcome(shop: Shop, sku: string, numbers: readonly string[]): Promise<string> {
  const orders = await Promise.all(numbers.map((no) => shop.waitFor(no, 'fulfilled', RECOVERY_MS)));
  const fulfilled = orders.filter(wentThereOnce).length;
  const { sold, stock } = await shop.product(sku);
  const points = await shop.points(`${sku}-buyer`);
  return `${fulfilled} fulfilled; ${sold} sold, ${stock ?? 0} left, ${points} points`;
}

/** Paid by one transaction, and every step taken once. */
function wentThereOnce(order: OrderAnswer): boolean {
  const way = order.history.map(({ to }) => to);
  return (
    order.status === 'fulfilled' &&
    order.transactions.length === 1 &&
    new Set(way).size === way.length &&
    order.effects.every(({ status }) => status === 'done')
  );
}

function answersTo(payments: readonly PayResult[]): { tally: string; slowestMs: number } {
  const callbacks = payments.flatMap(({ callback }) => (callback === null ? [] : [callback]));
  const slowestMs = Math.max(0, ...callbacks.map(({ durationMs }) => durationMs));
  return { tally: tally(callbacks), slowestMs: Math.round(slowestMs) };
}

function statusCounts(orders: readonly OrderAnswer[]): string {
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
    await until('orders that are paid and not fulfilled', SOON_MS, async () => {
      const paid = (await readAll()).filter(({ status }) => status === 'paid');
      return paid.length >= CAUGHT ? true : undefined;
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
  const result = await outcome(shop, sku, numbers);
  const seconds = ((performance.now() - restartedAt) / 1_000).toFixed(1);
  const atTheKill = `killed with ${paid}, ${fulfilled} fulfilled`;
  return {
    seen: `${answersTo(payments).tally}; ${atTheKill}; then ${result}`,
    note: `at the kill ${statusCounts(orders)}; done ${seconds} s after the new start`,
  };
}

async function playAnswerWithoutWorker(world: World): Promise<Seen> {
  const { shop, simulator, desk } = world;
  const user = 'early-answer';
  const { out_trade_no: no } = await shop.order({ user, sku: 'postcard', unitFen: 1_500 });
  await simulator.pay({ outTradeNo: no, totalFen: 1_499 });
  const question = await desk.asked(no, 'amount_mismatch');
  await world.killWorker();
  const carryOn = async () => {
    const kept = await until(`the answer about ${no} is kept`, SOON_MS, async () => {
      const [asked] = await desk.questions(no);
      return asked?.pending ?? undefined;
    });
    const { status } = await shop.read(no);
    await world.startWorker();
    const order = await shop.waitFor(no, 'fulfilled', RECOVERY_MS);
    const before = `${kept.action} kept as ${kept.status}, still ${status}`;
    return `${before}; then ${order.status}, ${await shop.points(user)} points`;
  };
  const [answer, seen] = await Promise.all([desk.answer(question, 'accept'), carryOn()]);
  return { seen, note: `answered ${answer}` };
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
  const result = await outcome(shop, sku, numbers);
  const seconds = ((performance.now() - backAt) / 1_000).toFixed(1);
  const { tally: answers, slowestMs } = answersTo(payments);
  return {
    seen: `${answers}; ${waiting} wait; then ${result}`,
    note: `slowest 204: ${slowestMs} ms; done ${seconds} s after Temporal was back`,
  };
}

/** Parts of Oncepay die while money comes in. */
export const outageScenarios: readonly Scenario[] = [
  {
    name: 'The worker is killed between payment and fulfilment',
    expected: `${ORDERS} × 204; killed with some paid, 0 fulfilled; then ${EACH_ONCE}`,
    play: playWorkerKilled,
  },
  {
    name: 'A person answers while no worker runs',
    expected: 'accept kept as approved, still awaiting_payment; then fulfilled, 15 points',
    play: playAnswerWithoutWorker,
  },
  {
    name: 'Temporal is down while callbacks come',
    expected: `${ORDERS} × 204; ${ORDERS} wait; then ${EACH_ONCE}`,
    hindrance: ({ webUiUrl }) =>
      webUiUrl === null ? 'the Temporal of TEMPORAL_ADDRESS is not ours to stop' : null,
    play: playTemporalDown,
  },
];

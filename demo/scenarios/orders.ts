// Scenarios before a payment: repeated requests, and an order that nobody pays.
import { RECOVERY_MS } from '../wait-until';
import type { Scenario, Seen, World } from '../world';

const TWINS = 20;
/** Oncepay closes an expired order at most this long after its expiry. */
const CLOSED_WITHIN_MS = 45_000;

async function playTwins({ shop }: World): Promise<Seen> {
  await shop.putProduct('lamp', { name: 'A lamp', stock: 5 });
  const wish = { user: 'impatient', sku: 'lamp', unitFen: 9_900 };
  const placed = await Promise.all(Array.from({ length: TWINS }, () => shop.order(wish)));
  const numbers = new Set(placed.map((order) => order.out_trade_no));
  const created = placed.filter(({ httpStatus }) => httpStatus === 201).length;
  const found = placed.filter(({ httpStatus }) => httpStatus === 200).length;
  const { reserved } = await shop.product('lamp');
  const count = `${numbers.size} order number`;
  return { seen: `${created} × 201, ${found} × 200; ${count}; ${reserved} reserved` };
}

async function playExpiry({ shop, simulator, shortWindowPort }: World): Promise<Seen> {
  await shop.putProduct('ticket', { name: 'A ticket', stock: 3 });
  const wish = { user: 'forgetful', sku: 'ticket', quantity: 3, unitFen: 5_000 };
  const { out_trade_no: outTradeNo } = await shop.order(wish, shortWindowPort);
  const before = await shop.product('ticket');
  const order = await shop.waitFor(outTradeNo, 'closed', RECOVERY_MS);
  const after = await shop.product('ticket');
  const lateMs = Date.parse(order.closed_at ?? '') - Date.parse(order.expires_at);
  const inTime = lateMs >= 0 && lateMs <= CLOSED_WITHIN_MS ? 'in time' : `after ${lateMs} ms`;
  const atWechat = simulator.order(outTradeNo)?.tradeState ?? 'unknown';
  const stock = `reserved ${before.reserved} → ${after.reserved} of ${after.stock ?? 0}`;
  return {
    seen: `${order.status} ${inTime}; at WeChat ${atWechat}; ${stock}`,
    note: `${(lateMs / 1_000).toFixed(1)} s after its expiry`,
  };
}

/** Shops repeat requests, and users don't pay. */
export const orderScenarios: readonly Scenario[] = [
  {
    name: 'The shop places the same order 20 times at once',
    expected: `1 × 201, ${TWINS - 1} × 200; 1 order number; 1 reserved`,
    play: playTwins,
  },
  {
    name: 'An order that nobody pays is closed',
    expected: 'closed in time; at WeChat CLOSED; reserved 3 → 0 of 3',
    takesTime: true,
    play: playExpiry,
  },
];

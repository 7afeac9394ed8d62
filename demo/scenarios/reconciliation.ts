// Scenario of reconciliation: WeChat's bill has this demo's trades, and differences of each kind.
import { addDays, billDateAt, billDayStart } from '../../domain/reconciliation/bill-days';
import { acceptRefundAt } from '../disturb-database';
import type { DifferenceReply } from '../replies';
import { SOON_MS, waitUntil } from '../wait-until';
import type { Scenario, Seen, World } from '../world';

/** WeChat gives no bill of today, so the simulator puts today's trades into yesterday's. */
const YESTERDAY = addDays(billDateAt(Date.now()), -1);
/** Less than 24 hours ago, and far enough from midnight that no other bill can have it. */
const LATE_YESTERDAY = new Date(billDayStart(YESTERDAY) + 23.5 * 3_600_000).toISOString();
const PRICE_FEN = 1_000;
const REFUND_FEN = 100;

const placeOrder = async ({ shop }: World, user: string): Promise<string> =>
  (await shop.order({ user, sku: 'ledger', unitFen: PRICE_FEN })).out_trade_no;

/** An order that is paid and fulfilled. @returns its number */
async function buy(world: World, user: string, successTime?: string): Promise<string> {
  const outTradeNo = await placeOrder(world, user);
  await world.simulator.pay({ outTradeNo, ...(successTime && { successTime }) });
  await world.shop.waitFor(outTradeNo, 'fulfilled');
  return outTradeNo;
}

/** A payment of which a part went back. @returns the refund's number */
async function buyAndRefund(world: World, user: string): Promise<string> {
  const outTradeNo = await buy(world, user);
  const outRefundNo = `${outTradeNo}-1`;
  await world.shop.refund(outTradeNo, { out_refund_no: outRefundNo, amount: REFUND_FEN });
  await world.shop.waitForRefund(outTradeNo, outRefundNo);
  return outRefundNo;
}

/** Trades that Oncepay does not know, and that the bill alone can tell it. */
async function plantLost(world: World): Promise<void> {
  const { simulator } = world;
  const refunded = await buy(world, 'platform-refund');
  simulator.refundElsewhere({ outTradeNo: refunded, refundFen: REFUND_FEN });
  const lost = await placeOrder(world, 'lost-payment');
  // After the first query the next one is half a minute away.
  await waitUntil(`the first query of ${lost}`, SOON_MS, () =>
    simulator.requestsOf(lost).find(({ operation }) => operation === 'query'),
  );
  await simulator.pay({ outTradeNo: lost, callbacks: 0 });
}

/** Lines of the bill that are left out, changed, doubled or broken. */
async function plantOdd(world: World): Promise<void> {
  const { simulator, oncepay } = world;
  const fault = simulator.addBillFault;
  fault({ kind: 'missing_line', outTradeNo: await buy(world, 'no-line', LATE_YESTERDAY) });
  fault({ kind: 'changed_amount', outTradeNo: await buy(world, 'other-amount') });
  fault({
    kind: 'changed_status',
    outTradeNo: await buy(world, 'taken-back'),
    status: 'REVOKED',
  });
  fault({ kind: 'duplicate_line', outTradeNo: await buy(world, 'twice') });
  fault({ kind: 'broken_line', outTradeNo: await buy(world, 'broken-line') });
  fault({ kind: 'changed_amount', outRefundNo: await buyAndRefund(world, 'other-refund') });
  fault({
    kind: 'changed_status',
    outRefundNo: await buyAndRefund(world, 'failed-refund'),
    status: 'FAIL',
  });
  const unlisted = await buyAndRefund(world, 'no-refund-line');
  await acceptRefundAt(oncepay.databaseUrl, unlisted, LATE_YESTERDAY);
  fault({ kind: 'missing_line', outRefundNo: unlisted });
  fault({ kind: 'wrong_summary' });
  fault({ kind: 'foreign_line' });
}

function typesOf(all: readonly DifferenceReply[], status: string): string {
  const types = all.filter((one) => one.status === status).map(({ type }) => type);
  return types.toSorted().join(', ');
}

async function playReconciliation(world: World): Promise<Seen> {
  const { simulator, desk } = world;
  simulator.setBillRules({ readyHour: 0, withToday: true });
  await plantOdd(world);
  await plantLost(world);
  const { status, bill, differences } = await desk.reconcile(YESTERDAY);
  const all = await desk.differences(YESTERDAY);
  simulator.clearBillFaults();
  return {
    seen:
      `${status}; repaired: ${typesOf(all, 'repaired')}; open: ${typesOf(all, 'open')}; ` +
      `${differences['foreign'] ?? 0} foreign`,
    note: `${bill?.lines ?? 0} lines`,
  };
}

/** The bill of a day against our books. */
export const reconciliationScenarios: readonly Scenario[] = [
  {
    name: 'WeChat’s bill is compared with the books: lost trades are booked, odd ones listed',
    expected:
      'done; repaired: payment_missing_here, refund_missing_here, refund_status; ' +
      'open: duplicate_line, payment_amount, payment_missing_there, payment_status, ' +
      'refund_amount, refund_missing_there, summary_mismatch, unreadable_line; 1 foreign',
    play: playReconciliation,
  },
];

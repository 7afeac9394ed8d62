// Scenarios of payments that don't fit their order: wrong amount, second or late payment.
import { isDeepStrictEqual } from 'node:util';
import type { PayResult } from '../../simulator/wechatpay/payments/payments';
import type { OrderReply } from '../replies';
import { SOON_MS, waitUntil } from '../wait-until';
import type { Scenario, Seen, World } from '../world';
import { statusPath } from './channels';

/** Above `ONCEPAY_TWO_PERSON_FEN` (1,000 元): two persons must agree what happens to the payment. */
const LARGE_FEN = 200_000;

function transactionStatuses(order: OrderReply): string {
  return order.transactions.map(({ status }) => status).join(', ');
}

function callbackReply({ callback }: PayResult): string {
  return String(callback?.status ?? 'no reply');
}

/** Waits until the shop got the refund's webhook. @returns the refunds that WeChat made, as text */
async function waitForMoneyBack(
  { simulator, webhooks }: World,
  payment: PayResult,
): Promise<string> {
  const { outTradeNo, transactionId } = payment;
  await waitUntil(`the webhook of the refund of ${outTradeNo}`, SOON_MS, () =>
    webhooks.of(outTradeNo).find(({ event }) => event === 'refund.succeeded'),
  );
  const refunds = simulator.refundsOf(outTradeNo).map((refund) => {
    const ofIt = refund.transactionId === transactionId ? 'of this payment' : 'of another payment';
    return `${refund.refundFen} fen ${ofIt} ${refund.status}`;
  });
  return `${refunds.length} refund: ${refunds.join(', ')}; shop notified`;
}

async function playWrongAmount({ shop, simulator }: World): Promise<Seen> {
  const placed = await shop.order({ user: 'haggler', sku: 'postcard', unitFen: 1_000 });
  const outTradeNo = placed.out_trade_no;
  const payment = await simulator.pay({ outTradeNo, totalFen: 1 });
  const order = await shop.waitFor(outTradeNo, 'with attention');
  const attention = `needs attention: ${order.attention?.reason ?? 'no'}`;
  const state = `still ${order.status}; ${attention}`;
  return {
    seen: `${callbackReply(payment)}; ${state}; transactions: ${transactionStatuses(order)}`,
  };
}

async function playTwoKeys({ shop, simulator, desk }: World): Promise<Seen> {
  const placed = await shop.order({ user: 'big-spender', sku: 'sofa', unitFen: LARGE_FEN });
  const outTradeNo = placed.out_trade_no;
  await simulator.pay({ outTradeNo, totalFen: LARGE_FEN - 1 });
  const intervention = await desk.waitForIntervention(outTradeNo, 'amount_mismatch');
  const first = await desk.resolve(intervention, 'accept', 'operator');
  const alone = await desk.resolve(intervention, 'accept', 'operator');
  const { status } = await shop.read(outTradeNo);
  const second = await desk.resolve(intervention, 'accept', 'admin');
  const order = await shop.waitFor(outTradeNo, 'fulfilled');
  const keys = `operator ${first}, again ${alone}, still ${status}; admin ${second}`;
  return { seen: `${keys}: ${order.status}; transactions: ${transactionStatuses(order)}` };
}

/** The part of an order that a second payment must not change. */
function unchangedPart({ status, transaction_id, amount, history, effects }: OrderReply): object {
  return { status, transaction_id, amount, history, effects };
}

async function playSurplus(world: World): Promise<Seen> {
  const { shop, simulator } = world;
  const user = 'twice-payer';
  const placed = await shop.order({ user, sku: 'postcard', unitFen: 1_100 });
  const outTradeNo = placed.out_trade_no;
  await simulator.pay({ outTradeNo });
  const before = await shop.waitFor(outTradeNo, 'fulfilled');
  const payment = await simulator.pay({ outTradeNo, force: true });
  const after = await shop.waitFor(outTradeNo, 'with money back');
  const same = isDeepStrictEqual(unchangedPart(after), unchangedPart(before))
    ? 'unchanged'
    : 'changed';
  const state = `${after.status}, ${same}, ${await shop.points(user)} points`;
  return { seen: `${callbackReply(payment)}; ${state}; ${await waitForMoneyBack(world, payment)}` };
}

async function playLate(world: World): Promise<Seen> {
  const { shop, simulator } = world;
  const user = 'late-payer';
  const placed = await shop.order({ user, sku: 'postcard', unitFen: 1_200 });
  const outTradeNo = placed.out_trade_no;
  await shop.close(outTradeNo);
  const payment = await simulator.pay({ outTradeNo, force: true });
  const order = await shop.waitFor(outTradeNo, 'refunded');
  const state = `${statusPath(order)}; ${await shop.points(user)} points`;
  return { seen: `${callbackReply(payment)}; ${state}; ${await waitForMoneyBack(world, payment)}` };
}

/** Payments that don't fit their order. */
export const paymentScenarios: readonly Scenario[] = [
  {
    name: 'A user pays the wrong amount',
    expected:
      '204; still awaiting_payment; needs attention: amount_mismatch; transactions: rejected',
    play: playWrongAmount,
  },
  {
    name: 'A wrong amount above the limit is accepted by two keys',
    expected:
      'operator 202 proposed, again 202 proposed, still awaiting_payment; ' +
      'admin 200 done: fulfilled; transactions: applied',
    play: playTwoKeys,
  },
  {
    name: 'A second payment for one order is refunded automatically',
    expected:
      '204; fulfilled, unchanged, 11 points; ' +
      '1 refund: 1100 fen of this payment SUCCESS; shop notified',
    play: playSurplus,
  },
  {
    name: 'A payment after the close is refunded automatically',
    expected:
      '204; created → awaiting_payment → closed → paid_late → refunded; 0 points; ' +
      '1 refund: 1200 fen of this payment SUCCESS; shop notified',
    play: playLate,
  },
];

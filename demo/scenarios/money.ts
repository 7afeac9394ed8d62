import { isDeepStrictEqual } from 'node:util';
import type { OrderAnswer } from '../answers';
import type { Scenario, Seen, World } from '../world';

function kinds(order: OrderAnswer): string {
  return order.transactions.map(({ status }) => status).join(', ');
}

async function playWrongAmount({ shop, simulator }: World): Promise<Seen> {
  const placed = await shop.order({ user: 'haggler', sku: 'postcard', unitFen: 1_000 });
  const outTradeNo = placed.out_trade_no;
  const { callback } = await simulator.pay({ outTradeNo, totalFen: 1 });
  const order = await shop.waitFor(outTradeNo, 'with attention');
  const attention = `attention ${order.attention?.reason ?? 'none'}`;
  const answer = String(callback?.status ?? 'no answer');
  return { seen: `${answer}; still ${order.status}; ${attention}; transactions: ${kinds(order)}` };
}

async function playSurplus({ shop, simulator }: World): Promise<Seen> {
  const user = 'twice-payer';
  const placed = await shop.order({ user, sku: 'postcard', unitFen: 1_100 });
  const outTradeNo = placed.out_trade_no;
  await simulator.pay({ outTradeNo });
  const before = await shop.waitFor(outTradeNo, 'fulfilled');
  const { callback } = await simulator.pay({ outTradeNo, force: true });
  const after = await shop.waitFor(outTradeNo, 'with attention');
  const decisive = ({ status, transaction_id, amount, history, effects }: OrderAnswer) => ({
    status,
    transaction_id,
    amount,
    history,
    effects,
  });
  const same = isDeepStrictEqual(decisive(after), decisive(before)) ? 'unchanged' : 'changed';
  const points = await shop.points(user);
  const attention = `attention ${after.attention?.reason ?? 'none'}`;
  const answer = String(callback?.status ?? 'no answer');
  const books = `transactions: ${kinds(after)}`;
  return { seen: `${answer}; ${after.status}, ${same}, ${points} points; ${attention}; ${books}` };
}

/** Money that is not what the order asked for. */
export const moneyScenarios: readonly Scenario[] = [
  {
    name: 'A payment of the wrong amount',
    expected: '204; still awaiting_payment; attention amount_mismatch; transactions: rejected',
    play: playWrongAmount,
  },
  {
    name: 'A second payment for one order',
    expected:
      '204; fulfilled, unchanged, 11 points; attention surplus_payment; ' +
      'transactions: applied, surplus',
    play: playSurplus,
  },
];

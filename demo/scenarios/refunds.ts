// Scenarios of refunds that the shop requests: in parts, repeated, abnormal.
import { SOON_MS, waitUntil } from '../wait-until';
import type { Scenario, Seen, World } from '../world';

/** Buys two T-shirts for 60 元 and waits until the order is fulfilled. */
async function buyShirts(
  { shop, simulator }: World,
  user: string,
): Promise<{ outTradeNo: string; sku: string }> {
  const sku = `shirt-of-${user}`;
  await shop.putProduct(sku, { name: 'T-shirt', stock: 10 });
  const placed = await shop.order({ user, sku, quantity: 2, unitFen: 3_000 });
  const outTradeNo = placed.out_trade_no;
  await simulator.pay({ outTradeNo });
  await shop.waitFor(outTradeNo, 'fulfilled');
  return { outTradeNo, sku };
}

/**
 * Waits until the refunds' effects are compensated. @returns status, refunded amount, points and
 * stock as text
 */
async function readState({ shop }: World, outTradeNo: string, sku: string, user: string) {
  const order = await waitUntil(`the effects of ${outTradeNo} compensated`, SOON_MS, async () => {
    const seen = await shop.read(outTradeNo);
    return seen.effects.every(({ status }) => status === 'done') ? seen : undefined;
  });
  const { stock } = await shop.product(sku);
  const { status, amount } = order;
  const points = await shop.points(user);
  return `${status}, ${amount.refunded} refunded, ${points} points, stock ${stock ?? '–'}`;
}

async function playPartThenRest(world: World): Promise<Seen> {
  const { shop } = world;
  const user = 'second-thoughts';
  const { outTradeNo, sku } = await buyShirts(world, user);
  const first = await shop.refund(outTradeNo, { out_refund_no: `${outTradeNo}-1`, amount: 2_000 });
  await shop.waitForRefund(outTradeNo, `${outTradeNo}-1`);
  const part = await readState(world, outTradeNo, sku, user);
  const tooMuch = await shop.refund(outTradeNo, {
    out_refund_no: `${outTradeNo}-2`,
    amount: 5_000,
  });
  const rest = { out_refund_no: `${outTradeNo}-3`, amount: 4_000, restock: true };
  const second = await shop.refund(outTradeNo, rest);
  await shop.waitForRefund(outTradeNo, `${outTradeNo}-3`);
  const all = await readState(world, outTradeNo, sku, user);
  return { seen: `${first}: ${part}; ${tooMuch}; ${second}: ${all}` };
}

async function playLostResponse(world: World): Promise<Seen> {
  const { shop, simulator } = world;
  const { outTradeNo } = await buyShirts(world, 'cut-off');
  simulator.setFault({ operation: 'refund', kind: 'cut_after', outTradeNo, times: 1 });
  const outRefundNo = `${outTradeNo}-1`;
  const replies = await Promise.all(
    [1, 2, 3].map(() => shop.refund(outTradeNo, { out_refund_no: outRefundNo, amount: 6_000 })),
  );
  await shop.waitForRefund(outTradeNo, outRefundNo);
  const refunds = simulator.refundsOf(outTradeNo);
  const backFen = refunds.reduce((sum, { refundFen }) => sum + refundFen, 0);
  const distinct = [...new Set(replies)].join(', ');
  return {
    seen:
      `requested three times: ${distinct}; ` +
      `at WeChat ${refunds.length} refund of ${backFen} fen`,
  };
}

async function playAbnormal(world: World): Promise<Seen> {
  const { shop, simulator, desk } = world;
  const { outTradeNo } = await buyShirts(world, 'closed-card');
  simulator.setRefundOutcome({ status: 'ABNORMAL', outTradeNo, times: 1 });
  await shop.refund(outTradeNo, { out_refund_no: `${outTradeNo}-1`, amount: 6_000 });
  const intervention = await desk.waitForIntervention(outTradeNo, 'refund_abnormal');
  const card = { bank_type: 'ICBC_DEBIT', bank_account: '6222020200000000', real_name: '张三' };
  const proposed = await desk.resolve(intervention, 'to_user', 'operator', card);
  const resolved = await desk.resolve(intervention, 'to_user', 'admin', card);
  await shop.waitForRefund(outTradeNo, `${outTradeNo}-1`);
  const [refund] = simulator.refundsOf(outTradeNo);
  const bank = refund?.sentTo === null ? 'nowhere else' : 'the user’s bank card';
  return {
    seen:
      `intervention ${intervention.reason}; to_user operator ${proposed}, admin ${resolved}; ` +
      `sent to ${bank}: succeeded`,
  };
}

/** Refunds that the shop requests. */
export const refundScenarios: readonly Scenario[] = [
  {
    name: 'The shop refunds a part of the money, then the rest with the goods',
    expected:
      '202: fulfilled, 2000 refunded, 40 points, stock 8; 409 REFUND_EXCEEDS_PAYMENT; ' +
      '202: refunded, 6000 refunded, 0 points, stock 10',
    play: playPartThenRest,
  },
  {
    name: 'The shop requests a refund three times, and WeChat’s response is lost',
    expected: 'requested three times: 202; at WeChat 1 refund of 6000 fen',
    play: playLostResponse,
  },
  {
    name: 'A refund to a closed account is sent to a bank card instead',
    expected:
      'intervention refund_abnormal; to_user operator 202 proposed, admin 200 done; ' +
      'sent to the user’s bank card: succeeded',
    play: playAbnormal,
  },
];

// Scenarios of profit sharing: a receiver that fails, and a refund of a shared payment.
import { SOON_MS, waitUntil } from '../wait-until';
import type { Scenario, Seen, World } from '../world';

const SHOP = '1900000109';
const CLOSED_ACCOUNT = '1900000110';

/**
 * Buys goods for 100 元, frozen for sharing, and waits until the order is fulfilled. The admin has
 * made the receivers known.
 */
async function buyFrozen({ shop, simulator, desk }: World, user: string): Promise<string> {
  for (const merchantId of [SHOP, CLOSED_ACCOUNT]) await desk.addReceiver(merchantId);
  const wish = { user, sku: `craft-of-${user}`, unitFen: 10_000, profitSharing: true };
  const { out_trade_no: outTradeNo } = await shop.order(wish);
  await simulator.pay({ outTradeNo });
  await shop.waitFor(outTradeNo, 'fulfilled');
  return outTradeNo;
}

const receiver = (account: string, amount: number) => ({
  type: 'MERCHANT_ID',
  account,
  amount,
  description: 'commission',
});

async function playFailingReceiver(world: World): Promise<Seen> {
  const { shop, simulator, desk } = world;
  const outTradeNo = await buyFrozen(world, 'two-makers');
  simulator.setSharingOutcome({
    account: CLOSED_ACCOUNT,
    outTradeNo,
    result: 'CLOSED',
    failReason: 'ACCOUNT_ABNORMAL',
  });
  const share = { out_order_no: `${outTradeNo}-1`, unfreeze_rest: true };
  const receivers = [receiver(SHOP, 1_000), receiver(CLOSED_ACCOUNT, 500)];
  const shareReply = await shop.share(outTradeNo, { ...share, receivers });
  const intervention = await desk.waitForIntervention(outTradeNo, 'sharing_failed');
  const [first] = (await shop.read(outTradeNo)).profit_sharings;
  const results = first?.receivers.map(({ result }) => result).join(', ') ?? 'none';
  simulator.setSharingOutcome({ account: CLOSED_ACCOUNT, outTradeNo, result: 'SUCCESS' });
  const resolved = await desk.resolve(intervention, 'new_number');
  await waitUntil(`the rest of ${outTradeNo} unfrozen`, SOON_MS, () =>
    simulator.balanceOf(outTradeNo)?.frozenFen === 0 ? true : undefined,
  );
  const { sharedFen, unfrozenFen } = simulator.balanceOf(outTradeNo) ?? {};
  return {
    seen:
      `${shareReply}: ${results}; intervention ${intervention.reason}; new_number ${resolved}; ` +
      `at WeChat ${sharedFen} shared, ${unfrozenFen} unfrozen`,
  };
}

async function playRefundOfShared(world: World): Promise<Seen> {
  const { shop, simulator } = world;
  const outTradeNo = await buyFrozen(world, 'shared-and-returned');
  await shop.share(outTradeNo, {
    out_order_no: `${outTradeNo}-1`,
    receivers: [receiver(SHOP, 2_000)],
  });
  await waitUntil(`the sharing of ${outTradeNo}`, SOON_MS, async () =>
    (await shop.read(outTradeNo)).profit_sharings.find(({ status }) => status === 'finished'),
  );
  await shop.refund(outTradeNo, { out_refund_no: `${outTradeNo}-back`, amount: 10_000 });
  await shop.waitForRefund(outTradeNo, `${outTradeNo}-back`);
  const { returnedFen, refundedFen } = simulator.balanceOf(outTradeNo) ?? {};
  const { status } = await shop.waitFor(outTradeNo, 'refunded');
  return { seen: `${returnedFen} taken back, then ${refundedFen} refunded; ${status}` };
}

/** Payments that are shared with others. */
export const sharingScenarios: readonly Scenario[] = [
  {
    name: 'A payment is shared with two receivers, one share fails, the rest is unfrozen',
    expected:
      '202: SUCCESS, CLOSED; intervention sharing_failed; new_number 200 done; ' +
      'at WeChat 1500 shared, 8500 unfrozen',
    play: playFailingReceiver,
  },
  {
    name: 'A refund of a shared payment takes the share back first',
    expected: '2000 taken back, then 10000 refunded; refunded',
    play: playRefundOfShared,
  },
];

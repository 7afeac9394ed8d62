import { countEffects, startTestOncepay, type TestOncepay } from '../support/oncepay';
import { until } from '../support/until';
import { answer, lateOrder, orderOf, untilAsked, untilRefund } from './support/questions';

/** What was open goes on within 60 s of being due; a test gives some more for a busy machine. */
const RECOVERY_MS = 120_000;

jest.setTimeout(300_000);

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({
    ownTemporal: { persistent: false },
    env: { ONCEPAY_QUERY_SCHEDULE: '3s', ONCEPAY_REFUND_SPACING: '0s' },
  });
});
afterAll(() => oncepay.stop());

test('with all of Temporal’s data gone every open order comes back, and nothing happens twice', async () => {
  const { simulator } = oncepay;
  const LONG = { expires_in_seconds: 3_600 };
  const unpaid = await oncepay.newOrder(LONG);
  const lostCallback = await oncepay.newOrder(LONG);
  const told = await oncepay.newOrder(LONG);
  const done = await oncepay.newOrder(LONG);
  await simulator.pay({ outTradeNo: done });
  await oncepay.untilStatus(done, 'fulfilled');
  const { no: asked, sku } = await orderOf(oncepay, { kind: 'virtual' });
  await simulator.pay({ outTradeNo: asked });
  const { id } = await untilAsked(oncepay, asked, 'no_codes');
  simulator.setRefundOutcome({ status: 'PROCESSING', times: 1 });
  const goingBack = await lateOrder(oncepay);
  await untilRefund(oncepay, goingBack, 'processing');
  const [refund] = simulator.refundsOf(goingBack);

  await oncepay.stack.stopTemporal('SIGKILL');
  await simulator.pay({ outTradeNo: lostCallback, callbacks: 0 });
  const paid = await simulator.pay({ outTradeNo: told, callbacks: 3 });
  expect(paid.callback?.status).toBe(204);
  await simulator.settleRefund({
    outRefundNo: refund?.outRefundNo ?? '',
    status: 'SUCCESS',
    callbacks: 0,
  });
  const codes = [`${sku}-1`, `${sku}-2`];
  await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
  const kept = await answer(oncepay, id, 'retry');
  expect(kept.status).toBe(202);
  await oncepay.stack.startTemporal();

  await oncepay.untilStatus(told, 'fulfilled', RECOVERY_MS);
  await oncepay.untilStatus(lostCallback, 'fulfilled', RECOVERY_MS);
  await oncepay.untilStatus(asked, 'fulfilled', RECOVERY_MS);
  await oncepay.untilStatus(goingBack, 'refunded', RECOVERY_MS);
  await simulator.pay({ outTradeNo: unpaid });
  await oncepay.untilStatus(unpaid, 'fulfilled', RECOVERY_MS);
  for (const no of [told, lostCallback, asked, unpaid, done]) {
    expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
  }
  expect(simulator.refundsOf(goingBack)).toHaveLength(1);
  await until(
    'the patrol has its schedule again, and runs see their search attributes',
    async () => {
      const { schedules } = await oncepay.temporal.workflowService.listSchedules({
        namespace: 'default',
      });
      return schedules.some(({ scheduleId }) => scheduleId === 'oncepay-patrol') ? true : null;
    },
    RECOVERY_MS,
  );
});

// Signed responses to refunds and sharings whose fields are not as they should be.
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { resolve, setPolicy, untilOpened } from '../support/interventions';
import { until } from '../../support/until';
import { paidOrder, refundsWith, requestRefund } from '../support/refunds';
import { receiver, sharableOrder, shared, untilSharing } from '../support/sharing';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = sharedOncepay();
  await setPolicy(oncepay, 'wechat.refund_query', { base_delay_ms: 50, max_delay_ms: 200 });
  await setPolicy(oncepay, 'wechat.sharing_query', { base_delay_ms: 50, max_delay_ms: 200 });
});
afterEach(() => oncepay.simulator.clearFaults());

const FOR_EVER = 1_000;
const odd = { operation: '*', kind: 'odd' } as const;

/** A paid order with a refund of 100 fen whose callbacks are lost. @returns its numbers */
async function refunding(fault: object): Promise<{ no: string; outRefundNo: string }> {
  const no = await paidOrder(oncepay);
  const outRefundNo = `${no}-1`;
  oncepay.simulator.setRefundOutcome({
    status: 'SUCCESS',
    inAnswer: true,
    callbacks: 0,
    outRefundNo,
  });
  oncepay.simulator.setFault({ ...odd, outRefundNo, times: FOR_EVER, ...fault });
  await requestRefund(oncepay, no, { out_refund_no: outRefundNo, amount: 100 });
  return { no, outRefundNo };
}

test.each([
  ['no number at all', { without: ['out_refund_no', 'out_trade_no', 'transaction_id'] }],
  ['numbers that can’t be read', { fields: { out_trade_no: 7, transaction_id: '小' } }],
  ['its amounts as text', { fields: { amount: { refund: '100', total: '300' } } }],
  ['no amount and no refund id', { without: ['amount', 'refund_id'] }],
])('a refund whose response has %s is booked', async (_what, fault) => {
  const { no } = await refunding(fault);
  const order = await oncepay.untilOrder(no, 'booked', (seen) => refundsWith(seen, ['succeeded']));
  expect(order).toMatchObject({ amount: { refunded: 100 }, attention: null });
});

test('a status that nobody knows is queried again, and the refund is booked', async () => {
  const { no } = await refunding({ fields: { status: 'BOOKED' }, times: 2 });
  const order = await oncepay.untilOrder(no, 'booked', (seen) => refundsWith(seen, ['succeeded']));
  expect(order.attention).toBeNull();
  expect(oncepay.simulator.refundsOf(no)).toHaveLength(1);
});

test('a status that stays unknown is refund_failed when the budget is spent', async () => {
  await setPolicy(oncepay, 'wechat.refund_query', { max_attempts: 3 });
  const { no, outRefundNo } = await refunding({ fields: { status: 'BOOKED' } });
  const intervention = await untilOpened(oncepay, no, 'refund_failed');
  expect(intervention).toMatchObject({ subject: outRefundNo, evidence: { state: 'BOOKED' } });
  await setPolicy(oncepay, 'wechat.refund_query', { max_attempts: 60 });
});

test('a response that names another refund is refund_failed; ours keeps its hold', async () => {
  const { no, outRefundNo } = await refunding({ fields: { out_refund_no: 'another-1' } });
  const { id } = await untilOpened(oncepay, no, 'refund_failed');
  const path = `/v1/interventions/${id}/resolution`;
  const body = { action: 'dismiss', note: 'looked into it' };
  // WeChat may have carried ours out: it keeps its hold.
  expect(await oncepay.call('POST', path, { as: 'operator', body })).toMatchObject({
    status: 409,
    body: { code: 'REFUND_RESERVED' },
  });
  expect(oncepay.simulator.refund(outRefundNo)).toMatchObject({ status: 'SUCCESS' });
});

test('an accepted refund that WeChat loses is queried on, and retry sends it again', async () => {
  await setPolicy(oncepay, 'wechat.refund_query', { max_attempts: 3 });
  const no = await paidOrder(oncepay);
  const outRefundNo = `${no}-1`;
  oncepay.simulator.setRefundOutcome({ status: 'PROCESSING', callbacks: 0, outRefundNo });
  const lost = { kind: 'error', status: 404, code: 'RESOURCE_NOT_EXISTS', times: 6 } as const;
  oncepay.simulator.setFault({ operation: 'refund_query', outRefundNo, ...lost });
  await requestRefund(oncepay, no, { out_refund_no: outRefundNo, amount: 100 });
  const sent = (operation: string) =>
    oncepay.simulator.requestsOf(outRefundNo).filter((one) => one.operation === operation);
  const { id } = await untilOpened(oncepay, no, 'refund_failed');
  expect(sent('refund_query').length).toBeGreaterThanOrEqual(3);
  expect((await resolve(oncepay, id, 'retry')).status).toBe(200);
  await until('it is sent again', () => Promise.resolve(sent('refund')[1] ?? null), 60_000);
  const [first, second] = sent('refund');
  expect(second?.bodySha256).toBe(first?.bodySha256);
  expect(oncepay.simulator.refundsOf(no)).toHaveLength(1);
  await setPolicy(oncepay, 'wechat.refund_query', { max_attempts: 60 });
}, 120_000);

test.each([
  ['no numbers', { without: ['order_id', 'transaction_id', 'out_order_no'] }, FOR_EVER],
  ['its amounts as text', { fields: { 'receivers.0.amount': '100' } }, FOR_EVER],
  ['a result that nobody knows, then one', { fields: { 'receivers.0.result': 'DONE' } }, 2],
  ['a state that nobody knows, then one', { fields: { state: 'DONE' } }, 2],
])('a sharing whose response has %s is finished once', async (_what, fault, times) => {
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setFault({ operation: 'share', kind: 'odd', times, ...fault });
  oncepay.simulator.setFault({ operation: 'share_query', kind: 'odd', times, ...fault });
  const outOrderNo = await shared(oncepay, no, [receiver(50)]);
  const sharing = await untilSharing(oncepay, no, outOrderNo, 'finished');
  expect(sharing.receivers).toMatchObject([{ amount: 50, result: 'SUCCESS' }]);
  expect((await oncepay.order(no)).attention).toBeNull();
});

test('a state of a sharing that stays unknown is sharing_failed with the budget', async () => {
  await setPolicy(oncepay, 'wechat.sharing_query', { max_attempts: 3 });
  const no = await sharableOrder(oncepay);
  const fault = { kind: 'odd', fields: { state: 'DONE' }, times: FOR_EVER } as const;
  oncepay.simulator.setFault({ operation: 'share', ...fault });
  oncepay.simulator.setFault({ operation: 'share_query', ...fault });
  const outOrderNo = await shared(oncepay, no, [receiver(50)]);
  const intervention = await untilOpened(oncepay, no, 'sharing_failed');
  expect(intervention).toMatchObject({ subject: outOrderNo, evidence: { state: 'DONE' } });
});

// A client that changes its secret repeats its requests with the other secret.
import { createHmac } from 'node:crypto';
import { orderBody, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { atWechat, paidOrder, refundsWith, requestRefund, SECOND_KEY } from '../support/refunds';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

const withSecond = (key: string) => ({
  'Idempotency-Key': key,
  authorization: `Bearer ${SECOND_KEY}`,
});

test('a refund repeated with the other secret is the first and moves no money twice', async () => {
  const no = await paidOrder(oncepay);
  const key = { 'Idempotency-Key': `refund-of-${no}` };
  const first = await requestRefund(oncepay, no, { amount: 120 }, key);
  expect(first.status).toBe(202);
  const number = (first.body as { out_refund_no: string }).out_refund_no;
  const repeat = () =>
    requestRefund(oncepay, no, { amount: 120 }, withSecond(key['Idempotency-Key']));
  expect(await repeat()).toMatchObject({ body: { out_refund_no: number } });
  await oncepay.untilOrder(no, 'it is refunded', (order) => refundsWith(order, ['succeeded']));
  expect(await repeat()).toMatchObject({ status: 200, body: { out_refund_no: number } });
  // The number is made from the client, so that it is found when the key is purged, too.
  await oncepay.sql.query('DELETE FROM idempotency_keys');
  expect(await repeat()).toMatchObject({ status: 200, body: { out_refund_no: number } });
  expect(atWechat(oncepay, no)).toEqual({ asked: 1, backFen: 120, contents: 1 });
});

test('an order repeated with the other secret is the first one', async () => {
  const body = orderBody();
  const key = `order-of-${String(body['user_id'])}`;
  const headers = { 'Idempotency-Key': key };
  const first = await oncepay.call('POST', '/v1/orders', { as: 'merchant', body, headers });
  expect(first.status).toBe(201);
  const { out_trade_no: no } = first.body as { out_trade_no: string };
  const again = await oncepay.call('POST', '/v1/orders', { body, headers: withSecond(key) });
  expect(again).toMatchObject({ status: 200, body: { out_trade_no: no } });
});

/**
 * The number that 0.3.0 made from a key of `merchant`, which was the name of the API key there: a
 * request from before the upgrade that is repeated after it must find its refund or sharing.
 */
function numberOf030(purpose: 'refund' | 'number', route: string, key: string): string {
  const hash = createHmac('sha256', oncepay.env['ONCEPAY_HASH_KEY'] ?? '')
    .update(`${purpose}\0${JSON.stringify(['merchant', route, key])}`)
    .digest('hex');
  return `op_${hash.slice(0, 40)}`;
}

test('a refund and an unfreeze by key have the numbers that 0.3.0 gave them', async () => {
  const no = await paidOrder(oncepay, { profit_sharing: true });
  const key = `keyed-${no}`;
  const refund = await requestRefund(oncepay, no, { amount: 100 }, { 'Idempotency-Key': key });
  expect(refund).toMatchObject({
    status: 202,
    body: { out_refund_no: numberOf030('refund', 'POST /v1/orders/{no}/refunds', key) },
  });
  const unfreeze = await oncepay.call('POST', `/v1/orders/${no}/profit-sharing`, {
    body: { receivers: [], unfreeze_rest: true },
    headers: withSecond(key),
  });
  const route = 'POST /v1/orders/:no/profit-sharing';
  expect(unfreeze).toMatchObject({
    status: 202,
    body: { out_order_no: numberOf030('number', route, key) },
  });
});

// Signed responses to queries, sharings and returns whose fields are not as they should be.
import { startBench, type Bench } from '../support/client';
import {
  answered,
  FIRST,
  RETURN,
  RETURN_RESPONSE,
  SHARING,
  SHARING_RESPONSE,
} from '../support/profit-sharing';
import { MERCHANT_ID, PAYMENT } from '../support/wechat';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ mode: 'public_key' });
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.fake.plans.length = 0;
});

test.each<[string, object, object]>([
  ['an unknown state', { state: 'CLOSED' }, { state: null, reportedState: 'CLOSED' }],
  [
    'an unknown result',
    { receivers: [{ ...FIRST, result: 'DONE' }] },
    { receivers: [{ result: null, reportedResult: 'DONE' }] },
  ],
  [
    'an amount as text',
    { receivers: [{ ...FIRST, amount: '100' }] },
    { receivers: [{ amountFen: null }] },
  ],
  ['an unreadable receiver', { receivers: [7] }, { receivers: [null] }],
  ['receivers that are no list', { receivers: 'none' }, { receivers: [null] }],
  ['no order id', { order_id: undefined }, { orderId: null }],
  ['no numbers', { out_order_no: 1, transaction_id: '' }, { outOrderNo: null }],
])('a signed response to a sharing with %s is read', async (_name, more, seen) => {
  bench.fake.plans.push(answered(SHARING_RESPONSE, more));
  expect(await bench.client.share(SHARING)).toMatchObject({ kind: 'ok', value: seen });
});

test.each<[string, object, object]>([
  ['an unknown result', { result: 'CLOSED' }, { result: null, reportedResult: 'CLOSED' }],
  ['an amount as text', { amount: '60' }, { amountFen: null }],
  ['no numbers', { out_return_no: undefined, return_id: '' }, { outReturnNo: null }],
])('a signed response to a return with %s is read', async (_name, more, seen) => {
  bench.fake.plans.push(answered(RETURN_RESPONSE, more));
  expect(await bench.client.returnShared(RETURN)).toMatchObject({ kind: 'ok', value: seen });
});

test('a query whose response names no order is about the order that was queried', async () => {
  const { out_trade_no: _no, ...rest } = PAYMENT;
  bench.fake.plans.push({ status: 200, body: JSON.stringify(rest) });
  const outcome = await bench.client.query({
    outTradeNo: PAYMENT.out_trade_no,
    merchantId: MERCHANT_ID,
  });
  expect(outcome).toMatchObject({
    kind: 'ok',
    value: { notice: { outTradeNo: PAYMENT.out_trade_no, tradeState: 'SUCCESS' } },
  });
  // The stored text is read again later.
  expect(outcome.kind === 'ok' && JSON.parse(outcome.value.raw)).toEqual(PAYMENT);
});

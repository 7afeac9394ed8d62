// WeChat's error texts are kept without the personal values of the request that they quote.
import { startBench, type Bench } from '../support/client';
import { RECEIVER, SHARING } from '../support/profit-sharing';
import { APP_ID, MERCHANT_ID } from '../support/wechat';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench({ mode: 'public_key' });
});
afterAll(() => bench.close());

const OPENID = RECEIVER.account;
const PREPAY = {
  api: 'jsapi',
  appId: APP_ID,
  merchantId: MERCHANT_ID,
  outTradeNo: '20261123010001AAAAAA11',
  description: 'Shirt',
  notifyUrl: 'https://pay.shop.example/callbacks/wechat',
  timeExpire: '2026-11-23T12:00:00+08:00',
  totalFen: 1,
  currency: 'CNY',
  profitSharing: false,
} as const;
const ABNORMAL = {
  outRefundNo: 'r-1',
  refundId: '50300908092026112300000001',
  merchantId: MERCHANT_ID,
  to: {
    kind: 'user_bank_card',
    bankType: 'ICBC_DEBIT',
    bankAccount: '6222020200112230',
    realName: '王小明',
  },
} as const;

/** Each call with personal values, and those values. */
const CALLS: [string, () => Promise<object>, string[]][] = [
  ['a prepay', () => bench.client.prepay({ ...PREPAY, openid: OPENID }), [OPENID]],
  [
    'an H5 prepay',
    () => bench.client.prepay({ ...PREPAY, api: 'h5', clientIp: '203.0.113.7' }),
    ['203.0.113.7'],
  ],
  ['a new receiver', () => bench.client.addReceiver(RECEIVER), [OPENID, '王小明']],
  ['a sharing', () => bench.client.share(SHARING), [OPENID, '王小明']],
  [
    'an abnormal refund',
    () => bench.client.applyAbnormalRefund(ABNORMAL),
    ['6222020200112230', '王小明'],
  ],
];

test.each(CALLS)('the refusal of %s quotes no personal value', async (_, call, values) => {
  const message = `参数 1900000999 ${values.join('、')} 有误`;
  const body = JSON.stringify({ code: 'PARAM_ERROR', message });
  bench.fake.plans.push({ status: 400, body });
  expect(await call()).toMatchObject({
    kind: 'refused',
    message: `参数 1900000999 ${values.map(() => '***').join('、')} 有误`,
  });
});

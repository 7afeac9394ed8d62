// The kind and the fields of WeChat's notices.
import { parseNotice } from '../../../../providers/wechatpay/notices/notice-parser';
import { TRADE_STATES } from '../../../../domain/payments/notices';
import { PAYMENT } from '../support/wechat';

function noticeOf(value: unknown) {
  return parseNotice(JSON.stringify(value));
}

const REFUND = {
  mchid: '1900000109',
  out_trade_no: PAYMENT.out_trade_no,
  transaction_id: PAYMENT.transaction_id,
  out_refund_no: 'op_2026@1',
  refund_id: '50300908092026112300000001',
  refund_status: 'SUCCESS',
  success_time: '2026-11-23T12:00:00+08:00',
  amount: { total: 1230, refund: 30, payer_total: 1230, payer_refund: 30 },
};

const SHARING = {
  mchid: '1900000109',
  transaction_id: PAYMENT.transaction_id,
  order_id: '1217752501201407033233368018',
  out_order_no: 'P20260806125346',
  receiver: { type: 'MERCHANT_ID', account: '1900000100', amount: 888, description: '运费' },
  success_time: '2026-11-23T12:00:00+08:00',
};

describe('the kind of a notice', () => {
  test('a text with trade_state is a payment, with our fields and no openid', () => {
    expect(noticeOf(PAYMENT)).toEqual({
      kind: 'payment',
      outTradeNo: '2026112301000AB12CD345',
      transactionId: '4200001234202611230000000001',
      tradeState: 'SUCCESS',
      reportedState: 'SUCCESS',
      totalFen: 1230,
      payerTotalFen: 1200,
      currency: 'CNY',
      appId: 'wxd678efh567hg6787',
      merchantId: '1900000109',
      tradeType: 'JSAPI',
      successTime: '2026-11-23T09:59:58+08:00',
      unreadable: [],
    });
  });

  test('a text with refund_status is a refund', () => {
    expect(noticeOf(REFUND)).toEqual({
      kind: 'refund',
      outTradeNo: PAYMENT.out_trade_no,
      transactionId: PAYMENT.transaction_id,
      outRefundNo: 'op_2026@1',
      refundId: '50300908092026112300000001',
      refundStatus: 'SUCCESS',
      refundFen: 30,
      totalFen: 1230,
      currency: null,
      merchantId: '1900000109',
      successTime: '2026-11-23T12:00:00+08:00',
      unreadable: [],
    });
  });

  test.each([
    ['success_time', undefined, { successTime: null }],
    ['success_time', '', { successTime: null }],
    ['mchid', 1900000109, { merchantId: null }],
    ['amount', { refund: 30, currency: 'CNY' }, { refundFen: 30, currency: 'CNY' }],
    ['amount', { refund: 30, currency: {} }, { refundFen: 30, currency: null }],
    ['amount', undefined, { refundFen: null, totalFen: null, currency: null }],
  ])('a refund whose %s is %j is still a refund', (field, value, expected) => {
    expect(noticeOf({ ...REFUND, [field]: value })).toMatchObject({ kind: 'refund', ...expected });
  });

  test('a text with one receiver or several is profit sharing', () => {
    const expected = {
      kind: 'profit_sharing',
      transactionId: PAYMENT.transaction_id,
      outOrderNo: 'P20260806125346',
    };
    expect(noticeOf(SHARING)).toEqual(expected);
    const { receiver, ...rest } = SHARING;
    expect(noticeOf({ ...rest, receivers: [receiver] })).toEqual(expected);
  });

  test.each(TRADE_STATES)('the trade state %s is known', (state) => {
    expect(noticeOf({ ...PAYMENT, trade_state: state })).toMatchObject({ tradeState: state });
  });

  test('an unpaid order has no transaction id; a payment has one', () => {
    const rest = { ...PAYMENT, transaction_id: undefined, amount: undefined };
    expect(noticeOf({ ...rest, trade_state: 'NOTPAY' })).toMatchObject({
      kind: 'payment',
      transactionId: null,
      totalFen: null,
    });
    expect(noticeOf({ ...rest, trade_state: 'CLOSED', transaction_id: '' })).toMatchObject({
      transactionId: null,
    });
    expect(noticeOf({ ...rest, trade_state: 'SUCCESS' })).toMatchObject({ transactionId: null });
  });

  test.each([
    ['amount', undefined, { totalFen: null, payerTotalFen: null, currency: null }],
    ['amount', {}, { totalFen: null, payerTotalFen: null, currency: null }],
    ['amount', { total: 0 }, { totalFen: 0, currency: null }],
    ['amount', { total: 2_147_483_647, currency: 'USD' }, { totalFen: 2_147_483_647 }],
    ['appid', undefined, { appId: null }],
    ['mchid', null, { merchantId: null }],
    ['new_field', { of: ['WeChat'] }, { totalFen: 1230 }],
  ])('a payment whose %s is %j is still a payment', (field, value, expected) => {
    expect(noticeOf({ ...PAYMENT, [field]: value })).toMatchObject({
      kind: 'payment',
      ...expected,
    });
  });

  test.each([
    ['transaction_id', 'x'.repeat(65), { transactionId: null }],
    ['transaction_id', '42/../1', { transactionId: null }],
    ['transaction_id', 42, { transactionId: null }],
    ['trade_state', 'PAID', { tradeState: null, reportedState: 'PAID' }],
    ['trade_state', undefined, { tradeState: null, reportedState: null }],
    ['trade_state', ['SUCCESS'], { tradeState: null, reportedState: null }],
    ['amount', 1230, { totalFen: null, currency: null }],
    ['amount', [1230], { totalFen: null, currency: null }],
    ['amount', { total: '1230', currency: 'CNY' }, { totalFen: null, currency: 'CNY' }],
    ['amount', { total: 99.5 }, { totalFen: null }],
    ['amount', { total: -9900 }, { totalFen: null }],
    ['amount', { total: 2_147_483_648 }, { totalFen: null }],
    ['amount', { total: 1, currency: '' }, { totalFen: 1, currency: null }],
    ['amount', { total: 1, currency: 'C'.repeat(65) }, { totalFen: 1, currency: null }],
    ['mchid', 1900000109, { merchantId: null }],
    ['mchid', '', { merchantId: null }],
    ['appid', ['wx'], { appId: null }],
    ['appid', { a: 1 }, { appId: null }],
  ])('a payment whose deciding field %s is %j lacks it, and is a payment', (field, value, seen) => {
    expect(noticeOf({ ...PAYMENT, [field]: value })).toMatchObject({
      kind: 'payment',
      outTradeNo: PAYMENT.out_trade_no,
      ...seen,
      unreadable: [],
    });
  });

  test.each([
    ['trade_type', ''],
    ['trade_type', 'x'.repeat(65)],
    ['trade_type', '小程序'],
    ['trade_type', 7],
    ['success_time', ''],
    ['success_time', 20261123],
    ['amount.payer_total', '1200'],
    ['amount.payer_total', -1],
    ['amount.payer_total', 1e300],
  ])('a payment whose side field %s is %j is whole without it', (field, value) => {
    const amount = { ...PAYMENT.amount, payer_total: value };
    const change = field.startsWith('amount.') ? { amount } : { [field]: value };
    expect(noticeOf({ ...PAYMENT, ...change })).toMatchObject({
      kind: 'payment',
      transactionId: PAYMENT.transaction_id,
      tradeState: 'SUCCESS',
      totalFen: 1230,
      unreadable: [field],
    });
  });

  test('a byte order mark in front of the text changes nothing', () => {
    const text = JSON.stringify(PAYMENT);
    expect(parseNotice(`\ufeff${text}`)).toEqual(parseNotice(text));
  });

  test.each([undefined, null, '', 123456, ['2026112301'], { no: 1 }])(
    'a payment or a refund whose out_trade_no is %j names no order',
    (value) => {
      expect(noticeOf({ ...PAYMENT, out_trade_no: value })).toEqual({ kind: 'unknown' });
      expect(noticeOf({ ...REFUND, out_trade_no: value })).toEqual({ kind: 'unknown' });
    },
  );

  test.each([
    ['12345', '12345'],
    ['订单一', '订单一'],
    ["1' OR '1'='1", "1' OR '1'='1"],
    ['x'.repeat(100), 'x'.repeat(64)],
    ['2026112301000AB12CD345\u0000', '2026112301000AB12CD345\ufffd'],
  ])('any other text is a number, %j', (value, outTradeNo) => {
    expect(noticeOf({ ...PAYMENT, out_trade_no: value })).toMatchObject({
      kind: 'payment',
      outTradeNo,
    });
  });

  test.each([
    ['out_refund_no', undefined, { outRefundNo: null }],
    ['out_refund_no', 'x'.repeat(65), { outRefundNo: null }],
    ['refund_status', 'ok?', { refundStatus: 'ok?' }],
    ['refund_status', undefined, { refundStatus: '' }],
    ['refund_status', 7, { refundStatus: '' }],
    ['amount', { refund: 0.5 }, { refundFen: null, unreadable: ['amount.refund'] }],
    ['transaction_id', '', { transactionId: null, unreadable: ['transaction_id'] }],
  ])('a refund whose %s is %j is a refund', (field, value, seen) => {
    expect(noticeOf({ ...REFUND, [field]: value })).toMatchObject({ kind: 'refund', ...seen });
  });

  test.each([
    '',
    'null',
    '[]',
    '"x"',
    '1',
    '{}',
    '{"a":1}',
    'SUCCESS',
    '{"trade_state":',
    '\u0000',
  ])('the text %j is unknown', (text) => {
    expect(parseNotice(text)).toEqual({ kind: 'unknown' });
  });

  test('fields of a __proto__ do not count', () => {
    const inner = JSON.stringify(PAYMENT);
    expect(parseNotice(`{"__proto__":${inner}}`)).toEqual({ kind: 'unknown' });
    const text = `${inner.slice(0, -1)},"__proto__":{"polluted":true}}`;
    const notice = parseNotice(text);
    expect(notice.kind).toBe('payment');
    expect(Object.getPrototypeOf(notice)).toBe(Object.prototype);
    expect('polluted' in {}).toBe(false);
  });

  test('deep and wide texts do no harm', () => {
    expect(parseNotice('['.repeat(60_000))).toEqual({ kind: 'unknown' });
    const deep = `{"trade_state":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;
    expect(parseNotice(deep)).toEqual({ kind: 'unknown' });
  });
});

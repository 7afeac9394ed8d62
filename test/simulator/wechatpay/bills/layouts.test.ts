// Each layout of the simulator's bills, read back by the reader, is what the simulator's books say.
import { readFundFlowBill, readTradeBill } from '../../../../providers/wechatpay/bills/read-bill';
import { yesterday } from '../../../../simulator/wechatpay/bills/bill-days';
import type { RefundView } from '../../../../simulator/wechatpay/control/simulator';
import { inPieces, readAll } from '../../../providers/wechatpay/bills/support/read-all';
import {
  at,
  BILL_DATE,
  control,
  fileOf,
  paid,
  startWithClock,
  type BillFixture,
} from '../support/bills';
import { start } from '../support/merchant-client';
import { addReceiver, paidOrder, PARTNER, partFor, returnShared, share } from '../support/sharing';

const TRADE = `tradebill?bill_date=${BILL_DATE}`;
const FEE_E5_PER_FEN = 6;

let fixture: BillFixture;
/** A full order, one in part refunded, one refunded later, one of the day before. */
let whole: Awaited<ReturnType<typeof paid>>;
let partly: Awaited<ReturnType<typeof paid>>;
let earlier: Awaited<ReturnType<typeof paid>>;
let refunds: RefundView[];

beforeAll(async () => {
  fixture = await startWithClock();
  const { simulator } = fixture;
  const title = { description: '苹果,5斤\n"礼盒"', attach: '{"a":1,"b":"x"}' };
  whole = await paid(fixture, at('00:00:00'), title);
  partly = await paid(fixture, at('12:00:00'), { amount: { total: 9999, currency: 'CNY' } });
  earlier = await paid(fixture, at('23:58:10', '2026-11-27'));
  const refund = (outTradeNo: string, more: object) =>
    simulator.refundElsewhere({ outTradeNo, refundFen: 100, requestedAt: at('15:30:00'), ...more });
  refunds = [
    refund(partly.outTradeNo, { outRefundNo: 'part-1', successTime: at('15:31:00') }),
    refund(partly.outTradeNo, { outRefundNo: 'part-2', status: 'PROCESSING' }),
    refund(partly.outTradeNo, { outRefundNo: 'part-3', status: 'ABNORMAL' }),
    refund(earlier.outTradeNo, { outRefundNo: 'all-1', refundFen: 1230, status: 'CLOSED' }),
  ];
});
afterAll(() => fixture.simulator.close());
afterEach(() => fixture.simulator.setBillRules({ older: false }));

const read = async (query: string) =>
  readAll(readTradeBill(inPieces(await fileOf(fixture, query))));
const STATES = { SUCCESS: 'SUCCESS', PROCESSING: 'PROCESSING', ABNORMAL: 'CHANGE', CLOSED: 'FAIL' };

const expectedPayments = () =>
  [
    { ...whole, totalFen: 1230, tradedAt: at('00:00:00') },
    { ...partly, totalFen: 9999, tradedAt: at('12:00:00') },
  ].map(({ outTradeNo, transactionId, totalFen, tradedAt }) => ({
    kind: 'payment',
    tradedAt,
    appid: fixture.credentials.appId,
    mchid: fixture.credentials.merchantId,
    transactionId,
    outTradeNo,
    refundId: null,
    outRefundNo: null,
    tradeType: 'JSAPI',
    currency: 'CNY',
    orderFen: totalFen,
    refundFen: 0,
    refundStatus: null,
    feeE5: totalFen * FEE_E5_PER_FEN,
  }));
const expectedRefunds = (tradedAt: (refund: RefundView) => string) =>
  refunds.map((refund) => ({
    kind: 'refund',
    tradedAt: tradedAt(refund),
    appid: fixture.credentials.appId,
    mchid: fixture.credentials.merchantId,
    transactionId: refund.transactionId,
    outTradeNo: refund.outTradeNo,
    refundId: refund.refundId,
    outRefundNo: refund.outRefundNo,
    tradeType: 'JSAPI',
    currency: 'CNY',
    orderFen: 0,
    refundFen: refund.refundFen,
    refundStatus: STATES[refund.status],
    feeE5: -refund.refundFen * FEE_E5_PER_FEN,
  }));

/** Rows are in no order, so that their places say nothing. */
function withoutPlaces(lines: readonly object[]): object[] {
  const placed = lines.map((line) => ({ ...line, line: 0 }));
  return placed.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

test('an ALL bill has a line for each payment and each refund of the day', async () => {
  const { lines, end } = await read(`${TRADE}&tar_type=GZIP`);
  const expected = [...expectedPayments(), ...expectedRefunds(() => at('15:30:00'))];
  expect(withoutPlaces(lines)).toEqual(
    withoutPlaces(expected.map((line) => ({ ...line, line: 0 }))),
  );
  expect(end).toMatchObject({ lines: 6, unreadable: 0, differences: [] });
  expect(end.summary).toEqual({
    count: 6,
    settlementFen: 11_229,
    refundFen: 1_530,
    couponRefundFen: 0,
    feeE5: (11_229 - 1_530) * FEE_E5_PER_FEN,
    orderFen: 11_229,
    refundAskedFen: 1_530,
  });
});

test('a SUCCESS bill has the payments alone, and four sums', async () => {
  const { lines, end } = await read(`${TRADE}&bill_type=SUCCESS`);
  expect(withoutPlaces(lines)).toEqual(withoutPlaces(expectedPayments()));
  expect(end).toMatchObject({ lines: 2, unreadable: 0, differences: [] });
  expect(end.summary).toMatchObject({ orderFen: 11_229, refundFen: null, refundAskedFen: null });
});

test('a REFUND bill has the refunds alone, at the time of their payments', async () => {
  const { lines, end } = await read(`${TRADE}&bill_type=REFUND`);
  const paidAt = ({ outTradeNo }: RefundView): string =>
    outTradeNo === earlier.outTradeNo ? at('23:58:10', '2026-11-27') : at('12:00:00');
  expect(withoutPlaces(lines)).toEqual(withoutPlaces(expectedRefunds(paidAt)));
  expect(end).toMatchObject({ lines: 4, unreadable: 0, differences: [] });
  const header = (await fileOf(fixture, `${TRADE}&bill_type=REFUND`)).toString().split('\r\n')[0];
  expect(header?.split(',')).toHaveLength(29);
});

test('a bill in the older layout has 24 columns under older names, and five sums', async () => {
  expect(await control(fixture, 'bill-rules', { older: true })).toMatchObject({ status: 200 });
  const { lines, end } = await read(TRADE);
  const expected = [...expectedPayments(), ...expectedRefunds(() => at('15:30:00'))];
  expect(withoutPlaces(lines)).toEqual(withoutPlaces(expected));
  expect(end).toMatchObject({ lines: 6, unreadable: 0, differences: [] });
  const header = (await fileOf(fixture, TRADE)).toString().split('\r\n')[0] ?? '';
  expect(header.split(',')).toHaveLength(24);
  expect(header).toContain('子商户号');
  expect(end.summary).toMatchObject({ settlementFen: 11_229, orderFen: null });
});

test('a file without BOM, with LF, without a last line end reads the same', async () => {
  const usual = await read(TRADE);
  const rules = { bom: false, newline: 'lf', ends_last_line: false };
  expect(await control(fixture, 'bill-rules', rules)).toMatchObject({ status: 200 });
  const file = await fileOf(fixture, TRADE);
  expect(file.includes('\r')).toBe(false);
  expect(file.at(0)).not.toBe(0xef);
  expect((await read(TRADE)).lines).toEqual(usual.lines);
  fixture.simulator.setBillRules({ bom: true, newline: 'crlf', endsLastLine: true });
});

test('the rows of a trade bill are in no order of time', async () => {
  for (let minute = 10; minute < 30; minute++) await paid(fixture, at(`13:${minute}:00`));
  const { lines } = await read(`${TRADE}&bill_type=SUCCESS`);
  const times = lines.map((line) => ('tradedAt' in line ? line.tradedAt : ''));
  expect(times).not.toEqual(times.toSorted());
});

test('a payment taken back at the till has a second line without refund numbers', async () => {
  const one = await startWithClock();
  const { outTradeNo } = await paid(one, at('18:20:00'));
  await one.simulator.pay({ outTradeNo, tradeState: 'REVOKED', callbacks: 0 });
  const { lines, end } = await readAll(readTradeBill(inPieces(await fileOf(one, TRADE))));
  expect(withoutPlaces(lines)).toMatchObject([
    { kind: 'payment', orderFen: 1230 },
    { kind: 'reversal', outTradeNo, outRefundNo: null, orderFen: 0, refundFen: 1230 },
  ]);
  expect(end.differences).toEqual([]);
  await one.simulator.close();
});

describe('the fund-flow bill', () => {
  test('a fund-flow bill has each movement in its order with the balance after it', async () => {
    const one = await startWithClock();
    const { outTradeNo } = await paid(one, at('00:00:12'));
    await paid(one, at('22:00:00', '2026-11-27'));
    const refund = { outTradeNo, outRefundNo: 'flow-1', refundFen: 1_000 };
    one.simulator.refundElsewhere({ ...refund, requestedAt: at('15:30:02') });
    const processing = { ...refund, outRefundNo: 'flow-2', refundFen: 1 };
    one.simulator.refundElsewhere({ ...processing, status: 'PROCESSING' });
    const query = `fundflowbill?bill_date=${BILL_DATE}&account_type=BASIC&tar_type=GZIP`;
    const { lines, end } = await readAll(readFundFlowBill(inPieces(await fileOf(one, query))));
    const line = { kind: 'fund', bookedAt: at('00:00:12'), voucher: outTradeNo };
    // The payment of the day before left 12.30 − 0.07 in the account.
    expect(lines).toEqual([
      {
        ...line,
        line: 2,
        businessType: '交易',
        direction: 'in',
        amountFen: 1_230,
        balanceFen: 10_002_453,
      },
      {
        ...line,
        line: 3,
        businessType: '扣除交易手续费',
        direction: 'out',
        amountFen: 7,
        balanceFen: 10_002_446,
      },
      {
        kind: 'fund',
        line: 4,
        bookedAt: at('15:30:02'),
        businessType: '退款',
        direction: 'out',
        amountFen: 994,
        balanceFen: 10_001_452,
        voucher: 'flow-1',
      },
    ]);
    expect(end).toMatchObject({ unreadable: 0, differences: [] });
    expect(end.summary).toEqual({ count: 3, inCount: 1, inFen: 1_230, outCount: 2, outFen: 1_001 });
    const others = `fundflowbill?bill_date=${BILL_DATE}&account_type=FEES`;
    await expect(fileOf(one, others)).rejects.toThrow();
    await one.simulator.close();
  });

  test('a fund-flow bill has what went to receivers and came back', async () => {
    const started = await start('public_key', { shareableAfterMs: 0, billReadyHour: 0 });
    const clock = {
      get nowMs() {
        return Date.now();
      },
    };
    const one: BillFixture = { ...started, clock };
    one.simulator.setBillRules({ withToday: true });
    one.simulator.setSharingOutcome({ result: 'PENDING' });
    const { no, transactionId } = await paidOrder(one);
    await addReceiver(one);
    const shared = { out_order_no: 'FLOW-SHARE', receivers: [partFor(300)] };
    expect(await share(one, transactionId, shared)).toMatchObject({ status: 200 });
    const part = { outOrderNo: 'FLOW-SHARE', account: PARTNER, callbacks: 0 };
    await one.simulator.settleSharing({ ...part, result: 'SUCCESS' });
    expect(await returnShared(one, 'FLOW-SHARE', 'FLOW-BACK')).toMatchObject({ status: 200 });
    const query = `fundflowbill?bill_date=${yesterday(Date.now())}`;
    const { lines, end } = await readAll(readFundFlowBill(inPieces(await fileOf(one, query))));
    expect(lines).toMatchObject([
      { businessType: '交易', direction: 'in', amountFen: 1_230, voucher: no },
      { businessType: '扣除交易手续费', direction: 'out', amountFen: 7, voucher: no },
      { businessType: '分账', direction: 'out', amountFen: 300, voucher: 'FLOW-SHARE' },
      { businessType: '分账回退', direction: 'in', amountFen: 60, voucher: 'FLOW-BACK' },
    ]);
    expect(lines.at(-1)).toMatchObject({ balanceFen: 10_000_983 });
    expect(end.differences).toEqual([]);
    await one.simulator.close();
  });
});

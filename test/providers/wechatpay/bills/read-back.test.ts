// Any bill that a small writer writes reads back the same, in each layout and in any pieces.
import fc from 'fast-check';
import { MAX_FEN } from '../../../../domain/money';
import type { TradeLine } from '../../../../domain/reconciliation/bill-lines';
import { readFundFlowBill, readTradeBill } from '../../../../providers/wechatpay/bills/read-bill';
import { inPieces, readAll } from './support/read-all';
import {
  escaped,
  feeText,
  FUND_FLOW_SUMMARY,
  LAYOUTS,
  LEGACY_SUMMARY,
  TRADE_SUMMARY,
  writeBill,
  yuan,
  type Cells,
} from './support/write-bill';

const DAY_SECONDS = 86_400;

const fen = fc.integer({ min: 0, max: MAX_FEN });
const feeE5 = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 });
const digits = fc.stringMatching(/^[1-9][0-9]{5,27}$/);
/** Of any characters, with those that a reader could stumble over more often. */
const text = fc
  .array(fc.oneof(fc.constantFrom(',', '`', '"', '\n', '\r\n', '\\', ',`'), fc.string()))
  .map((parts) => parts.join(''));
const time = fc.integer({ min: 0, max: DAY_SECONDS - 1 }).map((second) => {
  const clock = new Date(second * 1000).toISOString().slice(11, 19);
  return `2026-11-28 ${clock}`;
});
const shape = fc.record({
  bom: fc.boolean(),
  newline: fc.constantFrom('\n' as const, '\r\n' as const),
  endsLastLine: fc.boolean(),
  headerInBackticks: fc.boolean(),
  size: fc.integer({ min: 1, max: 2_000 }),
});

const row = fc.record({
  kind: fc.constantFrom('payment' as const, 'refund' as const, 'reversal' as const),
  time,
  transactionId: digits,
  outTradeNo: digits,
  refundNumber: digits,
  currency: fc.constantFrom('CNY', 'HKD'),
  orderFen: fen,
  refundFen: fen,
  settlementFen: fen,
  couponRefundFen: fen,
  feeE5,
  text,
});
type Row = typeof row extends fc.Arbitrary<infer T> ? T : never;

const STATES = { payment: 'SUCCESS', refund: 'REFUND', reversal: 'REVOKED' } as const;

function cellsOf(one: Row, isLegacy: boolean): Cells {
  const isRefund = one.kind === 'refund';
  return {
    交易时间: one.time,
    退款申请时间: one.time,
    公众账号ID: 'wx00000000oncepay',
    商户号: '1900000109',
    特约商户号: '0',
    设备号: escaped(one.text),
    微信订单号: one.transactionId,
    商户订单号: one.outTradeNo,
    用户标识: 'oUser',
    交易类型: 'JSAPI',
    交易状态: STATES[one.kind],
    货币种类: one.currency,
    应结订单金额: yuan(one.settlementFen),
    总金额: yuan(one.orderFen),
    代金券金额: '0.00',
    微信退款单号: isRefund ? one.refundNumber : '0',
    商户退款单号: isRefund ? one.refundNumber : '0',
    退款金额: yuan(isLegacy ? one.refundFen : one.settlementFen),
    充值券退款金额: yuan(one.couponRefundFen),
    代金券或立减优惠退款金额: yuan(one.couponRefundFen),
    退款状态: isRefund ? 'SUCCESS' : '',
    商品名称: escaped(one.text),
    商户数据包: escaped(one.text),
    手续费: feeText(one.feeE5),
    费率: '0.60%',
    订单金额: yuan(one.orderFen),
    申请退款金额: yuan(one.refundFen),
  };
}

function lineOf(one: Row, index: number, hasRefunds: boolean): TradeLine {
  const number = one.kind === 'refund' ? one.refundNumber : null;
  return {
    kind: one.kind,
    line: index + 2,
    tradedAt: `${one.time.replace(' ', 'T')}+08:00`,
    appid: 'wx00000000oncepay',
    mchid: '1900000109',
    transactionId: one.transactionId,
    outTradeNo: one.outTradeNo,
    refundId: number,
    outRefundNo: number,
    tradeType: 'JSAPI',
    currency: one.currency,
    orderFen: one.orderFen,
    refundFen: hasRefunds ? one.refundFen : 0,
    refundStatus: number === null ? null : 'SUCCESS',
    feeE5: one.feeE5,
  };
}

function summaryOf(rows: readonly Row[], isLegacy: boolean) {
  const total = (of: (one: Row) => number): number => rows.reduce((sum, one) => sum + of(one), 0);
  const first = [
    String(rows.length),
    yuan(total((one) => (isLegacy ? one.orderFen : one.settlementFen))),
    yuan(total((one) => (isLegacy ? one.refundFen : one.settlementFen))),
    yuan(total((one) => one.couponRefundFen)),
    feeText(total((one) => one.feeE5)),
  ];
  if (isLegacy) return { header: LEGACY_SUMMARY, values: first };
  const more = [yuan(total((one) => one.orderFen)), yuan(total((one) => one.refundFen))];
  return { header: TRADE_SUMMARY, values: [...first, ...more] };
}

test.each(['ALL', 'SUCCESS', 'REFUND', 'LEGACY'] as const)(
  'each trade bill in the layout %s reads back the same',
  async (layout) => {
    const isLegacy = layout === 'LEGACY';
    const hasRefunds = layout !== 'SUCCESS';
    const rowsOf = fc.array(
      hasRefunds ? row : row.map((one) => ({ ...one, kind: 'payment' as const })),
      {
        maxLength: 20,
      },
    );
    await fc.assert(
      fc.asyncProperty(rowsOf, shape, async (rows, { size, ...how }) => {
        const cells = rows.map((one) => cellsOf(one, isLegacy));
        const summary = summaryOf(rows, isLegacy);
        const bytes = writeBill({ columns: LAYOUTS[layout], rows: cells, summary, ...how });
        const { lines, end } = await readAll(readTradeBill(inPieces(bytes, size)));
        expect(lines).toEqual(rows.map((one, index) => lineOf(one, index, hasRefunds)));
        expect(end).toMatchObject({ lines: rows.length, unreadable: 0, differences: [] });
      }),
      { numRuns: 60 },
    );
  },
);

test('each fund-flow bill reads back the same', async () => {
  const movement = fc.record({
    time,
    direction: fc.constantFrom('in' as const, 'out' as const),
    amountFen: fen,
    balanceFen: fc.integer(),
    voucher: fc.option(digits),
    text,
  });
  await fc.assert(
    fc.asyncProperty(fc.array(movement, { maxLength: 20 }), shape, async (rows, how) => {
      const cells = rows.map((one) => ({
        记账时间: one.time,
        业务名称: '交易',
        业务类型: '扣除交易手续费',
        收支类型: one.direction === 'in' ? '收入' : '支出',
        '收支金额(元)': yuan(one.amountFen),
        '账户结余(元)': yuan(one.balanceFen),
        备注: escaped(one.text),
        业务凭证号: one.voucher ?? '',
      }));
      const of = (direction: 'in' | 'out') => {
        const some = rows.filter((one) => one.direction === direction);
        const sumFen = some.reduce((sum, { amountFen }) => sum + amountFen, 0);
        return [String(some.length), yuan(sumFen)];
      };
      const values = [String(rows.length), ...of('in'), ...of('out')];
      const summary = { header: FUND_FLOW_SUMMARY, values };
      const bytes = writeBill({ columns: LAYOUTS.FUND_FLOW, rows: cells, summary, ...how });
      const { lines, end } = await readAll(readFundFlowBill(inPieces(bytes, how.size)));
      expect(lines).toEqual(
        rows.map((one, index) => ({
          kind: 'fund',
          line: index + 2,
          bookedAt: `${one.time.replace(' ', 'T')}+08:00`,
          businessType: '扣除交易手续费',
          direction: one.direction,
          amountFen: one.amountFen,
          balanceFen: one.balanceFen,
          voucher: one.voucher,
        })),
      );
      expect(end).toMatchObject({ unreadable: 0, differences: [] });
    }),
    { numRuns: 60 },
  );
});

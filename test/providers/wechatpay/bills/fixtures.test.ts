// Reads each bill of fixtures/, cut in pieces, and compares the lines with those beside it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { readFundFlowBill, readTradeBill } from '../../../../providers/wechatpay/bills/read-bill';
import { inPieces, readAll } from './support/read-all';

const FIXTURES = join(__dirname, 'fixtures');
const EXPECTED = '.expected.json';

const word = z.string().nullable().default(null);
const amount = z.int().default(0);
const tradeRow = z.object({
  kind: z.enum(['payment', 'refund', 'reversal']),
  trade_time: z.string(),
  appid: word,
  mchid: word,
  transaction_id: word,
  out_trade_no: word,
  refund_id: word,
  out_refund_no: word,
  trade_type: word,
  currency: z.string(),
  settlement_fen: amount,
  order_fen: z.int().optional(),
  refund_fen: amount,
  refund_asked_fen: z.int().optional(),
  refund_status: word,
  fee_e5: z.int(),
});
const fundRow = z.object({
  booked_at: z.string(),
  business_type: z.string(),
  direction: z.enum(['in', 'out']),
  amount_fen: z.int(),
  balance_fen: z.int(),
  voucher: word,
});
const sum = z.int().nullable().default(null);
const tradeExpected = z.object({
  file: z.string(),
  sha1: z.string(),
  rows: z.array(tradeRow),
  summary: z.object({
    rows: z.int(),
    settlement_fen: sum,
    refund_fen: sum,
    coupon_refund_fen: sum,
    fee_e5: sum,
    order_fen: sum,
    refund_asked_fen: sum,
  }),
});
const fundExpected = z.object({
  file: z.string(),
  sha1: z.string(),
  rows: z.array(fundRow),
  summary: z.object({
    rows: z.int(),
    in_count: z.int(),
    in_fen: z.int(),
    out_count: z.int(),
    out_fen: z.int(),
  }),
});

/** The header is line 1. */
const FIRST_LINE = 2;

function expectedTradeLine(row: z.output<typeof tradeRow>, index: number): object {
  return {
    kind: row.kind,
    line: index + FIRST_LINE,
    tradedAt: row.trade_time,
    appid: row.appid,
    mchid: row.mchid,
    transactionId: row.transaction_id,
    outTradeNo: row.out_trade_no,
    refundId: row.refund_id,
    outRefundNo: row.out_refund_no,
    tradeType: row.trade_type,
    currency: row.currency,
    orderFen: row.order_fen ?? row.settlement_fen,
    refundFen: row.refund_asked_fen ?? row.refund_fen,
    refundStatus: row.refund_status,
    feeE5: row.fee_e5,
  };
}

const read = (name: string): Buffer => readFileSync(join(FIXTURES, name));
const expectedOf = (name: string): unknown => JSON.parse(read(name).toString());
const names = readdirSync(FIXTURES).filter((name) => name.endsWith(EXPECTED));
const trade = names.filter((name) => !name.includes('fundflow'));
const SIZES = [1, 7, 65_536];

test('there is a fixture for each layout', () => {
  expect(names).toHaveLength(6);
  expect(trade).toHaveLength(5);
});

describe.each(SIZES)('in pieces of %d bytes', (size) => {
  test.each(trade)('the trade bill %s gives the lines and sums beside it', async (name) => {
    const { file, sha1, rows, summary } = tradeExpected.parse(expectedOf(name));
    const bytes = read(file);
    const { lines, end } = await readAll(readTradeBill(inPieces(bytes, size)));
    expect(lines).toEqual(rows.map(expectedTradeLine));
    const stated = {
      count: summary.rows,
      settlementFen: summary.settlement_fen,
      refundFen: summary.refund_fen,
      couponRefundFen: summary.coupon_refund_fen,
      feeE5: summary.fee_e5,
      orderFen: summary.order_fen,
      refundAskedFen: summary.refund_asked_fen,
    };
    expect(end).toEqual({
      sha1,
      bytes: bytes.length,
      lines: rows.length,
      unreadable: 0,
      totals: stated,
      summary: stated,
      differences: [],
    });
  });

  test('the fund-flow bill gives the movements and sums beside it', async () => {
    const { file, sha1, rows, summary } = fundExpected.parse(
      expectedOf(`05-fundflow-basic${EXPECTED}`),
    );
    const bytes = read(file);
    const { lines, end } = await readAll(readFundFlowBill(inPieces(bytes, size)));
    expect(lines).toEqual(
      rows.map((row, index) => ({
        kind: 'fund',
        line: index + FIRST_LINE,
        bookedAt: row.booked_at,
        businessType: row.business_type,
        direction: row.direction,
        amountFen: row.amount_fen,
        balanceFen: row.balance_fen,
        voucher: row.voucher,
      })),
    );
    const stated = {
      count: summary.rows,
      inCount: summary.in_count,
      inFen: summary.in_fen,
      outCount: summary.out_count,
      outFen: summary.out_fen,
    };
    const facts = { sha1, bytes: bytes.length, lines: rows.length, unreadable: 0 };
    expect(end).toEqual({ ...facts, totals: stated, summary: stated, differences: [] });
  });
});

test('a packed bill is the plain one once it is unpacked', () => {
  expect(gunzipSync(read('01-all-bom-crlf.csv.gz'))).toEqual(read('01-all-bom-crlf.csv'));
});

// Bills that are not as they should be: broken lines, wrong summaries, other files.
import { UnreadableBill } from '../../../../providers/wechatpay/bills/file-reader';
import { MAX_LINE_BYTES } from '../../../../providers/wechatpay/bills/line-splitter';
import { readTradeBill } from '../../../../providers/wechatpay/bills/read-bill';
import { inPieces, readAll } from './support/read-all';
import { LAYOUTS, lineOf, TRADE_SUMMARY, writeBill, type Cells } from './support/write-bill';

const PAYMENT: Cells = {
  交易时间: '2026-11-28 10:15:30',
  公众账号ID: 'wx00000000oncepay',
  商户号: '1900000109',
  微信订单号: '4200002001202611280000000001',
  商户订单号: 'OP1201',
  用户标识: 'oSecretOpenid',
  交易类型: 'JSAPI',
  交易状态: 'SUCCESS',
  货币种类: 'CNY',
  应结订单金额: '12.34',
  退款金额: '0.00',
  充值券退款金额: '0.00',
  微信退款单号: '0',
  商户退款单号: '0',
  商品名称: '月卡',
  手续费: '0.07404',
  订单金额: '12.34',
  申请退款金额: '0.00',
};
const SUMS = ['12.34', '0.00', '0.00', '0.07404', '12.34', '0.00'];
const HEADER = LAYOUTS.ALL.join(',');
const GOOD = lineOf(LAYOUTS.ALL.map((column) => PAYMENT[column] ?? ''));

/** A bill of these lines between the header and a summary that counts them. */
const billOf = (lines: readonly (string | Buffer)[], values = SUMS): Buffer =>
  Buffer.concat(
    [HEADER, ...lines, TRADE_SUMMARY, lineOf([String(lines.length), ...values])].flatMap((line) => [
      Buffer.from(line),
      Buffer.from('\r\n'),
    ]),
  );
const changed = (cells: Cells): string =>
  lineOf(LAYOUTS.ALL.map((column) => ({ ...PAYMENT, ...cells })[column] ?? ''));
const read = (bytes: Buffer, size?: number) => readAll(readTradeBill(inPieces(bytes, size)));

describe('a line that can’t be read', () => {
  test.each<[string, string | Buffer, string]>([
    [
      'has a cell too few',
      GOOD.slice(0, GOOD.lastIndexOf(',`')),
      'the line has 26 columns, the header has 27',
    ],
    ['has a cell too many', `${GOOD},\`x`, 'the line has 28 columns, the header has 27'],
    ['has no backtick', GOOD.slice(1), 'the line does not begin with a backtick'],
    [
      'is not UTF-8',
      Buffer.concat([Buffer.from(GOOD), Buffer.from([0xc3])]),
      'the line is not UTF-8',
    ],
    [
      'is too long',
      `${GOOD}${'x'.repeat(MAX_LINE_BYTES)}`,
      `the line is longer than ${MAX_LINE_BYTES} bytes`,
    ],
    [
      'has an unknown state',
      changed({ 交易状态: 'CLOSED' }),
      '交易状态 is none that Oncepay knows',
    ],
    ['has an amount without decimals', changed({ 订单金额: '12' }), '订单金额 is no amount'],
    ['has an amount of one decimal', changed({ 订单金额: '12.3' }), '订单金额 is no amount'],
    ['has an amount in scientific notation', changed({ 订单金额: '1e3' }), '订单金额 is no amount'],
    ['has an amount with a comma', changed({ 订单金额: '1\\ 234.00' }), '订单金额 is no amount'],
    ['has no amount', changed({ 订单金额: '' }), '订单金额 is no amount'],
    [
      'has too large an amount',
      changed({ 订单金额: '21474836.48' }),
      '订单金额 is more than one payment can have',
    ],
    ['has another broken amount', changed({ 应结订单金额: 'x' }), '应结订单金额 is no amount'],
    ['has a fee of six decimals', changed({ 手续费: '0.074041' }), '手续费 is no amount'],
    ['has no time', changed({ 交易时间: '2026/11/28 10:15:30' }), '交易时间 is no time'],
    [
      'has a time that no day has',
      changed({ 交易时间: '2026-11-28 24:00:00' }),
      '交易时间 is no time',
    ],
    [
      'has a day that no month has',
      changed({ 交易时间: '2026-02-30 10:00:00' }),
      '交易时间 is no time',
    ],
    ['has no currency', changed({ 货币种类: '' }), '货币种类 is empty'],
    ['has a NUL in a number', changed({ 商户订单号: 'OP\0' }), '商户订单号 holds a NUL'],
    [
      'has a number that is too long',
      changed({ 商户订单号: 'x'.repeat(129) }),
      '商户订单号 is too long',
    ],
  ])('a line that %s is reported with why, the others are read', async (_name, bad, why) => {
    const { lines, end } = await read(billOf([GOOD, bad, GOOD]), 1_000);
    expect(lines).toMatchObject([
      { kind: 'payment', line: 2, orderFen: 1234 },
      { kind: 'unreadable', line: 3, why },
      { kind: 'payment', line: 4, orderFen: 1234 },
    ]);
    expect(end).toMatchObject({ lines: 3, unreadable: 1, totals: { count: 3, orderFen: 2468 } });
    expect(end.differences).toEqual([]);
  });

  test('a refund in a layout without refunds is never an amount of 0', async () => {
    const summary = { header: '总交易单数', values: ['1'] };
    const rows = [{ ...PAYMENT, 交易状态: 'REFUND' }];
    const { lines } = await read(writeBill({ columns: LAYOUTS.SUCCESS, rows, summary }));
    const why = 'a refund in a bill without 商户退款单号';
    expect(lines).toEqual([{ kind: 'unreadable', line: 2, why }]);
  });

  test('the count is compared beside a line that can’t be read', async () => {
    const bytes = Buffer.from(billOf([GOOD, 'broken']).toString().replace('\r\n`2,', '\r\n`3,'));
    const { end } = await read(bytes);
    expect(end.differences).toEqual([{ column: 'count', summary: 3, lines: 2 }]);
  });
});

test('a line as long as the bound, and an empty one, are taken as they are', async () => {
  const rest = MAX_LINE_BYTES - Buffer.byteLength(`${GOOD}\r`);
  const longest = changed({ 商品名称: `月卡${'x'.repeat(rest)}` });
  const { lines } = await read(billOf([longest, ''], SUMS));
  expect(lines).toMatchObject([{ kind: 'payment', line: 2 }]);
});

describe('the summary', () => {
  test('a summary of other sums is reported column by column', async () => {
    const values = ['12.35', '0.00', '0.00', '0.07405', '12.34', '1.00'];
    const { end } = await read(billOf([GOOD], values));
    expect(end.differences).toEqual([
      { column: 'settlementFen', summary: 1235, lines: 1234 },
      { column: 'feeE5', summary: 7405, lines: 7404 },
      { column: 'refundAskedFen', summary: 100, lines: 0 },
    ]);
    expect(end.summary).toMatchObject({ count: 1, settlementFen: 1235, orderFen: 1234 });
  });

  test('a missing summary is a difference: the file may be cut', async () => {
    const { end } = await read(Buffer.from(`${HEADER}\r\n${GOOD}\r\n`));
    expect(end).toMatchObject({ summary: null, totals: { count: 1, orderFen: 1234 } });
    expect(end.differences).toEqual([{ column: 'count', summary: null, lines: 1 }]);
  });

  test.each([
    ['a value that is no amount', lineOf(['1', ...SUMS.slice(0, -1), 'x']), ['refundAskedFen']],
    ['a count that is none', lineOf(['one', ...SUMS]), ['count']],
    ['no line of values', '', ['count']],
  ])('a summary with %s is a difference', async (_name, values, columns) => {
    const text = [HEADER, GOOD, TRADE_SUMMARY, values].join('\n');
    const { end } = await read(Buffer.from(text));
    expect(end.differences).toMatchObject(columns.map((column) => ({ column, summary: null })));
  });

  test('a summary is compared with the lines in the columns that both have', async () => {
    const seven = ['1', '12.34', '99.00', '99.00', '0.07404', '12.34', '99.00'];
    const summary = { header: TRADE_SUMMARY, values: seven };
    const success = writeBill({ columns: LAYOUTS.SUCCESS, rows: [PAYMENT], summary });
    expect((await read(success)).end.differences).toEqual([]);
  });
});

describe('a file that is no trade bill', () => {
  test.each([
    ['is empty', '', 'the file is empty'],
    ['is an error page', '<html><body>502</body></html>', 'the header has no column 交易时间'],
    ['is WeChat’s error', '{"code":"NO_AUTH"}', 'the header has no column 交易时间'],
    ['is a fund-flow bill', LAYOUTS.FUND_FLOW.join(','), 'the header has no column 交易时间'],
    [
      'lacks the amount',
      HEADER.replace(',订单金额', ''),
      'the header has no column 订单金额 or 总金额',
    ],
    ['names a column twice', `${HEADER},订单金额`, 'the header names a column twice'],
    ['is one endless line', 'x'.repeat(3 * MAX_LINE_BYTES), 'the first line is no header'],
  ])('a file that %s is refused as a whole', async (_name, text, why) => {
    await expect(read(Buffer.from(text))).rejects.toThrow(new UnreadableBill(why));
  });

  test('a file in GBK is refused as a whole', async () => {
    const gbk = Buffer.from([0xbd, 0xbb, 0xd2, 0xd7, 0xca, 0xb1, 0xbc, 0xe4]);
    await expect(read(gbk)).rejects.toThrow(new UnreadableBill('the first line is no header'));
  });
});

test('a failure of the source ends the reading, and there is no end to report', async () => {
  async function* broken(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(billOf([GOOD]));
    throw new Error('the connection was cut');
  }
  const bill = readTradeBill(broken());
  await expect(readAll(bill)).rejects.toThrow('the connection was cut');
  expect(() => bill.end()).toThrow('not read to its end');
});

test('a long bill is handed out while it comes: the reader is never ahead', async () => {
  const PIECES = 500;
  const LINES_IN_A_PIECE = 100;
  let given = 0;
  async function* source(): AsyncGenerator<Buffer> {
    yield await Promise.resolve(Buffer.from(`${HEADER}\n`));
    for (; given < PIECES; given++) yield Buffer.from(`${GOOD}\n`.repeat(LINES_IN_A_PIECE));
  }
  let taken = 0;
  for await (const batch of readTradeBill(source()).lines) {
    taken += batch.length;
    expect(given).toBeLessThanOrEqual(taken / LINES_IN_A_PIECE);
    expect(batch.length).toBeLessThanOrEqual(1_100);
  }
  expect(taken).toBe(PIECES * LINES_IN_A_PIECE);
});

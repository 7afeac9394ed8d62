/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import { createTestMoney, type TestMoney } from '../support/money';
import { someOrder, someRefund } from '../support/patrol';
import { startTestSharing, type TestSharing } from '../support/sharing';

let world: TestSharing;
let money: TestMoney;
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
});
afterAll(() => world.end());

const second = (no: string) => `second-${no}`;

test('a late payment refunded whole elsewhere: the order is refunded, nobody decides', async () => {
  const { rows } = await world.sql.query(
    `SELECT 1 FROM runtime_settings WHERE name = 'late_payment'`,
  );
  expect(rows).toEqual([]);
  await world.sql.query(
    `INSERT INTO runtime_settings (name, value, updated_by) VALUES ('late_payment', '"ask"', 'x')`,
  );
  const no = await someOrder(world.sql, { status: 'closed' });
  await money.pays(no);
  expect(await money.openReasons(no)).toEqual(['late_payment']);
  await money.refunds(no);
  expect([await money.statusOf(no), await money.openReasons(no)]).toEqual(['refunded', []]);
  await world.sql.query('DELETE FROM runtime_settings');
});

test('a mismatched payment refunded whole elsewhere: the order closes', async () => {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  await money.pays(no, { totalFen: 200 });
  expect(await money.openReasons(no)).toEqual(['amount_mismatch']);
  await money.refunds(no, { refundFen: 200, totalFen: 200 });
  expect([await money.statusOf(no), await money.openReasons(no)]).toEqual(['closed', []]);
});

test('a mismatched payment refunded in part: the resolution refunds the rest', async () => {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  await money.pays(no, { totalFen: 200 });
  await money.refunds(no, { refundFen: 150, totalFen: 200 });
  expect(await money.openReasons(no)).toEqual(['amount_mismatch']);
  expect(await money.resolves(no, 'amount_mismatch', 'refund')).toBe('done');
  expect(await money.statusOf(no)).toBe('closed');
  expect(await money.refundsOf(no)).toMatchObject([
    { origin: 'external', amount_fen: 150 },
    { origin: 'resolution', amount_fen: 50 },
  ]);
});

test('a part of a second payment is refunded elsewhere: the intervention stays open', async () => {
  const no = await someOrder(world.sql, { status: 'fulfilled' });
  await money.pays(no, { transactionId: second(no), tradeState: 'REFUND' });
  await money.refunds(no, { transactionId: second(no), refundFen: 100 });
  expect(await money.openReasons(no)).toEqual(['surplus_payment']);
  await money.refunds(no, {
    transactionId: second(no),
    refundFen: 200,
    outRefundNo: `rest-${no}`,
  });
  expect(await money.openReasons(no)).toEqual([]);
});

test('an abnormal refund of a second payment outlives that intervention', async () => {
  const no = await someOrder(world.sql, { status: 'fulfilled' });
  await money.pays(no, { transactionId: second(no), tradeState: 'REFUND' });
  await money.refunds(no, { transactionId: second(no), refundStatus: 'ABNORMAL' });
  expect(await money.openReasons(no)).toEqual(['refund_abnormal', 'surplus_payment']);
  expect(await money.resolves(no, 'surplus_payment', 'dismiss')).toBe('done');
  expect(await money.refundsOf(no)).toMatchObject([{ status: 'abnormal', amount_fen: 300 }]);
  expect(await money.heldOf(second(no))).toBe(300);
  await money.refunds(no, { transactionId: second(no) });
  expect(await money.refundsOf(no)).toMatchObject([{ status: 'succeeded' }]);
  expect(await money.openReasons(no)).toEqual([]);
});

test('a refund that WeChat closed opens no intervention, and the goods go out', async () => {
  const no = await someOrder(world.sql, { status: 'paid' });
  await money.refunds(no, { refundStatus: 'CLOSED' });
  expect(await money.openReasons(no)).toEqual([]);
  const { view } = await world.database.effects.run(no, Date.now());
  expect(view?.status).toBe('fulfilled');
});

describe('a refund reported before its payment', () => {
  const unpaid = () => someOrder(world.sql, { status: 'awaiting_payment' });

  test.each([
    ['SUCCESS', []],
    // A part does not explain the trade state: the rest may have gone back too.
    ['REFUND', ['reconciliation']],
  ] as const)(
    'is booked with it; with the trade state %s what stays open is %j',
    async (tradeState, open) => {
      const no = await unpaid();
      await money.refunds(no, { refundFen: 100 });
      expect(await money.openReasons(no)).toEqual(['reconciliation']);
      await money.pays(no, { tradeState });
      expect(await money.openReasons(no)).toEqual(open);
      expect(await money.refundsOf(no)).toMatchObject([
        { origin: 'external', amount_fen: 100, status: 'succeeded' },
      ]);
      expect(await money.statusOf(no)).toBe('paid');
    },
  );

  test('is recorded also after a person dismissed its intervention', async () => {
    const no = await unpaid();
    await money.refunds(no);
    expect(await money.resolves(no, 'reconciliation', 'dismiss')).toBe('done');
    await money.pays(no);
    expect([await money.statusOf(no), await money.openReasons(no)]).toEqual(['refunded', []]);
    const { view } = await world.database.effects.run(no, Date.now());
    expect(view?.effectsDue).toBe(0);
  });

  test('is recorded also when the run reads both at once', async () => {
    const no = await unpaid();
    await money.keep(no, 'refund', { refundFen: 100 });
    await money.pays(no);
    expect(await money.openReasons(no)).toEqual([]);
    expect(await money.refundsOf(no)).toMatchObject([{ amount_fen: 100, status: 'succeeded' }]);
  });

  test('leaves a rest of a late payment: only the rest is refunded', async () => {
    const no = await someOrder(world.sql, { status: 'closed' });
    await money.refunds(no, { refundFen: 100 });
    await money.pays(no);
    expect(await money.refundsOf(no)).toMatchObject([
      { origin: 'external', amount_fen: 100 },
      { origin: 'late_payment', amount_fen: 200 },
    ]);
    expect(await money.openReasons(no)).toEqual([]);
  });

  test.each([
    ['closed', 'late_payment', (no: string) => `tx-${no}`],
    ['fulfilled', 'surplus_payment', second],
  ] as const)(
    'of a part under our own number, of an order that is %s: a person is asked (%s)',
    async (status, reason, transactionOf) => {
      const no = await someOrder(world.sql, { status });
      const transactionId = transactionOf(no);
      const outRefundNo = `op_${transactionId}`;
      await money.refunds(no, { transactionId, outRefundNo, refundFen: 100 });
      await money.pays(no, { transactionId });
      expect(await money.openReasons(no)).toEqual([reason]);
      // The rest may be back under a number that the books have lost: no second one is made.
      expect(await money.refundsOf(no)).toMatchObject([
        { out_refund_no: outRefundNo, amount_fen: 100, status: 'succeeded' },
      ]);
    },
  );

  test('ends the hold of the trade state REFUND when all add up to the payment', async () => {
    const no = await unpaid();
    await money.pays(no, { tradeState: 'REFUND' });
    expect(await money.openReasons(no)).toEqual(['reconciliation']);
    await money.refunds(no, { refundFen: 100, outRefundNo: `one-${no}` });
    expect(await money.openReasons(no)).toEqual(['reconciliation']);
    const { view } = await world.database.effects.run(no, Date.now());
    expect(view).toMatchObject({ status: 'paid', effectsDue: 0 });
    await money.refunds(no, { refundFen: 200, outRefundNo: `two-${no}` });
    expect([await money.statusOf(no), await money.openReasons(no)]).toEqual(['refunded', []]);
  });

  test('covers a late payment: nothing is sent, no intervention opens', async () => {
    const no = await someOrder(world.sql, { status: 'closed' });
    await money.refunds(no);
    await money.pays(no);
    expect(await money.refundsOf(no)).toMatchObject([{ origin: 'external' }]);
    expect([await money.statusOf(no), await money.openReasons(no)]).toEqual(['refunded', []]);
  });

  test('leaves a rest of a second payment: the rest is refunded', async () => {
    const no = await someOrder(world.sql, { status: 'fulfilled' });
    await money.refunds(no, { transactionId: second(no), refundFen: 100 });
    await money.pays(no, { transactionId: second(no) });
    expect(await money.refundsOf(no)).toMatchObject([
      { origin: 'external', amount_fen: 100 },
      { origin: 'surplus_payment', amount_fen: 200 },
    ]);
    expect(await money.openReasons(no)).toEqual([]);
  });

  test('covers a mismatched payment: the order closes', async () => {
    const no = await unpaid();
    await money.refunds(no, { refundFen: 200, totalFen: 200 });
    await money.pays(no, { totalFen: 200 });
    expect([await money.statusOf(no), await money.openReasons(no)]).toEqual(['closed', []]);
  });

  test('of a foreign number: the resolution refunds the rest', async () => {
    await money.refunds('NOT-OURS-2', { refundFen: 100 });
    await money.pays('NOT-OURS-2');
    expect(await money.openReasons('NOT-OURS-2')).toEqual(['unknown_order']);
    expect(await money.resolves('NOT-OURS-2', 'unknown_order', 'refund')).toBe('done');
    expect(await money.refundsOf('NOT-OURS-2')).toMatchObject([
      { amount_fen: 100 },
      { amount_fen: 200 },
    ]);
  });

  test('does not pause the queries, and retry queries WeChat at once', async () => {
    const no = await unpaid();
    await money.refunds(no);
    const { queries } = world.database;
    const later = new Date(Date.now() + 3_600_000);
    await world.sql.query(
      'UPDATE orders SET next_query_at = $2, first_prepaid_at = now() WHERE out_trade_no = $1',
      [no, later],
    );
    expect(await queries.turn(no, [30_000], Date.now())).toEqual({ kind: 'wait', delayMs: 15_000 });
    expect(await money.resolves(no, 'reconciliation', 'retry')).toBe('done');
    await money.again(no);
    expect(await money.openReasons(no)).toEqual(['reconciliation']);
    expect(await queries.turn(no, [30_000], Date.now())).toMatchObject({ kind: 'query' });
  });
});

describe('retry of a report about a refund of ours', () => {
  test('that does not fit opens the intervention again', async () => {
    const no = await someOrder(world.sql, { status: 'fulfilled' });
    const outRefundNo = await someRefund(world.sql, no, { amountFen: 100 });
    await money.refunds(no, { outRefundNo, refundFen: 200 });
    expect(await money.openReasons(no)).toEqual(['reconciliation']);
    expect(await money.resolves(no, 'reconciliation', 'retry')).toBe('done');
    await money.again(no);
    expect(await money.openReasons(no)).toEqual(['reconciliation']);
    expect(await money.refundsOf(no)).toMatchObject([{ status: 'processing' }]);
  });
});

describe('a notice belongs to a refund only when all its fields agree', () => {
  test.each([
    ['another merchant', { merchantId: 'other' }],
    ['another total', { totalFen: 600 }],
    ['another amount', { refundFen: 99 }],
    ['another payment', { transactionId: 'other' }],
  ])('%s: an intervention is opened, and nothing is booked', async (_what, changes) => {
    const no = await someOrder(world.sql, { status: 'fulfilled' });
    const outRefundNo = await someRefund(world.sql, no, { amountFen: 100 });
    const told = { refundFen: 100, ...changes };
    await money.refunds(no, { outRefundNo, ...told });
    expect(await money.openReasons(no)).toEqual(['reconciliation']);
    expect(await money.refundsOf(no)).toMatchObject([{ status: 'processing' }]);
  });

  test.each([
    ['another merchant', { merchantId: 'other' }],
    ['another total', { totalFen: 600 }],
    ['another payment', { transactionId: 'other' }],
  ])('made elsewhere, of %s: an intervention, and nothing is booked', async (_what, changes) => {
    const no = await someOrder(world.sql, { status: 'fulfilled' });
    await money.refunds(no, { outRefundNo: `platform-${no}`, refundFen: 300, ...changes });
    expect(await money.openReasons(no)).toEqual(['reconciliation']);
    expect(await money.refundsOf(no)).toEqual([]);
  });
});

/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests which differences a comparison finds, of each type, and what it leaves alone.
import type { TradeLine, UnreadableLine } from '../../../domain/reconciliation/bill-lines';
import {
  DAY,
  NEXT_DAY,
  paymentLine,
  refundLine,
  startTestReconciliation,
  type TestReconciliation,
} from '../support/reconciliation';

let world: TestReconciliation;
beforeAll(async () => {
  world = await startTestReconciliation();
});
beforeEach(() => world.clear());
afterAll(() => world.end());

test('a bill that says what our rows say has no difference', async () => {
  const no = await world.paid();
  const refundNo = await world.refund(no);
  await world.reconcile([refundLine(no, refundNo), paymentLine(no)]);
  expect(await world.differences()).toEqual([]);
  const view = await world.database.reconciliations.find(DAY);
  const totals = { payments: { count: 1, fen: 300 }, refunds: { count: 1, fen: 100 } };
  expect(view).toMatchObject({
    status: 'done',
    bill: { lines: 2, fee_e5: 120, foreign: 0, ...totals },
    ours: totals,
    differences: {},
    error: null,
  });
});

type Case = readonly [
  title: string,
  found: readonly string[],
  arrange: () => Promise<readonly (TradeLine | UnreadableLine)[]>,
];

const CASES: readonly Case[] = [
  [
    'a payment of one of our numbers that we do not have',
    ['payment_missing_here open'],
    async () => [paymentLine(await world.order())],
  ],
  [
    'a second payment of a paid order',
    ['payment_missing_here open'],
    async () => {
      const no = await world.paid();
      return [paymentLine(no), paymentLine(no, { transactionId: 'second' })];
    },
  ],
  [
    'a payment under the number of another order',
    ['payment_missing_here open', 'payment_missing_there open'],
    async () => {
      const no = await world.paid({ transactionId: 'tx' });
      return [paymentLine(await world.order(), { transactionId: 'tx' })].filter(() => no !== '');
    },
  ],
  [
    'a payment that the bill lacks',
    ['payment_missing_there open'],
    async () => {
      await world.paid();
      return [];
    },
  ],
  [
    'a payment of another amount',
    ['payment_amount open'],
    async () => [paymentLine(await world.paid(), { orderFen: 301 })],
  ],
  [
    'a payment that was taken back',
    ['payment_status open'],
    async () => [paymentLine(await world.paid(), { kind: 'reversal' })],
  ],
  [
    'a payment in another currency',
    ['payment_status open'],
    async () => [paymentLine(await world.paid(), { currency: 'USD' })],
  ],
  [
    'a payment taken back that we never had: no money moved',
    [],
    async () => [paymentLine(await world.order(), { kind: 'reversal' })],
  ],
  [
    'a payment that we date ten days earlier: the day only says what is missing there',
    [],
    async () => [paymentLine(await world.paid({ at: '2026-11-19T12:00:00+08:00' }))],
  ],
  [
    'a payment that we have without a time',
    [],
    async () => {
      const no = await world.paid();
      await world.sql.query('UPDATE payment_transactions SET success_time = NULL');
      return [paymentLine(no)];
    },
  ],
  [
    'a refund that we do not have',
    ['refund_missing_here open'],
    async () => {
      const no = await world.paid();
      return [paymentLine(no), refundLine(no, 'platform')];
    },
  ],
  [
    'a refund made elsewhere that failed: no money moved',
    [],
    async () => {
      const no = await world.paid();
      return [paymentLine(no), refundLine(no, 'platform', { refundStatus: 'FAIL' })];
    },
  ],
  [
    'a refund that the bill lacks',
    ['refund_missing_there open'],
    async () => {
      const no = await world.paid();
      await world.refund(no);
      return [paymentLine(no)];
    },
  ],
  [
    'a refund made elsewhere, whose day nobody knows',
    [],
    async () => {
      const no = await world.paid();
      await world.refund(no, { origin: 'external' });
      return [paymentLine(no)];
    },
  ],
  [
    'a refund of another amount',
    ['refund_amount open'],
    async () => {
      const no = await world.paid();
      return [paymentLine(no), refundLine(no, await world.refund(no), { refundFen: 99 })];
    },
  ],
  [
    'a refund that failed there and succeeded here',
    ['refund_status open'],
    async () => {
      const no = await world.paid();
      return [paymentLine(no), refundLine(no, await world.refund(no), { refundStatus: 'FAIL' })];
    },
  ],
  [
    'a refund that went on since the bill was made',
    [],
    async () => {
      const no = await world.paid();
      const refundNo = await world.refund(no);
      return [paymentLine(no), refundLine(no, refundNo, { refundStatus: 'PROCESSING' })];
    },
  ],
  [
    'the same payment twice',
    ['duplicate_line open'],
    async () => {
      const no = await world.paid();
      return [paymentLine(no), paymentLine(no)];
    },
  ],
  [
    'the same refund twice',
    ['duplicate_line open'],
    async () => {
      const no = await world.paid();
      const refundNo = await world.refund(no);
      return [paymentLine(no), refundLine(no, refundNo), refundLine(no, refundNo)];
    },
  ],
  [
    'a line that can not be read',
    ['unreadable_line open'],
    () => Promise.resolve([{ kind: 'unreadable', line: 7, why: 'the amount is no number' }]),
  ],
  [
    'orders of another system, also twice and taken back',
    [],
    () =>
      Promise.resolve([
        paymentLine('POS-1'),
        paymentLine('POS-1'),
        refundLine('POS-1', 'x'),
        paymentLine('POS-2', { kind: 'reversal' }),
      ]),
  ],
];

test.each(CASES)('the bill has %s: found are %p', async (_title, found, arrange) => {
  await world.reconcile(await arrange());
  expect(await world.found()).toEqual(found);
});

test('lines of other systems are counted, and a setting makes more numbers foreign', async () => {
  await world.sql.query(
    `INSERT INTO runtime_settings (name, value, updated_by)
     VALUES ('reconcile_foreign_prefixes', '["2026"]', 'test')`,
  );
  await world.reconcile([paymentLine('POS-1'), paymentLine(await world.order())]);
  await world.sql.query('DELETE FROM runtime_settings');
  expect(await world.differences()).toEqual([]);
  const view = await world.database.reconciliations.find(DAY);
  expect(view?.differences).toEqual({ foreign: 2 });
});

test('both sides of a difference are its evidence', async () => {
  const no = await world.paid();
  await world.reconcile([paymentLine(no, { orderFen: 301 })]);
  expect(await world.differences()).toEqual([
    {
      type: 'payment_amount',
      status: 'open',
      no,
      ours: { amount_fen: 300, status: 'applied', at: '2026-11-29T04:00:00.000Z' },
      theirs: { amount_fen: 301, status: 'SUCCESS', at: '2026-11-29T04:00:00.000Z' },
      open: true,
    },
  ]);
});

test('a summary that contradicts the lines is a difference for each column', async () => {
  const mismatches = [
    { column: 'count', summary: 3, lines: 2 },
    { column: 'orderFen', summary: null, lines: 600 },
  ];
  await world.reconcile([], { mismatches });
  expect(await world.differences()).toMatchObject([
    { type: 'summary_mismatch', ours: { amount_fen: 2 }, theirs: { amount_fen: 3 } },
    { type: 'summary_mismatch', ours: { amount_fen: 600 }, theirs: { amount_fen: null } },
  ]);
});

describe('near midnight', () => {
  const LATE = '2026-11-29T23:55:00+08:00';

  test('a payment that the bill lacks waits for the next one, which has it', async () => {
    const no = await world.paid({ at: LATE });
    await world.reconcile([]);
    expect(await world.found()).toEqual(['payment_missing_there waiting']);
    expect(await world.openInterventions()).toEqual([]);
    const line = paymentLine(no, { tradedAt: '2026-11-30T00:01:00+08:00' });
    await world.reconcile([line], { date: NEXT_DAY });
    expect(await world.found()).toEqual(['payment_missing_there repaired']);
    expect(await world.found(NEXT_DAY)).toEqual([]);
  });

  test('when the next bill lacks it too, a person decides', async () => {
    await world.paid({ at: LATE });
    await world.reconcile([]);
    await world.reconcile([], { date: NEXT_DAY });
    expect(await world.differences()).toMatchObject([{ status: 'open', open: true }]);
  });

  test('a refund that the bill lacks waits too', async () => {
    const no = await world.paid();
    const refundNo = await world.refund(no, { at: LATE });
    await world.reconcile([paymentLine(no)]);
    expect(await world.found()).toEqual(['refund_missing_there waiting']);
    await world.reconcile([refundLine(no, refundNo)], { date: NEXT_DAY });
    expect(await world.found()).toEqual(['refund_missing_there repaired']);
  });

  test('in the morning of the first day nothing can be in an earlier bill', async () => {
    await world.paid({ at: '2026-11-29T00:05:00+08:00' });
    await world.reconcile([]);
    expect(await world.found()).toEqual(['payment_missing_there open']);
  });

  test('eleven minutes before midnight nothing waits', async () => {
    await world.paid({ at: '2026-11-29T23:49:00+08:00' });
    await world.reconcile([]);
    expect(await world.found()).toEqual(['payment_missing_there open']);
  });
});

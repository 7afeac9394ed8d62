/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// A refund that WeChat carried out is a fact: ours give way where the payment no longer covers all.
import { fen } from '../../../domain/money';
import { createTestMoney, type TestMoney } from '../support/money';
import { someOrder } from '../support/patrol';
import { LIFE_MS, startTestSharing, type TestSharing } from '../support/sharing';

let world: TestSharing;
let money: TestMoney;
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
});
afterAll(() => world.end());
beforeEach(() => world.sql.query('UPDATE rate_limits SET tokens = 3'));

const LIMITS = { spacingMs: 0, busyMs: 100, attemptLifeMs: LIFE_MS };
const ALONE = {
  actor: { name: 'shop', role: 'merchant' },
  guard: null,
  approves: null,
  body: {},
};
let requested = 0;

/** A refund of ours that waits. @returns its number */
async function ours(no: string, amountFen: number): Promise<string> {
  requested += 1;
  const outRefundNo = `ours-${requested}-${no}`;
  const options = { reason: null, restock: false, revokeCodes: false };
  const request = { outTradeNo: no, outRefundNo, amountFen: fen(amountFen), ...options };
  const result = await world.database.refundRequests.request(request, ALONE, Date.now());
  expect(result.kind).toBe('reserved');
  return outRefundNo;
}

const elsewhere = (no: string, refundFen: number, outRefundNo = `platform-${no}`) =>
  money.refunds(no, { refundFen, outRefundNo });

/** `<status> <amount>` of each refund, the oldest first. */
async function refundsOf(no: string): Promise<string[]> {
  const { rows } = await world.sql.query<{ text: string }>(
    `SELECT status || ' ' || amount_fen AS text FROM refunds WHERE out_trade_no = $1
     ORDER BY created_at, out_refund_no`,
    [no],
  );
  return rows.map(({ text }) => text);
}

async function amountsOf(no: string): Promise<object> {
  const { rows } = await world.sql.query<object>(
    `SELECT o.refunded_fen AS refunded, t.held_fen AS held, t.refunded_fen AS back
     FROM orders o JOIN payment_transactions t ON t.order_no = o.out_trade_no
     WHERE o.out_trade_no = $1`,
    [no],
  );
  return rows[0] ?? {};
}

async function openOf(no: string): Promise<object[]> {
  const { rows } = await world.sql.query<object>(
    `SELECT reason, subject, evidence->>'why' AS why FROM interventions
     WHERE out_trade_no = $1 AND status = 'open'`,
    [no],
  );
  return rows;
}

const turn = (outRefundNo: string) =>
  world.database.refunds.turn(outRefundNo, LIMITS, () => Date.now());

test('what the payment still covers stays as it is', async () => {
  const no = await someOrder(world.sql);
  await ours(no, 100);
  await elsewhere(no, 200);
  expect(await refundsOf(no)).toEqual(['pending 100', 'succeeded 200']);
  expect(await amountsOf(no)).toEqual({ refunded: 200, held: 300, back: 200 });
  expect(await openOf(no)).toEqual([]);
});

test('the newest of ours give way first, until the payment covers the others', async () => {
  const no = await someOrder(world.sql);
  await ours(no, 100);
  await ours(no, 100);
  const newest = await ours(no, 100);
  await elsewhere(no, 50);
  expect(await refundsOf(no)).toEqual(['pending 100', 'pending 100', 'closed 100', 'succeeded 50']);
  expect(await amountsOf(no)).toEqual({ refunded: 50, held: 250, back: 50 });
  expect(await openOf(no)).toEqual([
    { reason: 'refund_closed', subject: newest, why: 'refunded_elsewhere' },
  ]);
});

test('where nothing is left to give back, nobody is asked, and the goods stay', async () => {
  const no = await someOrder(world.sql, { status: 'paid' });
  await ours(no, 300);
  await elsewhere(no, 300);
  expect(await refundsOf(no)).toEqual(['closed 300', 'succeeded 300']);
  expect(await amountsOf(no)).toEqual({ refunded: 300, held: 300, back: 300 });
  expect([await money.statusOf(no), await openOf(no)]).toEqual(['refunded', []]);
  const { view } = await world.database.effects.run(no, Date.now());
  expect(view).toMatchObject({ status: 'refunded', effectsDue: 0 });
});

describe('a refund of ours that WeChat may have', () => {
  async function sent(no: string, amountFen: number): Promise<{ no: string; attemptId: string }> {
    const outRefundNo = await ours(no, amountFen);
    const taken = await turn(outRefundNo);
    if (taken.kind !== 'send') throw new Error(taken.kind);
    return { no: outRefundNo, attemptId: taken.attemptId };
  }

  test('is followed, while what went back elsewhere is booked at once', async () => {
    const no = await someOrder(world.sql);
    const refund = await sent(no, 200);
    await elsewhere(no, 200);
    expect(await refundsOf(no)).toEqual(['pending 200', 'succeeded 200']);
    expect(await amountsOf(no)).toEqual({ refunded: 200, held: 300, back: 200 });
    expect(await turn(refund.no)).toMatchObject({ kind: 'query' });
    expect(await openOf(no)).toEqual([]);
  });

  test('gives way when WeChat refuses it: it is not sent again', async () => {
    const no = await someOrder(world.sql);
    const refund = await sent(no, 200);
    await elsewhere(no, 200);
    const { refunds } = world.database;
    const refused = { outcome: 'refused', code: 'NOT_ENOUGH', requestId: null } as const;
    await refunds.endAttempt({ id: refund.attemptId, ...refused }, Date.now());
    expect(await turn(refund.no)).toMatchObject({ kind: 'over', status: 'closed' });
    expect(await amountsOf(no)).toEqual({ refunded: 200, held: 200, back: 200 });
    expect(await openOf(no)).toEqual([
      { reason: 'refund_closed', subject: refund.no, why: 'refunded_elsewhere' },
    ]);
  });

  test('gives way when WeChat does not know it', async () => {
    const no = await someOrder(world.sql);
    const refund = await sent(no, 300);
    await elsewhere(no, 300);
    const laterMs = Date.now() + LIFE_MS + 1;
    await world.database.refunds.startAfterAbsence(refund.no, LIMITS, () => laterMs);
    expect(await refundsOf(no)).toEqual(['closed 300', 'succeeded 300']);
    expect([await money.statusOf(no), await openOf(no)]).toEqual(['refunded', []]);
  });

  test('of which WeChat says that it succeeded too is an invariant, and never booked', async () => {
    const no = await someOrder(world.sql);
    const refund = await sent(no, 200);
    await elsewhere(no, 200);
    const told = await money.refunds(no, { outRefundNo: refund.no, refundFen: 200 });
    expect(told).toMatchObject({ applied: 0, conflicts: 1 });
    expect(await amountsOf(no)).toEqual({ refunded: 200, held: 300, back: 200 });
    expect(await openOf(no)).toMatchObject([
      { reason: 'invariant', subject: `transaction_overdrawn:tx-${no}` },
    ]);
  });
});

test('refunds made elsewhere that exceed the payment are an invariant', async () => {
  const no = await someOrder(world.sql);
  await elsewhere(no, 200, `one-${no}`);
  await elsewhere(no, 200, `two-${no}`);
  expect(await amountsOf(no)).toEqual({ refunded: 200, held: 200, back: 200 });
  expect(await openOf(no)).toMatchObject([{ reason: 'invariant' }]);
});

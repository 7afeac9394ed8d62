/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import type { RefundTurn } from '../../../database/refunds/take-refund-turn';
import { createFieldCipher } from '../../../database/encryption/field-encryption';
import { someOrder, someRefund } from '../support/patrol';
import { secrets } from '../support/secrets';
import { LIFE_MS, MINUTE_MS, startTestSharing, type TestSharing } from '../support/sharing';

let world: TestSharing;
beforeAll(async () => {
  world = await startTestSharing();
});
afterAll(() => world.end());
// These turns send nothing, so nobody gives their tokens back.
beforeEach(() => world.sql.query('UPDATE rate_limits SET tokens = 3, updated_at = now()'));

const LIMITS = { spacingMs: MINUTE_MS, busyMs: 100, attemptLifeMs: LIFE_MS };

const pending = (no: string) => someRefund(world.sql, no, { amountFen: 50, status: 'pending' });

const turn = (refundNo: string, nowMs: number): Promise<RefundTurn> =>
  world.database.refunds.turn(refundNo, LIMITS, () => nowMs);

test('a refund that WeChat never had is sent again no sooner than the spacing allows', async () => {
  const { refunds } = world.database;
  const no = await someOrder(world.sql);
  const [first, second] = [await pending(no), await pending(no)];
  const startMs = Date.now();
  const sent = await turn(first, startMs);
  if (sent.kind !== 'send') throw new Error(sent.kind);
  await world.database.refunds.endAttempt(
    { id: sent.attemptId, outcome: 'unknown', code: 'TIMEOUT', requestId: null },
    startMs,
  );
  const laterMs = startMs + MINUTE_MS;
  expect(await turn(second, startMs)).toEqual({ kind: 'wait', delayMs: MINUTE_MS });
  expect(await turn(first, laterMs)).toMatchObject({ kind: 'query', mayBeAbsent: true });
  const other = await turn(second, laterMs);
  if (other.kind !== 'send') throw new Error(other.kind);
  // While it is under way, nobody knows when it arrives.
  expect(await refunds.startAfterAbsence(first, LIMITS, () => laterMs + 500)).toEqual({
    kind: 'wait',
    delayMs: MINUTE_MS,
  });
  await refunds.endAttempt(
    { id: other.attemptId, outcome: 'accepted', code: null, requestId: null },
    laterMs,
  );
  const soon = await refunds.startAfterAbsence(first, LIMITS, () => laterMs + 1_000);
  expect(soon).toEqual({ kind: 'wait', delayMs: MINUTE_MS - 1_000 });
  const inTime = await refunds.startAfterAbsence(first, LIMITS, () => laterMs + MINUTE_MS);
  expect(inTime).toMatchObject({ kind: 'send' });
});

test('requests that may fail are limited: without a token a refund waits unsent', async () => {
  const startMs = Date.now();
  const numbers = [
    await pending(await someOrder(world.sql)),
    await pending(await someOrder(world.sql)),
  ];
  // A time to come adds no token meanwhile.
  const leave = (tokens: number) =>
    world.sql.query(`UPDATE rate_limits SET tokens = $1, updated_at = now() + interval '1 hour'`, [
      tokens,
    ]);
  const attempts = async () => {
    const { rows } = await world.sql.query<{ number: string }>(
      `SELECT out_refund_no AS number FROM refund_attempts WHERE out_refund_no = ANY($1)`,
      [numbers],
    );
    return rows.map(({ number }) => number);
  };
  const [first = '', second = ''] = numbers;
  await leave(0);
  const waits = { kind: 'wait', delayMs: LIMITS.busyMs };
  expect([await turn(first, startMs), await turn(second, startMs)]).toEqual([waits, waits]);
  expect(await attempts()).toEqual([]);
  await leave(1);
  expect(await turn(first, startMs)).toMatchObject({ kind: 'send' });
  await leave(0);
  expect(await turn(second, startMs)).toEqual(waits);
  expect(await attempts()).toEqual([first]);
});

describe('the replacement of a closed refund', () => {
  async function closedRefund(): Promise<string> {
    const no = await someOrder(world.sql);
    const refundNo = await someRefund(world.sql, no, { amountFen: 1, status: 'closed' });
    await world.sql.query(
      `INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence, amount_fen)
       VALUES (gen_random_uuid(), $1, $1, 'refund_closed', $2, '{}', 1)`,
      [no, refundNo],
    );
    // WeChat closed it, so WeChat has seen it.
    await world.sql.query(`UPDATE refunds SET refund_id = '1' WHERE out_refund_no = $1`, [
      refundNo,
    ]);
    return no;
  }

  test('is made within the limits', async () => {
    const no = await closedRefund();
    expect(await world.resolve(no, 'new_number')).toHaveLength(1);
  });

  test('is refused after the fiftieth', async () => {
    const no = await closedRefund();
    for (let n = 1; n < 50; n += 1) await someRefund(world.sql, no, { amountFen: 1 });
    expect(await world.resolve(no, 'new_number')).toBe('REFUND_LIMIT');
  });

  test.each([
    ['closed before anything was sent', 'UPDATE refunds SET status = status', 1],
    ['made elsewhere and closed', `UPDATE refunds SET origin = 'external'`, 'REFUND_LIMIT'],
    ['closed by WeChat', `UPDATE refunds SET refund_id = '5'`, 'REFUND_LIMIT'],
    [
      'refused and given up',
      `INSERT INTO refund_attempts (id, out_refund_no, operation, sent_at, deadline_at, outcome)
       SELECT gen_random_uuid(), out_refund_no, 'refund', now(), now(), 'refused' FROM refunds`,
      'REFUND_LIMIT',
    ],
  ])('after the forty-ninth, and one that was %s', async (_, change, expected) => {
    const no = await closedRefund();
    for (let n = 1; n < 49; n += 1) await someRefund(world.sql, no, { amountFen: 1 });
    const last = await someRefund(world.sql, no, { amountFen: 1, status: 'closed' });
    await world.sql.query(`${change} WHERE out_refund_no = $1`, [last]);
    const result = await world.resolve(no, 'new_number');
    expect(typeof result === 'string' ? result : result.length).toBe(expected);
  });

  test('is refused a year after the payment', async () => {
    const no = await closedRefund();
    await world.sql.query(
      `UPDATE payment_transactions SET success_time = now() - interval '366 days'
       WHERE order_no = $1`,
      [no],
    );
    expect(await world.resolve(no, 'new_number')).toBe('REFUND_LIMIT');
  });
});

describe('the redirect of an abnormal refund', () => {
  async function abnormalRefund(): Promise<string> {
    const no = await someOrder(world.sql);
    const refundNo = await someRefund(world.sql, no, { amountFen: 50, status: 'abnormal' });
    const place = { table: 'refunds', column: 'abnormal', row: refundNo };
    const target = createFieldCipher(secrets.encryptionKeys).encrypt(
      place,
      JSON.stringify({ to: 'merchant_bank_card' }),
    );
    await world.sql.query(
      `UPDATE refunds SET refund_id = '5', abnormal_encrypted = $2 WHERE out_refund_no = $1`,
      [refundNo, target],
    );
    return refundNo;
  }

  /** No token is added before the time that is ahead. */
  const setTokens = (tokens: number) =>
    world.sql.query(`UPDATE rate_limits SET tokens = $1, updated_at = now() + interval '1 hour'`, [
      tokens,
    ]);

  async function tokens(): Promise<number> {
    const { rows } = await world.sql.query<{ tokens: number }>('SELECT tokens FROM rate_limits');
    return rows[0]?.tokens ?? NaN;
  }

  test('waits while as many requests are under way as may fail at once', async () => {
    const refundNo = await abnormalRefund();
    await setTokens(0);
    expect(await turn(refundNo, Date.now())).toEqual({ kind: 'wait', delayMs: LIMITS.busyMs });
    await setTokens(3);
    const sent = await turn(refundNo, Date.now());
    expect(sent).toMatchObject({ kind: 'redirect', target: { kind: 'merchant_bank_card' } });
  });

  test('waits also when WeChat says that it did not take the one before', async () => {
    const refundNo = await abnormalRefund();
    await setTokens(0);
    const again = await world.database.refunds.redirectAgain(refundNo, LIMITS, Date.now());
    expect(again).toEqual({ kind: 'wait', delayMs: LIMITS.busyMs });
  });

  test('takes a token, and gives it back when WeChat takes it', async () => {
    const refundNo = await abnormalRefund();
    await setTokens(3);
    const sent = await turn(refundNo, Date.now());
    if (sent.kind !== 'redirect') throw new Error(sent.kind);
    expect(await tokens()).toBe(2);
    await setTokens(0);
    await world.database.refunds.recordReport(
      refundNo,
      { event: 'processing', refundId: '5', nextQueryAt: null, evidence: {} },
      { id: sent.attemptId, requestId: null, operation: 'abnormal' },
      Date.now(),
    );
    expect(await tokens()).toBe(1);
  });
});

/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Queries, expiry and close of an order whose money is unclear.
import { PAUSED_POLL_MS } from '../../../database/core/due-times';
import { PAUSING_REASONS, INTERVENTION_REASONS } from '../../../domain/interventions/reasons';
import { createTestMoney, type TestMoney } from '../support/money';
import { someOrder } from '../support/patrol';
import { MINUTE_MS, startTestSharing, type TestSharing } from '../support/sharing';

let world: TestSharing;
let money: TestMoney;
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
});
afterAll(() => world.end());

/** Queries each second. */
const GAPS_MS = [1_000];
const HOUR_MS = 60 * MINUTE_MS;

/** An order that WeChat knows, so that closing it takes a query and a close there. */
async function payable(): Promise<string> {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  await world.sql.query(
    `WITH prepaid AS (UPDATE orders SET first_prepaid_at = now(), next_query_at = now()
       WHERE out_trade_no = $1)
     INSERT INTO provider_attempts (id, out_trade_no, operation, deadline_at, outcome)
     VALUES (gen_random_uuid(), $1, 'prepay', now(), 'accepted')`,
    [no],
  );
  return no;
}

const turn = (no: string, nowMs: number) => world.database.queries.turn(no, GAPS_MS, nowMs);
const close = (no: string, nowMs: number) => world.database.closing.begin(no, 'expired', nowMs);

test.each([
  ['amount_mismatch', { totalFen: 299 }, 'refund'],
  ['identity_mismatch', { appId: 'other' }, 'dismiss'],
] as const)(
  'while %s is open the order is not queried, does not expire and is not closed',
  async (reason, payment, action) => {
    const no = await payable();
    await money.pays(no, { ...payment, transactionId: `odd-${no}` });
    expect(await money.openReasons(no)).toEqual([reason]);
    const nowMs = Date.now();
    const waits = { kind: 'wait', delayMs: PAUSED_POLL_MS };
    expect(await turn(no, nowMs + MINUTE_MS)).toEqual(waits);
    // Its time is over by then.
    expect(await turn(no, nowMs + 2 * HOUR_MS)).toEqual(waits);
    expect(await close(no, nowMs + 2 * HOUR_MS)).toEqual({ kind: 'paused' });
    expect(await money.statusOf(no)).toBe('awaiting_payment');
    await world.sql.query(
      `UPDATE interventions SET status = 'resolved', resolution = $2, resolved_at = now()
       WHERE out_trade_no = $1`,
      [no, action],
    );
    expect(await turn(no, nowMs + MINUTE_MS)).toMatchObject({ kind: 'query' });
    expect(await turn(no, nowMs + 2 * HOUR_MS)).toEqual({ kind: 'expired' });
    expect(await close(no, nowMs + 2 * HOUR_MS)).toMatchObject({ kind: 'query_wechat' });
  },
);

test('no other reason pauses queries, expiry and close', async () => {
  const others = INTERVENTION_REASONS.filter((reason) => !PAUSING_REASONS.includes(reason));
  const no = await payable();
  await world.sql.query(
    `INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence)
     SELECT gen_random_uuid(), $1, $1, reason, 'run', '{}' FROM unnest($2::text[]) AS reason`,
    [no, others],
  );
  const nowMs = Date.now();
  expect(await turn(no, nowMs + MINUTE_MS)).toMatchObject({ kind: 'query' });
  expect(await turn(no, nowMs + 2 * HOUR_MS)).toEqual({ kind: 'expired' });
  expect(await close(no, nowMs + 2 * HOUR_MS)).toMatchObject({ kind: 'query_wechat' });
});

/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Refunds that two persons have to agree on, and the sums of what one person refunds alone.
import type { IdempotencyGuard } from '../../../database/core/claim-idempotency-key';
import type { RefundRequest, RefundRequestResult } from '../../../database/refunds/request-refund';
import { fen } from '../../../domain/money';
import { openDatabase } from '../support/built';
import { someOrder } from '../support/patrol';
import { secrets } from '../support/secrets';
import { startTestSharing, type TestSharing } from '../support/sharing';

const HOUR_MS = 3_600_000;

let world: TestSharing;
let other: ReturnType<typeof openDatabase>;
beforeAll(async () => {
  world = await startTestSharing();
  other = openDatabase({ url: world.url, ...secrets, webhooks: false });
  await limits({ two_person_fen: 100, two_person_day_fen: 250 });
});
afterAll(async () => {
  await other.end();
  await world.end();
});
beforeEach(() => world.sql.query('TRUNCATE movements, proposals'));

async function limits(values: Readonly<Record<string, number>>): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    await world.sql.query(
      `INSERT INTO runtime_settings (name, value, updated_by) VALUES ($1, to_jsonb($2::int), 'test')
       ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
      [name, value],
    );
  }
}

const paid = () => someOrder(world.sql, { status: 'fulfilled' });

let keys = 0;
function guardOf(name: string, key: string, body: string): IdempotencyGuard {
  return { client: name, route: 'POST refunds', key, body };
}

interface By {
  readonly name: string;
  readonly role?: string;
  readonly key?: string;
  readonly approves?: string;
  readonly operator?: string;
  readonly nowMs?: number;
  readonly database?: Pick<TestSharing['database'], 'refundRequests'>;
}

/** Requests a refund of an order by a key. */
function refund(
  no: string,
  amountFen: number,
  by: By,
  more: Partial<RefundRequest> = {},
): Promise<RefundRequestResult> {
  keys += 1;
  const { name, role = 'operator', key = `k-${keys}`, approves = null, nowMs = Date.now() } = by;
  const options = { reason: null, restock: false, revokeCodes: false, outRefundNo: null, ...more };
  const request = { outTradeNo: no, amountFen: fen(amountFen), ...options };
  const body = { amount: amountFen, ...more };
  return (by.database ?? world.database).refundRequests.request(
    request,
    {
      actor: { name, role, operator: by.operator ?? null },
      guard: approves === null ? guardOf(name, key, JSON.stringify({ no, ...body })) : null,
      approves,
      body,
    },
    nowMs,
  );
}

const proposalOf = (result: RefundRequestResult) => {
  if (result.kind !== 'proposed') throw new Error(`not proposed: ${JSON.stringify(result)}`);
  return result.proposal;
};
const numberOf = (result: RefundRequestResult) => {
  if (!('refund' in result)) throw new Error(`no refund: ${JSON.stringify(result)}`);
  return result.refund.outRefundNo;
};

async function refundsOf(no: string): Promise<number[]> {
  const { rows } = await world.sql.query<{ fen: number }>(
    'SELECT amount_fen AS fen FROM refunds WHERE out_trade_no = $1 ORDER BY created_at',
    [no],
  );
  return rows.map(({ fen: amount }) => amount);
}

async function heldOf(no: string): Promise<number> {
  return (await world.money(no)).held;
}

test('a refund up to the limit takes one person; above it nothing is held or sent', async () => {
  const no = await paid();
  expect(await refund(no, 100, { name: 'one' })).toMatchObject({ kind: 'reserved' });
  const proposal = proposalOf(await refund(no, 101, { name: 'one' }));
  expect(proposal).toMatchObject({ action: 'refund', subject: no, amountFen: 101 });
  expect(await refundsOf(no)).toEqual([100]);
  expect(await heldOf(no)).toBe(100);
});

test('the same request by another person carries it out once, for both keys', async () => {
  const no = await paid();
  const first = { name: 'one', key: 'a' };
  const second = { name: 'two', key: 'b' };
  const { id } = proposalOf(await refund(no, 200, first));
  expect(proposalOf(await refund(no, 200, first)).id).toBe(id);
  const done = await refund(no, 200, second);
  expect(done.kind).toBe('reserved');
  for (const by of [first, second, first, second]) {
    const again = await refund(no, 200, by);
    expect([again.kind, numberOf(again)]).toEqual(['repeat', numberOf(done)]);
  }
  expect(await refundsOf(no)).toEqual([200]);
  // Another body under one of these keys is no repeat.
  expect(await refund(no, 90, first)).toEqual({ kind: 'key_reused' });
  expect(await refund(no, 90, second)).toEqual({ kind: 'key_reused' });
  // The keys may be forgotten: their numbers stay.
  await world.sql.query('DELETE FROM idempotency_keys');
  expect(numberOf(await refund(no, 200, second))).toBe(numberOf(done));
  await world.sql.query('DELETE FROM idempotency_keys');
  expect(await refund(no, 90, second)).toEqual({ kind: 'number_used' });
  expect(await refundsOf(no)).toEqual([200]);
});

test('an approval by id is the second person’s; the first person’s is refused', async () => {
  const no = await paid();
  const { id } = proposalOf(await refund(no, 200, { name: 'one', key: 'c' }));
  for (const name of ['one', 'ONE', 'One']) {
    expect(await refund(no, 200, { name, approves: id })).toEqual({
      kind: 'refused',
      code: 'SAME_PERSON',
    });
  }
  const done = await refund(no, 200, { name: 'two', approves: id });
  expect(done.kind).toBe('reserved');
  expect(await refund(no, 200, { name: 'three', approves: id })).toEqual({
    kind: 'refused',
    code: 'PROPOSAL_ENDED',
  });
  expect(numberOf(await refund(no, 200, { name: 'one', key: 'c' }))).toBe(numberOf(done));
  expect(await refundsOf(no)).toEqual([200]);
});

test('two keys of one operator are one person', async () => {
  const no = await paid();
  await refund(no, 200, { name: 'one', operator: 'Zhang' });
  expect((await refund(no, 200, { name: 'two', operator: 'zhang' })).kind).toBe('proposed');
  expect((await refund(no, 200, { name: 'three', operator: 'wei' })).kind).toBe('reserved');
});

test('other content for the same order replaces the proposal, which then ends', async () => {
  const no = await paid();
  const first = proposalOf(await refund(no, 200, { name: 'one' }));
  const second = proposalOf(await refund(no, 201, { name: 'two' }));
  expect(second.id).not.toBe(first.id);
  expect(await refund(no, 200, { name: 'three', approves: first.id })).toMatchObject({
    code: 'PROPOSAL_ENDED',
  });
  const third = proposalOf(await refund(no, 201, { name: 'one' }, { restock: true }));
  expect(third.id).not.toBe(second.id);
  expect(await refundsOf(no)).toEqual([]);
  const { rows } = await world.sql.query(
    `SELECT action, actor FROM audit_log
     WHERE subject = $1 AND action LIKE 'proposal.%' ORDER BY id`,
    [no],
  );
  expect(rows).toEqual([
    { action: 'proposal.made', actor: 'one' },
    { action: 'proposal.replaced', actor: 'two' },
    { action: 'proposal.made', actor: 'two' },
    { action: 'proposal.replaced', actor: 'one' },
    { action: 'proposal.made', actor: 'one' },
  ]);
});

test('a proposal that nobody approved within 24 hours has expired', async () => {
  const no = await paid();
  const nowMs = Date.now();
  const { id } = proposalOf(await refund(no, 200, { name: 'one', nowMs }));
  const later = nowMs + 24 * HOUR_MS;
  const [seen] = await world.database.proposals.list(
    { status: 'expired', after: null, limit: 10 },
    later,
  );
  expect(seen).toMatchObject({ id, status: 'expired' });
  expect(await refund(no, 200, { name: 'two', approves: id, nowMs: later })).toMatchObject({
    code: 'PROPOSAL_ENDED',
  });
  await world.database.proposals.expire(later);
  const { rows } = await world.sql.query(`SELECT status FROM proposals WHERE id = $1`, [id]);
  expect(rows).toEqual([{ status: 'expired' }]);
  expect((await refund(no, 200, { name: 'two', nowMs: later })).kind).toBe('proposed');
});

test('what fits no more is refused when it is approved, and what is left is said', async () => {
  const no = await paid();
  const { id } = proposalOf(await refund(no, 250, { name: 'one' }));
  await refund(no, 100, { name: 'shop', role: 'merchant' });
  expect(await refund(no, 250, { name: 'two', approves: id })).toEqual({
    kind: 'exceeds',
    leftFen: 200,
  });
  expect(await refundsOf(no)).toEqual([100]);
});

test('many small refunds of one person are stopped at the sum of a day', async () => {
  const third = await paid();
  const numbers = [await paid(), await paid(), third, await paid()];
  const kinds = [];
  for (const no of numbers) kinds.push((await refund(no, 90, { name: 'one' })).kind);
  expect(kinds).toEqual(['reserved', 'reserved', 'proposed', 'proposed']);
  // Two persons: it counts in nobody's sum.
  expect((await refund(third, 90, { name: 'two' })).kind).toBe('reserved');
  const { rows } = await world.sql.query(
    'SELECT mover, sum(amount_fen)::int AS fen FROM movements GROUP BY 1',
  );
  expect(rows).toEqual([{ mover: 'one', fen: 180 }]);
  const tomorrow = Date.now() + 25 * HOUR_MS;
  const last = await paid();
  expect((await refund(last, 90, { name: 'one', nowMs: tomorrow })).kind).toBe('reserved');
});

test('requests of one person at the same moment, in two processes, pass the sum once', async () => {
  const numbers = await Promise.all(Array.from({ length: 8 }, paid));
  const results = await Promise.all(
    numbers.map((no, index) =>
      refund(no, 90, { name: 'one', database: index % 2 === 0 ? world.database : other }),
    ),
  );
  const kinds = results.map(({ kind }) => kind).sort();
  expect(kinds).toEqual([...Array<string>(6).fill('proposed'), 'reserved', 'reserved']);
});

test('approvals at the same moment, in two processes, move the money once', async () => {
  const no = await paid();
  const { id } = proposalOf(await refund(no, 150, { name: 'one' }));
  const results = await Promise.all(
    ['two', 'three', 'four', 'five'].map((name, index) =>
      refund(no, 150, {
        name,
        approves: id,
        database: index % 2 === 0 ? world.database : other,
      }),
    ),
  );
  expect(results.map(({ kind }) => kind).sort()).toEqual([
    'refused',
    'refused',
    'refused',
    'reserved',
  ]);
  expect(await refundsOf(no)).toEqual([150]);
});

test('a crash while it is approved leaves the proposal open and moves nothing', async () => {
  const no = await paid();
  const { id } = proposalOf(await refund(no, 200, { name: 'one' }));
  await world.sql.query(
    `CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$
     BEGIN RAISE EXCEPTION 'crash'; END $$`,
  );
  await world.sql.query(
    `CREATE TRIGGER crash BEFORE INSERT ON audit_log FOR EACH ROW
     WHEN (NEW.action = 'refund.request') EXECUTE FUNCTION crash()`,
  );
  try {
    await expect(refund(no, 200, { name: 'two', approves: id })).rejects.toMatchObject({
      message: expect.stringContaining('crash') as string,
    });
  } finally {
    await world.sql.query('DROP FUNCTION crash CASCADE');
  }
  expect([await refundsOf(no), await heldOf(no)]).toEqual([[], 0]);
  expect((await refund(no, 200, { name: 'two', approves: id })).kind).toBe('reserved');
});

test('a machine refunds what it likes until its bounds are set, and approves nothing', async () => {
  const no = await paid();
  await refund(no, 150, { name: 'one' });
  const shop = { name: 'shop', role: 'merchant' };
  expect((await refund(no, 150, shop)).kind).toBe('reserved');
  expect(await refundsOf(no)).toEqual([150]);
  const open = await world.database.proposals.list(
    { status: 'open', after: null, limit: 10 },
    Date.now(),
  );
  expect(open).toHaveLength(1);
  await limits({ merchant_refund_max_fen: 120, merchant_refund_day_fen: 300 });
  const [a, b] = [await paid(), await paid()];
  expect(await refund(a, 121, shop)).toEqual({ kind: 'over_bound', leftFen: 120 });
  expect((await refund(a, 100, shop)).kind).toBe('reserved');
  expect(await refund(b, 51, shop)).toEqual({ kind: 'over_bound', leftFen: 50 });
  expect((await refund(b, 51, { name: 'shop-2', role: 'merchant' })).kind).toBe('reserved');
  expect([await heldOf(a), await heldOf(b)]).toEqual([100, 51]);
  await limits({ merchant_refund_max_fen: 0, merchant_refund_day_fen: 0 });
});

test('a person withdraws a proposal of its own, and an admin any', async () => {
  const { proposals } = world.database;
  const withdraw = (id: string, name: string, role = 'operator') =>
    proposals.withdraw(id, { name, role }, Date.now());
  const { id } = proposalOf(await refund(await paid(), 200, { name: 'one' }));
  expect(await withdraw(id, 'two')).toEqual({ kind: 'not_yours' });
  expect(await withdraw(id, 'ONE')).toEqual({ kind: 'withdrawn' });
  expect(await withdraw(id, 'one')).toEqual({ kind: 'refused', code: 'PROPOSAL_ENDED' });
  const next = proposalOf(await refund(await paid(), 200, { name: 'one' }));
  expect(await withdraw(next.id, 'boss', 'admin')).toEqual({ kind: 'withdrawn' });
});

test('each new proposal is announced once, by one of two processes', async () => {
  const made = await Promise.all(
    ['one', 'two', 'three'].map(async (name) =>
      proposalOf(await refund(await paid(), 200, { name })),
    ),
  );
  const seen: string[] = [];
  const send = (batch: readonly { id: string }[]) => {
    seen.push(...batch.map(({ id }) => id));
    return Promise.resolve();
  };
  await world.database.proposals
    .announce(1, () => Promise.reject(new Error('nobody there')), Date.now)
    .catch(() => undefined);
  await Promise.all([
    world.database.proposals.announce(10, send, Date.now),
    other.proposals.announce(10, send, Date.now),
  ]);
  await world.database.proposals.announce(10, send, Date.now);
  expect(seen.sort()).toEqual(made.map(({ id }) => id).sort());
});

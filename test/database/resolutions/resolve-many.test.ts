/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import { Pool } from 'pg';
import type { Database } from '../../../database/database';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { openDatabase } from '../support/built';
import { secrets } from '../support/secrets';

const SINCE_MS = Date.parse('2026-01-01T12:00:00Z');
const ACTOR = { name: 'ops', role: 'operator' };

let stored: TestDatabase;
let sql: Pool;
let database: Database;
beforeAll(async () => {
  stored = await createTestDatabase();
  sql = new Pool({ connectionString: stored.url, max: 2 });
  database = openDatabase({ url: stored.url, ...secrets, webhooks: false });
});
afterAll(async () => {
  await Promise.all([database.end(), sql.end()]);
  await stored.drop();
});
beforeEach(() => sql.query('TRUNCATE interventions, intervention_resolutions, audit_log CASCADE'));

/** Opens questions about numbers that begin with `start`. */
const ask = (start: string, count: number, sinceMs = SINCE_MS, reason = 'invariant') =>
  sql.query(
    `INSERT INTO interventions (id, out_trade_no, reason, subject, evidence, since)
     SELECT gen_random_uuid(), $1 || n, $3, 'rows', '{}', $4 FROM generate_series(1, $2::int) AS n`,
    [start, count, reason, new Date(sinceMs)],
  );

const resolveMany = (more: { since?: Date; dryRun?: boolean } = {}) =>
  database.resolutions.submitMany({
    reason: 'invariant',
    since: null,
    action: 'dismiss',
    note: 'known',
    dryRun: false,
    actor: ACTOR,
    nowMs: SINCE_MS + 60_000,
    ...more,
  });

async function answered(): Promise<string[]> {
  const { rows } = await sql.query<{ no: string }>(
    `SELECT out_trade_no AS no FROM intervention_resolutions WHERE status = 'approved' ORDER BY 1`,
  );
  return rows.map(({ no }) => no);
}

test('only interventions since that time and of that reason are counted and resolved', async () => {
  await ask('before-', 2, SINCE_MS - 1);
  await ask('since-', 3);
  await ask('other-', 1, SINCE_MS, 'stuck');
  const since = new Date(SINCE_MS);
  expect(await resolveMany({ since, dryRun: true })).toEqual({
    count: 3,
    resolved: 0,
    pending: 0,
  });
  expect(await answered()).toEqual([]);
  expect(await resolveMany({ since })).toEqual({ count: 3, resolved: 3, pending: 0 });
  expect(await answered()).toEqual(['since-1', 'since-2', 'since-3']);
  expect(await resolveMany()).toEqual({ count: 5, resolved: 2, pending: 3 });
});

test('a resolution under way is left as it is, and the same call again resolves none', async () => {
  await ask('no-', 3);
  await sql.query(
    `INSERT INTO intervention_resolutions (id, intervention_id, out_trade_no, action, params_hash,
       note,
       status, proposed_by, proposed_at)
     SELECT gen_random_uuid(), id, out_trade_no, 'retry', 'h', 'mine', 'proposed', 'else', now()
     FROM interventions WHERE out_trade_no = 'no-2'`,
  );
  expect(await resolveMany()).toEqual({ count: 3, resolved: 2, pending: 1 });
  expect(await answered()).toEqual(['no-1', 'no-3']);
  const { rows } = await sql.query(
    `SELECT action, note, status, proposed_by FROM intervention_resolutions
     WHERE out_trade_no = 'no-2'`,
  );
  expect(rows).toEqual([
    { action: 'retry', note: 'mine', status: 'proposed', proposed_by: 'else' },
  ]);
  // They stay open until their runs have carried it out.
  expect(await resolveMany()).toEqual({ count: 3, resolved: 0, pending: 3 });
  expect(await answered()).toHaveLength(2);
});

test('one call resolves a thousand, each with a row of its own in the audit log', async () => {
  await ask('no-', 1_001);
  expect(await resolveMany()).toEqual({ count: 1_001, resolved: 1_000, pending: 0 });
  const audited = () =>
    sql.query<{ rows: number; numbers: number; resolutions: number }>(
      `SELECT count(*)::int AS rows, count(DISTINCT subject)::int AS numbers,
         count(DISTINCT details->>'resolution_id')::int AS resolutions FROM audit_log
       WHERE action = 'intervention.approved' AND actor = 'ops' AND details->>'note' = 'known'`,
    );
  const all = (count: number) => ({ rows: count, numbers: count, resolutions: count });
  expect((await audited()).rows).toEqual([all(1_000)]);
  expect(await resolveMany()).toEqual({ count: 1_001, resolved: 1, pending: 1_000 });
  expect((await audited()).rows).toEqual([all(1_001)]);
});

test('an intervention that another step holds meanwhile is resolved like the others', async () => {
  await ask('held-', 3);
  const announcer = await sql.connect();
  try {
    await announcer.query('BEGIN');
    await announcer.query(`UPDATE interventions SET alerted_at = now()
      WHERE out_trade_no = 'held-2'`);
    expect(await resolveMany()).toEqual({ count: 3, resolved: 3, pending: 0 });
  } finally {
    await announcer.query('ROLLBACK');
    announcer.release();
  }
});

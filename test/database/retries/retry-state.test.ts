/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import { Pool } from 'pg';
import type { Database } from '../../../database/database';
import { resetBudgets } from '../../../database/retries/spend-retry-budgets';
import { latePaymentPolicy } from '../../../database/settings/runtime-settings';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { openDatabase, PrismaClient, PrismaPg } from '../support/built';
import { secrets } from '../support/secrets';

const ACTOR = { name: 'ops', role: 'admin' };
const NOW_MS = Date.parse('2026-01-01T12:00:00+08:00');
const SERIES_MS = 600_000;

let stored: TestDatabase;
let sql: Pool;
let database: Database;
let prisma: InstanceType<typeof PrismaClient>;
beforeAll(async () => {
  stored = await createTestDatabase();
  sql = new Pool({ connectionString: stored.url, max: 2 });
  database = openDatabase({ url: stored.url, ...secrets, webhooks: false });
  prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: stored.url }) });
});
afterAll(async () => {
  await Promise.all([prisma.$disconnect(), database.end()]);
  await sql.end();
  await stored.drop();
});

test('what happens to a late payment is read in the transaction that decides it', async () => {
  const read = () => prisma.$transaction((tx) => latePaymentPolicy(tx));
  expect(await read()).toBe('refund');
  await database.settings.put('late_payment', {
    value: 'ask',
    expectedVersion: null,
    actor: ACTOR,
  });
  expect(await read()).toBe('ask');
  await database.settings.put('late_payment', { value: null, expectedVersion: null, actor: ACTOR });
  expect(await read()).toBe('refund');
  expect(await database.settings.read()).toEqual({});
});

test('settings are read as they were written', async () => {
  await database.settings.put('query_schedule', {
    value: [30_000, 60_000],
    expectedVersion: null,
    actor: ACTOR,
  });
  await database.settings.put('refund_spacing', { value: 0, expectedVersion: null, actor: ACTOR });
  expect(await database.settings.read()).toEqual({
    query_schedule: [30_000, 60_000],
    refund_spacing: 0,
  });
  const stale = await database.settings.put('patrol_interval', {
    value: 1_000,
    expectedVersion: 7,
    actor: ACTOR,
  });
  expect(stale).toEqual({ kind: 'version_conflict', version: 0 });
  const names = (await database.settings.list()).map(({ name }) => name);
  expect(names).not.toContain('patrol_interval');
});

describe('the budget of a number', () => {
  const key = { number: 'no-1', operation: 'wechat.refund', subject: 'r-1' } as const;
  const failure = { code: 'NOT_ENOUGH', seriesEndsAfterMs: SERIES_MS } as const;
  const spend = (nowMs: number, change: Partial<Record<'number' | 'subject', string>> = {}) =>
    database.budgets.spend({ ...key, ...change }, failure, nowMs);

  test('counts each failure once, also those of many workers at one moment', async () => {
    const counts = await Promise.all(Array.from({ length: 20 }, () => spend(NOW_MS)));
    expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(await spend(NOW_MS, { subject: 'r-2' })).toBe(1);
    expect(await spend(NOW_MS, { number: 'no-2' })).toBe(1);
  });

  test('goes on within a series and begins anew after it', async () => {
    expect(await spend(NOW_MS + SERIES_MS)).toBe(21);
    expect(await spend(NOW_MS + 2 * SERIES_MS + 1)).toBe(1);
  });

  test('is given back when a person says retry, that of others is not', async () => {
    await prisma.$transaction((tx) => resetBudgets(tx, 'no-1'));
    expect(await spend(NOW_MS)).toBe(1);
    expect(await spend(NOW_MS, { number: 'no-2' })).toBe(2);
  });
});

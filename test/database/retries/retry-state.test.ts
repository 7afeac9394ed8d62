/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests the runtime settings and the retry budgets.
import { putAlone, putSetting } from '../support/two-persons';
import { Pool } from 'pg';
import type { Database } from '../../../database/database';
import { resetBudgets } from '../../../database/retries/spend-retry-budgets';
import { latePaymentPolicy } from '../../../database/settings/runtime-settings';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { inUtc, openDatabase, PrismaClient, PrismaPg } from '../support/built';
import { secrets } from '../support/secrets';

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
  prisma = new PrismaClient({ adapter: new PrismaPg(inUtc(stored.url)) });
});
afterAll(async () => {
  await Promise.all([prisma.$disconnect(), database.end()]);
  await sql.end();
  await stored.drop();
});

test('the policy for late payments changes: the next transaction reads the new one', async () => {
  const read = () => prisma.$transaction((tx) => latePaymentPolicy(tx));
  expect(await read()).toBe('refund');
  await putSetting(database, 'late_payment', 'ask');
  expect(await read()).toBe('ask');
  await putSetting(database, 'late_payment', null);
  expect(await read()).toBe('refund');
  expect(await database.settings.read()).toEqual({});
});

test('settings are read with the values that were written', async () => {
  await putSetting(database, 'query_schedule', [30_000, 60_000]);
  await putSetting(database, 'refund_spacing', 0);
  expect(await database.settings.read()).toEqual({
    query_schedule: [30_000, 60_000],
    refund_spacing: 0,
  });
  const stale = await putAlone(database, 'patrol_interval', { value: 1_000, expectedVersion: 7 });
  expect(stale).toEqual({ kind: 'version_conflict', version: 0 });
  const names = (await database.settings.list()).map(({ name }) => name);
  expect(names).not.toContain('patrol_interval');
});

describe('the budget of a number', () => {
  const key = { number: 'no-1', operation: 'wechat.refund', subject: 'r-1' } as const;
  const failure = { code: 'NOT_ENOUGH', seriesEndsAfterMs: SERIES_MS } as const;
  const spend = (nowMs: number, change: Partial<Record<'number' | 'subject', string>> = {}) =>
    database.budgets.spend({ ...key, ...change }, failure, nowMs);

  test('many workers count failures of one number at once: each counts once', async () => {
    const counts = await Promise.all(Array.from({ length: 20 }, () => spend(NOW_MS)));
    expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    expect(await spend(NOW_MS, { subject: 'r-2' })).toBe(1);
    expect(await spend(NOW_MS, { number: 'no-2' })).toBe(1);
  });

  test('a failure within the series adds up, and one after the series starts at 1', async () => {
    expect(await spend(NOW_MS + SERIES_MS)).toBe(21);
    expect(await spend(NOW_MS + 2 * SERIES_MS + 1)).toBe(1);
  });

  test('a reset clears the budget of one number, and not that of others', async () => {
    await prisma.$transaction((tx) => resetBudgets(tx, 'no-1'));
    expect(await spend(NOW_MS)).toBe(1);
    expect(await spend(NOW_MS, { number: 'no-2' })).toBe(2);
  });
});

/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// The patrol knows the days that should have been reconciled, and opens one intervention for each.
import { addDays, billDateAt } from '../../../domain/reconciliation/bill-days';
import { someOrder, startTestPatrol, type TestPatrol } from '../support/patrol';

let patrol: TestPatrol;
beforeAll(async () => {
  patrol = await startTestPatrol();
});
beforeEach(async () => {
  await patrol.clear();
  await patrol.sql.query('TRUNCATE reconciliations CASCADE');
  const no = await someOrder(patrol.sql);
  await patrol.sql.query(
    `UPDATE orders SET created_at = now() - interval '4 days' WHERE out_trade_no = $1`,
    [no],
  );
});
afterAll(() => patrol.end());

/** Three days ago the bill of this day was ready, whatever time it is. */
const DAY = addDays(billDateAt(Date.now()), -4);
const find = () => patrol.find('reconciliation_missing', 'patrolOverdue');
const subjects = async () => {
  const { rows } = await patrol.sql.query<{ subject: string }>(
    `SELECT subject FROM interventions WHERE status = 'open' AND out_trade_no IS NULL
     ORDER BY subject`,
  );
  return rows.map(({ subject }) => subject);
};
const add = (status: string, dueAt: string) =>
  patrol.sql.query(
    `INSERT INTO reconciliations (bill_date, status, due_at, created_at, finished_at)
     VALUES ($1, $2, ${dueAt}, now(), CASE WHEN ${dueAt} IS NULL THEN now() END)`,
    [DAY, status],
  );

test('each day from the first order on that was not reconciled has one intervention', async () => {
  const first = await find();
  expect(first?.sample).toContain(DAY);
  expect(first?.opened).toBe(first?.found);
  expect(await subjects()).toContain(`bill:${DAY}`);
  expect(await subjects()).not.toContain(`bill:${addDays(DAY, -1)}`);
  expect(await find()).toMatchObject({ found: first?.found, opened: 0 });
});

test.each([
  ['done', 'NULL', false],
  ['failed', 'NULL', true],
  ['waiting', `now() - interval '2 hours'`, true],
  ['waiting', `now() - interval '5 minutes'`, false],
])('a day that is %s, due at %s, is missing: %p', async (status, dueAt, expected) => {
  await add(status, dueAt);
  expect((await find())?.sample.includes(DAY)).toBe(expected);
});

test('a day that a person dismissed is not opened again', async () => {
  await find();
  await patrol.sql.query(
    `UPDATE interventions SET status = 'resolved', resolution = 'dismiss', resolved_at = now()`,
  );
  expect(await find()).toMatchObject({ opened: 0 });
  expect(await subjects()).toEqual([]);
});

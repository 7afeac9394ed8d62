/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import { until } from '../support/until';
import { createTestMoney, type TestMoney } from './support/money';
import { startTestSharing, type TestSharing } from './support/sharing';

let world: TestSharing;
let money: TestMoney;
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
});
afterAll(() => world.end());

const untilWaiting = (count: number) =>
  until(`${count} wait for a lock`, async () => {
    const { rows } = await world.sql.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows[0]?.waiting === count ? true : null;
  });

test('a resolution and a report about a foreign number wait for each other', async () => {
  const no = 'NOT-OURS-1';
  await money.pays(no);
  expect(await money.resolves(no, 'unknown_order', 'refund')).toBe('done');
  const [refund] = await money.refundsOf(no);
  const refundNo = refund?.out_refund_no ?? '';
  const failed = { operation: 'wechat.refund', number: refundNo, subject: refundNo } as const;
  const given = { ...failed, code: 'WECHAT_REFUSED', attempts: 1, evidence: {} } as const;
  await world.database.escalations.escalate(given, Date.now());

  // A reader locks the intervention first: both stand behind it, the resolution before the report.
  const reader = await world.sql.connect();
  await reader.query('BEGIN');
  await reader.query('SELECT 1 FROM interventions WHERE out_trade_no = $1 FOR NO KEY UPDATE', [no]);
  const answered = money.resolves(no, 'refund_failed', 'dismiss');
  await untilWaiting(1);
  const word = { event: 'succeeded', refundId: '9', nextQueryAt: null, evidence: {} } as const;
  const heard = world.database.refunds.recordReport(refundNo, word, null, Date.now());
  await untilWaiting(2);
  await reader.query('ROLLBACK');
  reader.release();
  // The answer is kept; before its turn comes, WeChat has said that there is nothing to give up.
  expect([await answered, await heard]).toEqual(['MOOT', 'succeeded']);
  expect(await money.openReasons(no)).toEqual([]);
});

/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests which rows the patrol purges.
import { someOrder, startTestPatrol, type TestPatrol } from '../support/patrol';

let patrol: TestPatrol;
beforeAll(async () => {
  patrol = await startTestPatrol();
});
afterAll(() => patrol.end());

const rowsOf = async (text: string) => (await patrol.sql.query<Record<string, unknown>>(text)).rows;
const purged = async () =>
  Object.fromEntries(
    (await patrol.activities.patrolPurge()).map(({ kind, healed }) => [kind, healed]),
  );

test('old rows are purged; younger ones, money, orders and the audit log stay', async () => {
  const no = await someOrder(patrol.sql);
  const EVER = `now() - interval '10 years'`;
  await patrol.sql.query(`UPDATE orders SET created_at = ${EVER}`);
  await patrol.sql.query(
    `INSERT INTO audit_log (actor, role, action, subject, at)
     VALUES ('a', 'admin', 'x', '${no}', ${EVER})`,
  );
  await patrol.sql.query(
    `INSERT INTO notification_inbox (id, merchant_id, notification_id, kind, out_trade_no,
       content_hash, resource_encrypted, received_at, next_attempt_at, verdict)
     VALUES (gen_random_uuid(), 'm', 'old', 'payment', '${no}', 'h', 'secret',
         now() - interval '91 days', now(), 'applied'),
       (gen_random_uuid(), 'm', 'open', 'payment', '${no}', 'h', 'secret',
         now() - interval '91 days', now(), NULL),
       (gen_random_uuid(), 'm', 'new', 'payment', '${no}', 'h', 'secret',
         now() - interval '89 days', now(), 'applied')`,
  );
  await patrol.sql.query(
    `INSERT INTO idempotency_keys (api_key_name, route, key, body_hash, created_at)
     SELECT 'a', 'r', days::text, 'h', now() - days * interval '1 day'
      FROM unnest(ARRAY[29, 31]) days`,
  );
  await patrol.sql.query(
    `INSERT INTO order_fingerprints (fingerprint, expires_at)
     VALUES ('over', now() - interval '1 second'), ('not', now() + interval '1 minute')`,
  );
  await patrol.sql.query(
    `INSERT INTO callback_deliveries (received_at, outcome, http_status, duration_ms)
     SELECT now() - days * interval '1 day', days::text, 204, 1 FROM unnest(ARRAY[29, 31]) days`,
  );
  await patrol.sql.query(
    `INSERT INTO retry_budgets (number, operation, subject, attempts, last_code, updated_at)
     SELECT days::text, 'o', 's', 1, 'c', now() - days * interval '1 day'
      FROM unnest(ARRAY[29, 31]) days`,
  );
  await patrol.sql.query(
    `INSERT INTO reconciliation_lines (bill_date, line, kind, is_foreign)
     SELECT to_char(now() - days * interval '1 day', 'YYYY-MM-DD'), 1, 'payment', false
      FROM unnest(ARRAY[89, 92]) days`,
  );
  await patrol.sql.query(
    `INSERT INTO retry_failures (at, operation, code, failures)
     SELECT now() - days * interval '1 day', 'o', 'c', 1 FROM unnest(ARRAY[399, 401]) days`,
  );
  await patrol.sql.query(
    `INSERT INTO statistics SELECT now() - days * interval '1 day', now(), true, 0, 0, 0, 0, 0, 0,
       0, 0, 0, 0, 0, '{}', 0, '{}', '{}', 0, 0 FROM unnest(ARRAY[399, 401]) days`,
  );
  await patrol.sql.query(
    `INSERT INTO patrol_runs (id, started_at, finished_at, findings)
     SELECT gen_random_uuid(), now() - days * interval '1 day', now(), '{}'
      FROM unnest(ARRAY[95, 92, 91]) days`,
  );
  expect(await purged()).toEqual({
    callback_body_purged: 1,
    idempotency_key_purged: 1,
    fingerprint_purged: 1,
    delivery_log_purged: 1,
    retry_budget_purged: 1,
    // The last report says where the patrol stopped, however old it is.
    patrol_report_purged: 2,
    bill_line_purged: 1,
    statistics_purged: 1,
  });
  expect(
    await rowsOf(
      `SELECT notification_id, verdict, resource_encrypted FROM notification_inbox ORDER BY 1`,
    ),
  ).toEqual([
    { notification_id: 'new', verdict: 'applied', resource_encrypted: 'secret' },
    { notification_id: 'old', verdict: 'applied', resource_encrypted: null },
    { notification_id: 'open', verdict: null, resource_encrypted: 'secret' },
  ]);
  const left = `SELECT (SELECT array_agg(key) FROM idempotency_keys) AS keys,
    (SELECT array_agg(fingerprint) FROM order_fingerprints) AS fingerprints,
    (SELECT array_agg(outcome) FROM callback_deliveries) AS deliveries,
    (SELECT array_agg(number) FROM retry_budgets) AS budgets,
    (SELECT count(*)::int FROM patrol_runs) AS reports,
    (SELECT count(*)::int FROM orders) AS orders, (SELECT count(*)::int FROM audit_log) AS audit,
    (SELECT count(*)::int FROM payment_transactions) AS transactions,
    (SELECT count(*)::int FROM order_effects) AS effects,
    (SELECT count(*)::int FROM order_status_history) AS history`;
  expect(await rowsOf(left)).toEqual([
    {
      keys: ['29'],
      fingerprints: ['not'],
      deliveries: ['29'],
      budgets: ['29'],
      reports: 1,
      orders: 1,
      audit: 1,
      transactions: 1,
      effects: 2,
      history: 1,
    },
  ]);
  expect(await purged()).toEqual({});
});

test('operators set a shorter and a longer time: the next patrol follows both', async () => {
  await patrol.sql.query('TRUNCATE notification_inbox, idempotency_keys, callback_deliveries');
  const each = (columns: string, values: string, ages: string) =>
    patrol.sql.query(
      `INSERT INTO ${columns} SELECT ${values}, now() - days * interval '1 day'
       FROM unnest(ARRAY[${ages}]) days`,
    );
  await each(
    `notification_inbox (id, merchant_id, notification_id, kind, content_hash, resource_encrypted,
       next_attempt_at, verdict, received_at)`,
    `gen_random_uuid(), 'm', days::text, 'payment', 'h', 'secret', now(), 'applied'`,
    '1, 3, 91',
  );
  await each(
    'idempotency_keys (api_key_name, route, key, body_hash, created_at)',
    `'a', 'r', days::text, 'h'`,
    '31, 61',
  );
  await each(
    'callback_deliveries (outcome, http_status, duration_ms, received_at)',
    `days::text, 204, 1`,
    '1, 3, 29',
  );
  const set = async (days: Readonly<Record<string, number>>) => {
    for (const [name, kept] of Object.entries(days)) {
      await patrol.sql.query(
        `INSERT INTO runtime_settings (name, value, updated_by) VALUES ($1, $2, 'test')
         ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
        [name, String(kept * 24 * 3_600_000)],
      );
    }
  };
  await set({ keep_callback_bodies: 100, keep_idempotency_keys: 60, keep_delivery_logs: 30 });
  expect(await purged()).toEqual({ idempotency_key_purged: 1 });
  await set({ keep_callback_bodies: 2, keep_delivery_logs: 2 });
  expect(await purged()).toEqual({ callback_body_purged: 2, delivery_log_purged: 2 });
  expect(await purged()).toEqual({});
  const left = `SELECT (SELECT array_agg(notification_id) FROM notification_inbox
      WHERE resource_encrypted IS NOT NULL) AS bodies,
    (SELECT array_agg(key) FROM idempotency_keys) AS keys,
    (SELECT array_agg(outcome) FROM callback_deliveries) AS deliveries`;
  expect(await rowsOf(left)).toEqual([{ bodies: ['1'], keys: ['31'], deliveries: ['1'] }]);
  // The override is removed, so the default counts again.
  await patrol.sql.query('DELETE FROM runtime_settings');
  expect(await purged()).toEqual({ idempotency_key_purged: 1 });
});

test('more rows are due than one patrol may purge: it purges a bounded number', async () => {
  await patrol.sql.query(
    `INSERT INTO callback_deliveries (received_at, outcome, http_status, duration_ms)
     SELECT now() - interval '40 days', 'added', 204, 1 FROM generate_series(1, 10100)`,
  );
  expect(await purged()).toEqual({ delivery_log_purged: 10_000 });
  expect(await purged()).toEqual({ delivery_log_purged: 100 });
});

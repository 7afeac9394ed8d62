/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import { someOrder, startTestPatrol, type TestPatrol } from './support/patrol';

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

test('what is past its time goes, what is not stays, and money, orders and the audit log stay for ever', async () => {
  const no = await someOrder(patrol.sql);
  const EVER = `now() - interval '10 years'`;
  await patrol.sql.query(`UPDATE orders SET created_at = ${EVER}`);
  await patrol.sql.query(
    `INSERT INTO audit_log (actor, role, action, subject, at) VALUES ('a', 'admin', 'x', '${no}', ${EVER})`,
  );
  await patrol.sql.query(
    `INSERT INTO notification_inbox (id, merchant_id, notification_id, kind, out_trade_no,
       content_hash, resource_encrypted, received_at, next_attempt_at, verdict)
     VALUES (gen_random_uuid(), 'm', 'old', 'payment', '${no}', 'h', 'secret', now() - interval '91 days', now(), 'applied'),
       (gen_random_uuid(), 'm', 'open', 'payment', '${no}', 'h', 'secret', now() - interval '91 days', now(), NULL),
       (gen_random_uuid(), 'm', 'new', 'payment', '${no}', 'h', 'secret', now() - interval '89 days', now(), 'applied')`,
  );
  await patrol.sql.query(
    `INSERT INTO idempotency_keys (api_key_name, route, key, body_hash, created_at)
     SELECT 'a', 'r', days::text, 'h', now() - days * interval '1 day' FROM unnest(ARRAY[29, 31]) days`,
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
     SELECT days::text, 'o', 's', 1, 'c', now() - days * interval '1 day' FROM unnest(ARRAY[29, 31]) days`,
  );
  await patrol.sql.query(
    `INSERT INTO patrol_runs (id, started_at, finished_at, findings)
     SELECT gen_random_uuid(), now() - days * interval '1 day', now(), '{}' FROM unnest(ARRAY[95, 92, 91]) days`,
  );
  expect(await purged()).toEqual({
    callback_body_purged: 1,
    idempotency_key_purged: 1,
    fingerprint_purged: 1,
    delivery_log_purged: 1,
    retry_budget_purged: 1,
    // The last report says where the patrol stopped, however old it is.
    patrol_report_purged: 2,
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

test('one patrol removes a bounded number of rows', async () => {
  await patrol.sql.query(
    `INSERT INTO callback_deliveries (received_at, outcome, http_status, duration_ms)
     SELECT now() - interval '40 days', 'added', 204, 1 FROM generate_series(1, 10100)`,
  );
  expect(await purged()).toEqual({ delivery_log_purged: 10_000 });
  expect(await purged()).toEqual({ delivery_log_purged: 100 });
});

-- Moves once the times that 0.1.0 to 0.3.0 wrote through Prisma in a database whose time zone is not UTC.
--
-- Prisma's adapter sends a time as text in UTC without an offset, and PostgreSQL read that text in the
-- time zone of the session: in Asia/Shanghai each such time is eight hours early. From now on each session
-- of Oncepay is in UTC. Times that `now()` or the callbacks' own connections wrote were always right and
-- stay. docs/decisions/0031-sessions-in-utc.md has the table of all columns and the reasons.
--
-- reset_val is the zone with which this session began: what the old processes had, because they used the
-- same role and database and never set one. In UTC nothing is touched.
DO $$
DECLARE
  zone CONSTANT text := (SELECT reset_val FROM pg_settings WHERE name = 'TimeZone');
  sessions integer;
  moved bigint := 0;
  step bigint;
BEGIN
  PERFORM set_config('TimeZone', zone, true);
  -- Also a zone with another name that never differs from UTC.
  IF NOT EXISTS (SELECT FROM generate_series('2000-01-01'::timestamptz, '2100-01-01', '1 day') AS t
      WHERE t::timestamp AT TIME ZONE 'UTC' <> t) THEN
    RETURN;
  END IF;
  IF NOT EXISTS (SELECT FROM "orders") AND NOT EXISTS (SELECT FROM "products")
      AND NOT EXISTS (SELECT FROM "notification_inbox") AND NOT EXISTS (SELECT FROM "audit_log")
      AND NOT EXISTS (SELECT FROM "callback_deliveries") AND NOT EXISTS (SELECT FROM "patrol_runs") THEN
    RETURN;
  END IF;

  -- What an old process wrote after the move would be off again, and nothing could tell it apart.
  SELECT count(*) INTO sessions FROM pg_stat_activity
  WHERE datname = current_database() AND application_name IN ('oncepay', 'oncepay-callbacks');
  IF sessions > 0 THEN
    RAISE EXCEPTION 'The time zone of this database is %, so this upgrade moves times, and no api or worker may run meanwhile. % connections of them are open: stop all api and worker processes, then start the migration again', zone, sessions;
  END IF;

  -- A moved due_at is the same time as before: leases and wakes stay.
  ALTER TABLE "orders" DISABLE TRIGGER "orders_due_moved";
  ALTER TABLE "refunds" DISABLE TRIGGER "refunds_due_moved";
  ALTER TABLE "profit_sharings" DISABLE TRIGGER "profit_sharings_due_moved";

  -- `t::timestamp` is the text that Prisma had sent, in the session's zone; that text was UTC.
  UPDATE "orders" SET
    "expires_at" = "expires_at"::timestamp AT TIME ZONE 'UTC',
    "prepaid_at" = "prepaid_at"::timestamp AT TIME ZONE 'UTC',
    "prepay_expires_at" = "prepay_expires_at"::timestamp AT TIME ZONE 'UTC',
    "first_prepaid_at" = "first_prepaid_at"::timestamp AT TIME ZONE 'UTC',
    "next_query_at" = "next_query_at"::timestamp AT TIME ZONE 'UTC',
    "close_requested_at" = "close_requested_at"::timestamp AT TIME ZONE 'UTC',
    "due_at" = "due_at"::timestamp AT TIME ZONE 'UTC',
    "lease_until" = "lease_until"::timestamp AT TIME ZONE 'UTC',
    "woken_at" = "woken_at"::timestamp AT TIME ZONE 'UTC',
    "created_at" = "created_at"::timestamp AT TIME ZONE 'UTC',
    "paid_at" = "paid_at"::timestamp AT TIME ZONE 'UTC',
    "fulfilled_at" = "fulfilled_at"::timestamp AT TIME ZONE 'UTC',
    "closed_at" = "closed_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "order_status_history" SET "at" = "at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "payment_transactions" SET
    "success_time" = "success_time"::timestamp AT TIME ZONE 'UTC',
    "created_at" = "created_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  -- The callbacks' own connections wrote received_at, and beside it the verdict of what concerns nobody.
  -- They or the sweep wrote next_attempt_at: a row without a verdict is looked at now.
  UPDATE "notification_inbox" SET
    "received_at" = CASE WHEN "source" = 'callback' THEN "received_at"
      ELSE "received_at"::timestamp AT TIME ZONE 'UTC' END,
    "verdict_at" = CASE WHEN "source" = 'callback' AND "verdict_at" = "received_at" THEN "verdict_at"
      ELSE "verdict_at"::timestamp AT TIME ZONE 'UTC' END,
    "lease_until" = "lease_until"::timestamp AT TIME ZONE 'UTC',
    "undeliverable_at" = "undeliverable_at"::timestamp AT TIME ZONE 'UTC',
    "next_attempt_at" = CASE WHEN "verdict" IS NULL THEN now() ELSE "next_attempt_at" END;
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "provider_attempts" SET
    "sent_at" = "sent_at"::timestamp AT TIME ZONE 'UTC',
    "deadline_at" = "deadline_at"::timestamp AT TIME ZONE 'UTC',
    "finished_at" = "finished_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "order_effects" SET "done_at" = "done_at"::timestamp AT TIME ZONE 'UTC'
  WHERE "done_at" IS NOT NULL;
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "deliveries" SET
    "next_attempt_at" = "next_attempt_at"::timestamp AT TIME ZONE 'UTC',
    "woken_at" = "woken_at"::timestamp AT TIME ZONE 'UTC',
    "created_at" = "created_at"::timestamp AT TIME ZONE 'UTC',
    "done_at" = "done_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "interventions" SET
    "since" = "since"::timestamp AT TIME ZONE 'UTC',
    "resolved_at" = "resolved_at"::timestamp AT TIME ZONE 'UTC',
    "alerted_at" = "alerted_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "intervention_resolutions" SET
    "proposed_at" = "proposed_at"::timestamp AT TIME ZONE 'UTC',
    "approved_at" = "approved_at"::timestamp AT TIME ZONE 'UTC',
    "next_attempt_at" = "next_attempt_at"::timestamp AT TIME ZONE 'UTC',
    "finished_at" = "finished_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "refunds" SET
    "next_query_at" = "next_query_at"::timestamp AT TIME ZONE 'UTC',
    "due_at" = "due_at"::timestamp AT TIME ZONE 'UTC',
    "lease_until" = "lease_until"::timestamp AT TIME ZONE 'UTC',
    "woken_at" = "woken_at"::timestamp AT TIME ZONE 'UTC',
    "created_at" = "created_at"::timestamp AT TIME ZONE 'UTC',
    "accepted_at" = "accepted_at"::timestamp AT TIME ZONE 'UTC',
    "succeeded_at" = "succeeded_at"::timestamp AT TIME ZONE 'UTC',
    "closed_at" = "closed_at"::timestamp AT TIME ZONE 'UTC',
    "short_accepted_at" = "short_accepted_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "refund_attempts" SET
    "sent_at" = "sent_at"::timestamp AT TIME ZONE 'UTC',
    "deadline_at" = "deadline_at"::timestamp AT TIME ZONE 'UTC',
    "finished_at" = "finished_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  -- The migration 0006 inserted rows of its own, whose created_at is the now() of its transaction.
  UPDATE "profit_sharings" SET
    "not_before" = "not_before"::timestamp AT TIME ZONE 'UTC',
    "next_query_at" = "next_query_at"::timestamp AT TIME ZONE 'UTC',
    "due_at" = "due_at"::timestamp AT TIME ZONE 'UTC',
    "lease_until" = "lease_until"::timestamp AT TIME ZONE 'UTC',
    "woken_at" = "woken_at"::timestamp AT TIME ZONE 'UTC',
    "created_at" = CASE WHEN "origin" = 'deadline' AND "created_at" IN (
        SELECT m."started_at"::timestamptz(3) FROM "_prisma_migrations" m
        WHERE m."migration_name" = '0006_profit_sharing') THEN "created_at"
      ELSE "created_at"::timestamp AT TIME ZONE 'UTC' END,
    "accepted_at" = "accepted_at"::timestamp AT TIME ZONE 'UTC',
    "finished_at" = "finished_at"::timestamp AT TIME ZONE 'UTC',
    "closed_at" = "closed_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "profit_sharing_receivers" SET
    "registered_at" = "registered_at"::timestamp AT TIME ZONE 'UTC'
  WHERE "registered_at" IS NOT NULL;
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "profit_sharing_returns" SET
    "next_query_at" = "next_query_at"::timestamp AT TIME ZONE 'UTC',
    "created_at" = "created_at"::timestamp AT TIME ZONE 'UTC',
    "accepted_at" = "accepted_at"::timestamp AT TIME ZONE 'UTC',
    "finished_at" = "finished_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "profit_sharing_attempts" SET
    "sent_at" = "sent_at"::timestamp AT TIME ZONE 'UTC',
    "deadline_at" = "deadline_at"::timestamp AT TIME ZONE 'UTC',
    "finished_at" = "finished_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "retry_budgets" SET "updated_at" = "updated_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  -- Migrations wrote the rows; a process that saw the dependency fall or come back wrote both columns.
  UPDATE "dependencies" SET "since" = "since"::timestamp AT TIME ZONE 'UTC'
  WHERE "evidence" IS NOT NULL;
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "patrol_runs" SET
    "started_at" = "started_at"::timestamp AT TIME ZONE 'UTC',
    "finished_at" = "finished_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "callback_deliveries" SET "received_at" = "received_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "order_fingerprints" SET "expires_at" = "expires_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "products" SET "created_at" = "created_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "stock_movements" SET "at" = "at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  -- now() wrote used_at.
  UPDATE "product_codes" SET
    "delivered_at" = "delivered_at"::timestamp AT TIME ZONE 'UTC',
    "revoked_at" = "revoked_at"::timestamp AT TIME ZONE 'UTC',
    "created_at" = "created_at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  UPDATE "points_entries" SET "at" = "at"::timestamp AT TIME ZONE 'UTC';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  -- One raw statement writes an order with its entry, whose time is the column's default.
  UPDATE "audit_log" SET "at" = "at"::timestamp AT TIME ZONE 'UTC' WHERE "action" <> 'order.create';
  GET DIAGNOSTICS step = ROW_COUNT; moved := moved + step;

  ALTER TABLE "orders" ENABLE TRIGGER "orders_due_moved";
  ALTER TABLE "refunds" ENABLE TRIGGER "refunds_due_moved";
  ALTER TABLE "profit_sharings" ENABLE TRIGGER "profit_sharings_due_moved";
  RAISE WARNING 'The time zone of this database is %: the times in % rows were moved from it to UTC. Do not start an api or worker of 0.3.0 or before on this database again.', zone, moved;
END $$;

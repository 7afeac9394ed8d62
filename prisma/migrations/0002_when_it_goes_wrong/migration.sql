-- When it goes wrong: refunds, answers to interventions, retry policies, the patrol and its reports.

-- AlterTable
ALTER TABLE "orders" ADD COLUMN "lease_until" TIMESTAMPTZ(3), ADD COLUMN "woken_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "payment_transactions" ADD COLUMN "held_fen" INTEGER NOT NULL DEFAULT 0,
  ADD COLUMN "refunded_fen" INTEGER NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "notification_inbox" ALTER COLUMN "resource_encrypted" DROP NOT NULL,
  ADD COLUMN "undeliverable_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "order_effects" ADD COLUMN "spent" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "deliveries" ADD COLUMN "woken_at" TIMESTAMPTZ(3);

-- AlterTable
ALTER TABLE "interventions" ADD COLUMN "resolution" TEXT, ADD COLUMN "amount_fen" INTEGER,
  ADD COLUMN "alerted_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "intervention_resolutions" (
    "id" UUID NOT NULL,
    "intervention_id" UUID NOT NULL,
    "out_trade_no" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "params_encrypted" TEXT,
    "params_hash" TEXT NOT NULL,
    "note" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "proposed_by" TEXT,
    "proposed_at" TIMESTAMPTZ(3) NOT NULL,
    "approved_by" TEXT,
    "approved_at" TIMESTAMPTZ(3),
    "next_attempt_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "refusal_code" TEXT,
    "refusal_detail" TEXT,

    CONSTRAINT "intervention_resolutions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "refunds" (
    "out_refund_no" TEXT NOT NULL,
    "out_trade_no" TEXT NOT NULL,
    "order_no" TEXT,
    "transaction_key" UUID NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "transaction_id" TEXT NOT NULL,
    "amount_fen" INTEGER NOT NULL,
    "total_fen" INTEGER NOT NULL,
    "currency" TEXT NOT NULL,
    "reason" TEXT,
    "notify_url" TEXT NOT NULL,
    "origin" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "refund_id" TEXT,
    "replaces" TEXT,
    "abnormal_encrypted" TEXT,
    "next_query_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3),
    "lease_until" TIMESTAMPTZ(3),
    "woken_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "accepted_at" TIMESTAMPTZ(3),
    "succeeded_at" TIMESTAMPTZ(3),
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "refunds_pkey" PRIMARY KEY ("out_refund_no")
);

-- CreateTable
CREATE TABLE "refund_attempts" (
    "id" UUID NOT NULL,
    "out_refund_no" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "sent_at" TIMESTAMPTZ(3) NOT NULL,
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "outcome" TEXT,
    "code" TEXT,
    "request_id" TEXT,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "refund_attempts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "retry_policies" (
    "operation" TEXT NOT NULL,
    "base_delay_ms" INTEGER NOT NULL,
    "factor" DOUBLE PRECISION NOT NULL,
    "jitter" DOUBLE PRECISION NOT NULL,
    "max_delay_ms" INTEGER NOT NULL,
    "max_attempts" INTEGER NOT NULL,
    "retryable_codes" TEXT[],
    "non_retryable_codes" TEXT[],
    "version" INTEGER NOT NULL DEFAULT 1,
    "updated_by" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "retry_policies_pkey" PRIMARY KEY ("operation")
);

-- CreateTable
CREATE TABLE "retry_budgets" (
    "number" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL,
    "last_code" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "retry_budgets_pkey" PRIMARY KEY ("number","operation","subject")
);

-- CreateTable
CREATE TABLE "dependencies" (
    "name" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'up',
    "since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "evidence" JSONB,

    CONSTRAINT "dependencies_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "runtime_settings" (
    "name" TEXT NOT NULL,
    "value" JSONB NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "updated_by" TEXT NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "runtime_settings_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "patrol_runs" (
    "id" UUID NOT NULL,
    "started_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),
    "status" TEXT NOT NULL DEFAULT 'running',
    "findings" JSONB NOT NULL,

    CONSTRAINT "patrol_runs_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "callback_deliveries" (
    "id" BIGSERIAL NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL,
    "notification_id" TEXT,
    "out_trade_no" TEXT,
    "outcome" TEXT NOT NULL,
    "http_status" INTEGER NOT NULL,
    "duration_ms" DOUBLE PRECISION NOT NULL,

    CONSTRAINT "callback_deliveries_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "intervention_resolutions_intervention_idx" ON "intervention_resolutions"("intervention_id", "id");

-- CreateIndex
CREATE INDEX "refunds_out_trade_no_idx" ON "refunds"("out_trade_no");

-- CreateIndex
CREATE INDEX "refunds_order_idx" ON "refunds"("order_no");

-- CreateIndex
CREATE INDEX "refunds_transaction_idx" ON "refunds"("transaction_key");

-- CreateIndex
CREATE INDEX "refund_attempts_refund_idx" ON "refund_attempts"("out_refund_no");

-- CreateIndex
CREATE INDEX "retry_budgets_updated_idx" ON "retry_budgets"("updated_at");

-- CreateIndex
CREATE INDEX "patrol_runs_started_idx" ON "patrol_runs"("started_at", "id");

-- CreateIndex
CREATE INDEX "callback_deliveries_received_idx" ON "callback_deliveries"("received_at", "id");

-- CreateIndex
CREATE INDEX "callback_deliveries_order_idx" ON "callback_deliveries"("out_trade_no", "received_at");

-- AddForeignKey
ALTER TABLE "intervention_resolutions" ADD CONSTRAINT "intervention_resolutions_intervention_id_fkey" FOREIGN KEY ("intervention_id") REFERENCES "interventions"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "refunds" ADD CONSTRAINT "refunds_transaction_key_fkey" FOREIGN KEY ("transaction_key") REFERENCES "payment_transactions"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "refunds" ADD CONSTRAINT "refunds_order_no_fkey" FOREIGN KEY ("order_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "refund_attempts" ADD CONSTRAINT "refund_attempts_out_refund_no_fkey" FOREIGN KEY ("out_refund_no") REFERENCES "refunds"("out_refund_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- What Prisma's schema can't say: the guards. -----------------------------------------------------

-- A payment that a person accepted with another amount can be more than the order's total: what may go
-- back is bounded by its transaction instead.
ALTER TABLE "orders" DROP CONSTRAINT "orders_amount",
  ADD CONSTRAINT "orders_amount" CHECK ("total_fen" > 0 AND "refunded_fen" >= 0);

-- No more is ever on its way back than was paid, whoever asks at once.
ALTER TABLE "payment_transactions"
  ADD CONSTRAINT "payment_transactions_held" CHECK ("refunded_fen" >= 0 AND "refunded_fen" <= "held_fen" AND "held_fen" <= COALESCE("total_fen", 0));

ALTER TABLE "refunds"
  ADD CONSTRAINT "refunds_number_shape" CHECK ("out_refund_no" ~ '^[0-9A-Za-z_|*@-]{1,64}$'),
  ADD CONSTRAINT "refunds_amounts" CHECK ("amount_fen" > 0 AND "amount_fen" <= "total_fen"),
  ADD CONSTRAINT "refunds_status_known" CHECK ("status" IN ('pending','processing','abnormal','succeeded','closed')),
  ADD CONSTRAINT "refunds_origin_known" CHECK ("origin" IN ('late_payment','surplus_payment','resolution','api','external'));
-- A refund is replaced by one other.
CREATE UNIQUE INDEX "refunds_replaced_once" ON "refunds" ("replaces") WHERE "replaces" IS NOT NULL;
CREATE INDEX "refunds_due_idx" ON "refunds" ("due_at") WHERE "due_at" IS NOT NULL;

ALTER TABLE "refund_attempts"
  ADD CONSTRAINT "refund_attempts_operation_known" CHECK ("operation" IN ('refund','abnormal')),
  ADD CONSTRAINT "refund_attempts_outcome_known" CHECK ("outcome" IN ('accepted','refused','unknown'));

ALTER TABLE "intervention_resolutions"
  ADD CONSTRAINT "intervention_resolutions_status_known" CHECK ("status" IN ('proposed','approved','done','refused','withdrawn')),
  ADD CONSTRAINT "intervention_resolutions_approved_whole" CHECK ("status" NOT IN ('approved','done','refused') OR "approved_at" IS NOT NULL);
-- One answer at a time.
CREATE UNIQUE INDEX "intervention_resolutions_one_open" ON "intervention_resolutions" ("intervention_id") WHERE "status" IN ('proposed','approved');
-- What a run still has to carry out.
CREATE INDEX "intervention_resolutions_open_idx" ON "intervention_resolutions" ("out_trade_no") WHERE "status" = 'approved';
CREATE INDEX "intervention_resolutions_due_idx" ON "intervention_resolutions" ("next_attempt_at") WHERE "status" = 'approved';

-- Those that nobody was told of yet.
UPDATE "interventions" SET "alerted_at" = "since";
CREATE INDEX "interventions_alert_idx" ON "interventions" ("since") WHERE "alerted_at" IS NULL;

-- Raw callback bodies that are still there, for the purge.
CREATE INDEX "notification_inbox_bodies_idx" ON "notification_inbox" ("received_at") WHERE "resource_encrypted" IS NOT NULL AND "verdict" IS NOT NULL;
-- Rows that a person is asked about are left by the sweep.
DROP INDEX "notification_inbox_due_idx";
CREATE INDEX "notification_inbox_due_idx" ON "notification_inbox" ("next_attempt_at") WHERE "verdict" IS NULL AND "undeliverable_at" IS NULL;

ALTER TABLE "retry_policies"
  ADD CONSTRAINT "retry_policies_bounded" CHECK ("base_delay_ms" > 0 AND "max_delay_ms" >= "base_delay_ms" AND "factor" >= 1 AND "jitter" >= 0 AND "jitter" <= 1 AND "max_attempts" BETWEEN 1 AND 100);
ALTER TABLE "retry_budgets" ADD CONSTRAINT "retry_budgets_attempts" CHECK ("attempts" > 0);
ALTER TABLE "dependencies" ADD CONSTRAINT "dependencies_state_known" CHECK ("state" IN ('up','down'));
ALTER TABLE "patrol_runs" ADD CONSTRAINT "patrol_runs_status_known" CHECK ("status" IN ('running','done','failed'));

-- What is due was moved: whoever was told of the old time was told of something else.
CREATE FUNCTION "forget_wakes"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.lease_until := NULL;
  NEW.woken_at := NULL;
  RETURN NEW;
END $$;
CREATE TRIGGER "orders_due_moved" BEFORE UPDATE OF "due_at" ON "orders" FOR EACH ROW
  WHEN (NEW.due_at IS DISTINCT FROM OLD.due_at AND (OLD.lease_until IS NOT NULL OR OLD.woken_at IS NOT NULL))
  EXECUTE FUNCTION "forget_wakes"();
CREATE TRIGGER "refunds_due_moved" BEFORE UPDATE OF "due_at" ON "refunds" FOR EACH ROW
  WHEN (NEW.due_at IS DISTINCT FROM OLD.due_at AND (OLD.lease_until IS NOT NULL OR OLD.woken_at IS NOT NULL))
  EXECUTE FUNCTION "forget_wakes"();

INSERT INTO "dependencies" ("name") VALUES ('wechatpay');

-- One policy per operation; domain/retry-policy.ts has the same, and the reasons.
INSERT INTO "retry_policies" ("operation", "base_delay_ms", "factor", "jitter", "max_delay_ms", "max_attempts", "retryable_codes", "non_retryable_codes", "updated_by") VALUES
  ('wechat.prepay', 500, 2, 0.2, 30000, 30, '{SYSTEM_ERROR,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE,BANK_ERROR,RESPONSE_FORGED,FREQUENCY_LIMITED,USER_PAYING,RULE_LIMIT,NOT_ENOUGH}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,WECHAT_REFUSED,OUT_TRADE_NO_USED,ORDER_PAID,ORDER_CLOSED}', 'migration'),
  ('wechat.query', 2000, 2, 0.2, 30000, 20, '{SYSTEM_ERROR,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE,BANK_ERROR,RESPONSE_FORGED,FREQUENCY_LIMITED,USER_PAYING,RULE_LIMIT,NOT_ENOUGH}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED}', 'migration'),
  ('wechat.close', 1000, 2, 0.2, 15000, 100, '{SYSTEM_ERROR,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE,BANK_ERROR,RESPONSE_FORGED,FREQUENCY_LIMITED,USER_PAYING,WECHAT_REFUSED,ORDER_NOT_EXIST,RULE_LIMIT,NOT_ENOUGH,OUT_TRADE_NO_USED}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED}', 'migration'),
  ('wechat.refund', 2000, 2, 0.2, 1800000, 60, '{SYSTEM_ERROR,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE,BANK_ERROR,RESPONSE_FORGED,FREQUENCY_LIMITED,USER_PAYING,RULE_LIMIT,NOT_ENOUGH}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,WECHAT_REFUSED}', 'migration'),
  ('wechat.refund_query', 2000, 2, 0.2, 300000, 60, '{SYSTEM_ERROR,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE,BANK_ERROR,RESPONSE_FORGED,FREQUENCY_LIMITED,USER_PAYING,RULE_LIMIT,NOT_ENOUGH}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED}', 'migration'),
  ('database.read', 1000, 2, 0.2, 30000, 20, '{TEMPORARY_FAILURE,NETWORK_ERROR,TIMEOUT,INTERNAL_ERROR}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED}', 'migration'),
  ('database.write', 1000, 2, 0.2, 30000, 20, '{TEMPORARY_FAILURE,NETWORK_ERROR,TIMEOUT,INTERNAL_ERROR}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED}', 'migration'),
  ('inventory.stock', 2000, 2, 0.2, 60000, 6, '{EFFECT_FAILED,TEMPORARY_FAILURE,INTERNAL_ERROR}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,NO_STOCK,NO_CODES}', 'migration'),
  ('fulfilment.points', 2000, 2, 0.2, 60000, 6, '{EFFECT_FAILED,TEMPORARY_FAILURE,INTERNAL_ERROR}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,NO_STOCK,NO_CODES}', 'migration'),
  ('fulfilment.sales', 2000, 2, 0.2, 60000, 6, '{EFFECT_FAILED,TEMPORARY_FAILURE,INTERNAL_ERROR}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,NO_STOCK,NO_CODES}', 'migration'),
  ('fulfilment.delivery', 2000, 2, 0.2, 60000, 6, '{EFFECT_FAILED,TEMPORARY_FAILURE,INTERNAL_ERROR}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,NO_STOCK,NO_CODES}', 'migration'),
  ('notification.webhook', 1000, 3, 0.2, 7200000, 20, '{DELIVERY_FAILED,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED}', 'migration'),
  ('notification.message', 1000, 3, 0.2, 600000, 10, '{DELIVERY_FAILED,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED}', 'migration');

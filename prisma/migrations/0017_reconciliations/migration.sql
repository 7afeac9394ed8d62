-- The reconciliation of WeChat's bills with our rows, day by day.

-- CreateTable
CREATE TABLE "reconciliations" (
    "bill_date" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'waiting',
    "run" INTEGER NOT NULL DEFAULT 1,
    "due_at" TIMESTAMPTZ(3),
    "lease_until" TIMESTAMPTZ(3),
    "wrong_hashes" INTEGER NOT NULL DEFAULT 0,
    "bill" JSONB,
    "fund_flow" JSONB,
    "ours" JSONB,
    "differences" JSONB NOT NULL DEFAULT '{}',
    "error" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "reconciliations_pkey" PRIMARY KEY ("bill_date")
);

-- CreateTable
CREATE TABLE "reconciliation_lines" (
    "bill_date" TEXT NOT NULL,
    "line" INTEGER NOT NULL,
    "kind" TEXT NOT NULL,
    "is_foreign" BOOLEAN NOT NULL,
    "traded_at" TIMESTAMPTZ(3),
    "merchant_id" TEXT,
    "transaction_id" TEXT,
    "out_trade_no" TEXT,
    "refund_id" TEXT,
    "out_refund_no" TEXT,
    "trade_type" TEXT,
    "currency" TEXT,
    "order_fen" BIGINT,
    "refund_fen" BIGINT,
    "refund_status" TEXT,
    "fee_e5" BIGINT,
    "why" TEXT,

    CONSTRAINT "reconciliation_lines_pkey" PRIMARY KEY ("bill_date","line")
);

-- CreateTable
CREATE TABLE "reconciliation_differences" (
    "id" UUID NOT NULL,
    "bill_date" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "identity" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "out_trade_no" TEXT,
    "transaction_id" TEXT,
    "out_refund_no" TEXT,
    "ours" JSONB,
    "theirs" JSONB,
    "since" TIMESTAMPTZ(3) NOT NULL,
    "settled_at" TIMESTAMPTZ(3),
    "intervention_id" UUID,

    CONSTRAINT "reconciliation_differences_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "reconciliation_differences_once" ON "reconciliation_differences"("bill_date", "type", "identity");

-- CreateIndex
CREATE INDEX "reconciliation_differences_since_idx" ON "reconciliation_differences"("bill_date", "since", "id");

-- CreateIndex
CREATE INDEX "reconciliation_differences_intervention_idx" ON "reconciliation_differences"("intervention_id");

-- AddForeignKey
ALTER TABLE "reconciliation_differences" ADD CONSTRAINT "reconciliation_differences_bill_date_fkey" FOREIGN KEY ("bill_date") REFERENCES "reconciliations"("bill_date") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "reconciliation_differences" ADD CONSTRAINT "reconciliation_differences_intervention_id_fkey" FOREIGN KEY ("intervention_id") REFERENCES "interventions"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- An intervention about a bill has no order, and a webhook about a reconciliation neither.
ALTER TABLE "interventions" ALTER COLUMN "out_trade_no" DROP NOT NULL;
ALTER TABLE "deliveries" ALTER COLUMN "out_trade_no" DROP NOT NULL;

-- What Prisma's schema can't say: the guards. -----------------------------------------------------

ALTER TABLE "reconciliations"
  ADD CONSTRAINT "reconciliations_date" CHECK ("bill_date" ~ '^\d{4}-\d{2}-\d{2}$'),
  ADD CONSTRAINT "reconciliations_status_known" CHECK ("status" IN ('waiting','running','done','failed')),
  ADD CONSTRAINT "reconciliations_ended" CHECK (("status" IN ('done','failed')) = ("finished_at" IS NOT NULL)),
  ADD CONSTRAINT "reconciliations_due" CHECK (("status" IN ('done','failed')) = ("due_at" IS NULL));
CREATE INDEX "reconciliations_due_idx" ON "reconciliations" ("due_at") WHERE "due_at" IS NOT NULL;

ALTER TABLE "reconciliation_lines"
  ADD CONSTRAINT "reconciliation_lines_kind_known" CHECK ("kind" IN ('payment','refund','reversal','unreadable'));

ALTER TABLE "reconciliation_differences"
  ADD CONSTRAINT "reconciliation_differences_status_known" CHECK ("status" IN ('open','waiting','repaired','dismissed')),
  ADD CONSTRAINT "reconciliation_differences_settled" CHECK (("status" IN ('repaired','dismissed')) = ("settled_at" IS NOT NULL));
CREATE INDEX "reconciliation_differences_open_idx" ON "reconciliation_differences" ("type") WHERE "status" = 'open';

-- One open intervention for each bill. `interventions_one_open` stays as it is: workers of an earlier version
-- name its columns while they run beside new ones, and no two rows without an order are equal for it.
CREATE UNIQUE INDEX "interventions_one_open_without_order" ON "interventions" ("reason", "subject") WHERE "status" = 'open' AND "out_trade_no" IS NULL;

-- Lines of a bill go through the inbox too. The new list holds for every row that the old one held for.
ALTER TABLE "notification_inbox" DROP CONSTRAINT "notification_inbox_source_known";
ALTER TABLE "notification_inbox" ADD CONSTRAINT "notification_inbox_source_known" CHECK ("source" IN ('callback','query','bill')) NOT VALID;

-- The payments and refunds of a day, however many there were.
CREATE INDEX "payment_transactions_success_idx" ON "payment_transactions" ("success_time") WHERE "success_time" IS NOT NULL;
CREATE INDEX "refunds_accepted_idx" ON "refunds" ("accepted_at") WHERE "accepted_at" IS NOT NULL;

INSERT INTO "retry_policies" ("operation", "base_delay_ms", "factor", "jitter", "max_delay_ms", "max_attempts", "retryable_codes", "non_retryable_codes", "updated_by") VALUES
  ('wechat.bill', 30000, 2, 0.2, 1800000, 20, '{SYSTEM_ERROR,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE,BANK_ERROR,RESPONSE_FORGED,FREQUENCY_LIMITED,USER_PAYING,RULE_LIMIT,NOT_ENOUGH}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,WECHAT_REFUSED}', 'migration');

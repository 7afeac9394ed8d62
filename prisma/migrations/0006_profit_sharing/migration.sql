-- Profit sharing: what is shared with others, what is unfrozen, and what is taken back for a refund.

-- AlterTable
ALTER TABLE "payment_transactions" ADD COLUMN "shared_fen" INTEGER NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "refunds" ADD COLUMN "short_accepted_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "profit_sharings" (
    "out_order_no" TEXT NOT NULL,
    "out_trade_no" TEXT NOT NULL,
    "transaction_key" UUID NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "app_id" TEXT NOT NULL,
    "transaction_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "unfreeze_rest" BOOLEAN NOT NULL DEFAULT false,
    "description" TEXT NOT NULL,
    "origin" TEXT NOT NULL,
    "replaces" TEXT,
    "content_hash" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "order_id" TEXT,
    "not_before" TIMESTAMPTZ(3) NOT NULL,
    "next_query_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3),
    "lease_until" TIMESTAMPTZ(3),
    "woken_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "accepted_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "profit_sharings_pkey" PRIMARY KEY ("out_order_no")
);

-- CreateTable
CREATE TABLE "profit_sharing_receivers" (
    "id" UUID NOT NULL,
    "out_order_no" TEXT NOT NULL,
    "line" INTEGER NOT NULL,
    "type" TEXT NOT NULL,
    "account_encrypted" TEXT NOT NULL,
    "account_hash" TEXT NOT NULL,
    "name_encrypted" TEXT,
    "relation_type" TEXT NOT NULL,
    "amount_fen" INTEGER NOT NULL,
    "description" TEXT NOT NULL,
    "result" TEXT NOT NULL DEFAULT 'PENDING',
    "fail_reason" TEXT,
    "detail_id" TEXT,
    "returned_fen" INTEGER NOT NULL DEFAULT 0,
    "registered_at" TIMESTAMPTZ(3),

    CONSTRAINT "profit_sharing_receivers_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "profit_sharing_returns" (
    "out_return_no" TEXT NOT NULL,
    "out_order_no" TEXT NOT NULL,
    "receiver_id" UUID NOT NULL,
    "out_refund_no" TEXT NOT NULL,
    "amount_fen" INTEGER NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "fail_reason" TEXT,
    "return_id" TEXT,
    "next_query_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "accepted_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "profit_sharing_returns_pkey" PRIMARY KEY ("out_return_no")
);

-- CreateTable
CREATE TABLE "profit_sharing_attempts" (
    "id" UUID NOT NULL,
    "out_order_no" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "out_return_no" TEXT,
    "sent_at" TIMESTAMPTZ(3) NOT NULL,
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "outcome" TEXT,
    "code" TEXT,
    "request_id" TEXT,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "profit_sharing_attempts_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "profit_sharings_order_idx" ON "profit_sharings"("out_trade_no");

-- CreateIndex
CREATE INDEX "profit_sharings_transaction_idx" ON "profit_sharings"("transaction_key");

-- CreateIndex
CREATE UNIQUE INDEX "profit_sharing_receivers_line" ON "profit_sharing_receivers"("out_order_no", "line");

-- CreateIndex
CREATE UNIQUE INDEX "profit_sharing_receivers_once" ON "profit_sharing_receivers"("out_order_no", "type", "account_hash");

-- CreateIndex
CREATE INDEX "profit_sharing_returns_refund_idx" ON "profit_sharing_returns"("out_refund_no");

-- CreateIndex
CREATE INDEX "profit_sharing_returns_receiver_idx" ON "profit_sharing_returns"("receiver_id");

-- CreateIndex
CREATE INDEX "profit_sharing_attempts_sharing_idx" ON "profit_sharing_attempts"("out_order_no");

-- CreateIndex
CREATE INDEX "profit_sharing_attempts_return_idx" ON "profit_sharing_attempts"("out_return_no");

-- AddForeignKey
ALTER TABLE "profit_sharings" ADD CONSTRAINT "profit_sharings_out_trade_no_fkey" FOREIGN KEY ("out_trade_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "profit_sharings" ADD CONSTRAINT "profit_sharings_transaction_key_fkey" FOREIGN KEY ("transaction_key") REFERENCES "payment_transactions"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "profit_sharing_receivers" ADD CONSTRAINT "profit_sharing_receivers_out_order_no_fkey" FOREIGN KEY ("out_order_no") REFERENCES "profit_sharings"("out_order_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "profit_sharing_returns" ADD CONSTRAINT "profit_sharing_returns_out_order_no_fkey" FOREIGN KEY ("out_order_no") REFERENCES "profit_sharings"("out_order_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "profit_sharing_returns" ADD CONSTRAINT "profit_sharing_returns_receiver_id_fkey" FOREIGN KEY ("receiver_id") REFERENCES "profit_sharing_receivers"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "profit_sharing_returns" ADD CONSTRAINT "profit_sharing_returns_out_refund_no_fkey" FOREIGN KEY ("out_refund_no") REFERENCES "refunds"("out_refund_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "profit_sharing_attempts" ADD CONSTRAINT "profit_sharing_attempts_out_order_no_fkey" FOREIGN KEY ("out_order_no") REFERENCES "profit_sharings"("out_order_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "profit_sharing_attempts" ADD CONSTRAINT "profit_sharing_attempts_out_return_no_fkey" FOREIGN KEY ("out_return_no") REFERENCES "profit_sharing_returns"("out_return_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- What Prisma's schema can't say: the guards. -----------------------------------------------------

-- No more is ever shared than was paid. Shared and held together may be more than that: a refund takes
-- back what it lacks before it is sent.
ALTER TABLE "payment_transactions"
  ADD CONSTRAINT "payment_transactions_shared" CHECK ("shared_fen" >= 0 AND "shared_fen" <= COALESCE("total_fen", 0));

ALTER TABLE "profit_sharings"
  ADD CONSTRAINT "profit_sharings_number_shape" CHECK ("out_order_no" ~ '^[0-9A-Za-z_|*@-]{1,64}$'),
  ADD CONSTRAINT "profit_sharings_kind_known" CHECK ("kind" IN ('share','unfreeze')),
  ADD CONSTRAINT "profit_sharings_origin_known" CHECK ("origin" IN ('api','deadline','rest','resolution')),
  ADD CONSTRAINT "profit_sharings_status_known" CHECK ("status" IN ('pending','processing','finished','closed'));
-- A sharing is replaced by one other, and a payment has one deadline.
CREATE UNIQUE INDEX "profit_sharings_replaced_once" ON "profit_sharings" ("replaces") WHERE "replaces" IS NOT NULL;
CREATE UNIQUE INDEX "profit_sharings_one_deadline" ON "profit_sharings" ("transaction_key") WHERE "origin" = 'deadline';
CREATE INDEX "profit_sharings_due_idx" ON "profit_sharings" ("due_at") WHERE "due_at" IS NOT NULL;
-- For the patrol: those of the last minutes, without reading all.
CREATE INDEX "profit_sharings_changed_idx" ON "profit_sharings" (GREATEST("created_at", "accepted_at", "finished_at", "closed_at"));

ALTER TABLE "profit_sharing_receivers"
  ADD CONSTRAINT "profit_sharing_receivers_amounts" CHECK ("amount_fen" > 0 AND "returned_fen" >= 0 AND "returned_fen" <= "amount_fen"),
  ADD CONSTRAINT "profit_sharing_receivers_type_known" CHECK ("type" IN ('MERCHANT_ID','PERSONAL_OPENID')),
  ADD CONSTRAINT "profit_sharing_receivers_result_known" CHECK ("result" IN ('PENDING','SUCCESS','CLOSED'));

ALTER TABLE "profit_sharing_returns"
  ADD CONSTRAINT "profit_sharing_returns_number_shape" CHECK ("out_return_no" ~ '^[0-9A-Za-z_|*@-]{1,64}$'),
  ADD CONSTRAINT "profit_sharing_returns_amount" CHECK ("amount_fen" > 0),
  ADD CONSTRAINT "profit_sharing_returns_status_known" CHECK ("status" IN ('pending','processing','succeeded','failed'));

ALTER TABLE "profit_sharing_attempts"
  ADD CONSTRAINT "profit_sharing_attempts_operation_known" CHECK ("operation" IN ('receiver','share','unfreeze','return')),
  ADD CONSTRAINT "profit_sharing_attempts_outcome_known" CHECK ("outcome" IN ('accepted','refused','unknown'));

CREATE TRIGGER "profit_sharings_due_moved" BEFORE UPDATE OF "due_at" ON "profit_sharings" FOR EACH ROW
  WHEN (NEW.due_at IS DISTINCT FROM OLD.due_at AND (OLD.lease_until IS NOT NULL OR OLD.woken_at IS NOT NULL))
  EXECUTE FUNCTION "forget_wakes"();

-- Payments that are frozen already are unfrozen in time, too.
INSERT INTO "profit_sharings" ("out_order_no", "out_trade_no", "transaction_key", "merchant_id", "app_id", "transaction_id", "kind", "description", "origin", "content_hash", "not_before", "due_at")
SELECT 'op_rest_' || right(t."transaction_id", 56), o."out_trade_no", t."id", t."merchant_id", o."app_id", t."transaction_id", 'unfreeze', 'unfreeze', 'deadline', '',
  COALESCE(t."success_time", t."created_at") + interval '29 days', COALESCE(t."success_time", t."created_at") + interval '29 days'
FROM "orders" o JOIN "payment_transactions" t ON t."order_no" = o."out_trade_no" AND t."status" = 'applied'
WHERE o."profit_sharing" AND o."status" IN ('paid','fulfilled') AND t."refunded_fen" < t."total_fen"
  AND COALESCE(t."success_time", t."created_at") > now() - interval '30 days';

-- One policy per operation; domain/retry-policy.ts has the same, and the reasons.
INSERT INTO "retry_policies" ("operation", "base_delay_ms", "factor", "jitter", "max_delay_ms", "max_attempts", "retryable_codes", "non_retryable_codes", "updated_by") VALUES
  ('wechat.sharing', 2000, 2, 0.2, 1800000, 60, '{SYSTEM_ERROR,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE,BANK_ERROR,RESPONSE_FORGED,FREQUENCY_LIMITED,USER_PAYING,RULE_LIMIT,NOT_ENOUGH}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,WECHAT_REFUSED,OUT_TRADE_NO_USED}', 'migration'),
  ('wechat.sharing_query', 2000, 2, 0.2, 300000, 60, '{SYSTEM_ERROR,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE,BANK_ERROR,RESPONSE_FORGED,FREQUENCY_LIMITED,USER_PAYING,RULE_LIMIT,NOT_ENOUGH}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,OUT_TRADE_NO_USED}', 'migration'),
  ('wechat.return', 2000, 2, 0.2, 300000, 30, '{SYSTEM_ERROR,NETWORK_ERROR,TIMEOUT,TEMPORARY_FAILURE,BANK_ERROR,RESPONSE_FORGED,FREQUENCY_LIMITED,USER_PAYING,RULE_LIMIT}', '{VALIDATION_ERROR,PERMISSION_DENIED,CONFIGURATION_ERROR,WECHAT_PERMISSION_DENIED,WECHAT_REFUSED,OUT_TRADE_NO_USED}', 'migration');

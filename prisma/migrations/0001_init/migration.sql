-- The first shape of the database: tables, keys and foreign keys as prisma/schema.prisma says them.
-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateTable
CREATE TABLE "orders" (
    "out_trade_no" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'created',
    "user_id" TEXT NOT NULL,
    "openid_encrypted" TEXT,
    "client_ip_encrypted" TEXT,
    "description" TEXT NOT NULL,
    "total_fen" INTEGER NOT NULL,
    "refunded_fen" INTEGER NOT NULL DEFAULT 0,
    "currency" TEXT NOT NULL DEFAULT 'CNY',
    "shop_order_no" TEXT,
    "profit_sharing" BOOLEAN NOT NULL DEFAULT false,
    "metadata" JSONB,
    "app_id" TEXT NOT NULL,
    "merchant_id" TEXT NOT NULL,
    "notify_url" TEXT NOT NULL,
    "time_expire" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "prepay_rounds" INTEGER NOT NULL DEFAULT 0,
    "prepay_token" TEXT,
    "prepaid_at" TIMESTAMPTZ(3),
    "prepay_expires_at" TIMESTAMPTZ(3),
    "first_prepaid_at" TIMESTAMPTZ(3),
    "next_query_at" TIMESTAMPTZ(3),
    "refusal_code" TEXT,
    "refusal_wechat_code" TEXT,
    "refusal_message" TEXT,
    "close_requested_at" TIMESTAMPTZ(3),
    "due_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "paid_at" TIMESTAMPTZ(3),
    "fulfilled_at" TIMESTAMPTZ(3),
    "closed_at" TIMESTAMPTZ(3),

    CONSTRAINT "orders_pkey" PRIMARY KEY ("out_trade_no")
);

-- CreateTable
CREATE TABLE "order_items" (
    "out_trade_no" TEXT NOT NULL,
    "line" INTEGER NOT NULL,
    "sku" TEXT NOT NULL,
    "quantity" INTEGER NOT NULL,
    "unit_price_fen" INTEGER NOT NULL,
    "kind" TEXT NOT NULL,
    "pooled" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "order_items_pkey" PRIMARY KEY ("out_trade_no","line")
);

-- CreateTable
CREATE TABLE "order_status_history" (
    "id" BIGSERIAL NOT NULL,
    "out_trade_no" TEXT NOT NULL,
    "from_status" TEXT,
    "to_status" TEXT NOT NULL,
    "cause" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "order_status_history_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "payment_transactions" (
    "id" UUID NOT NULL,
    "provider" TEXT NOT NULL DEFAULT 'wechatpay',
    "merchant_id" TEXT NOT NULL,
    "transaction_id" TEXT NOT NULL,
    "out_trade_no" TEXT NOT NULL,
    "order_no" TEXT,
    "status" TEXT NOT NULL,
    "trade_state" TEXT NOT NULL,
    "trade_type" TEXT,
    "app_id" TEXT,
    "total_fen" INTEGER,
    "payer_total_fen" INTEGER,
    "currency" TEXT,
    "success_time" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "payment_transactions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "notification_inbox" (
    "id" UUID NOT NULL,
    "provider" TEXT NOT NULL DEFAULT 'wechatpay',
    "merchant_id" TEXT NOT NULL,
    "notification_id" TEXT NOT NULL,
    "source" TEXT NOT NULL DEFAULT 'callback',
    "kind" TEXT NOT NULL,
    "event_type" TEXT,
    "out_trade_no" TEXT,
    "content_hash" TEXT NOT NULL,
    "resource_encrypted" TEXT NOT NULL,
    "received_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "verdict" TEXT,
    "verdict_at" TIMESTAMPTZ(3),
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "lease_until" TIMESTAMPTZ(3),
    "next_attempt_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "notification_inbox_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "provider_attempts" (
    "id" UUID NOT NULL,
    "out_trade_no" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "sent_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deadline_at" TIMESTAMPTZ(3) NOT NULL,
    "outcome" TEXT,
    "code" TEXT,
    "request_id" TEXT,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "provider_attempts_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "order_effects" (
    "out_trade_no" TEXT NOT NULL,
    "effect" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "error_code" TEXT,
    "done_at" TIMESTAMPTZ(3),

    CONSTRAINT "order_effects_pkey" PRIMARY KEY ("out_trade_no","effect")
);

-- CreateTable
CREATE TABLE "deliveries" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "out_trade_no" TEXT NOT NULL,
    "event" TEXT NOT NULL,
    "payload" JSONB NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'pending',
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "last_error" TEXT,
    "next_attempt_at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "done_at" TIMESTAMPTZ(3),

    CONSTRAINT "deliveries_pkey" PRIMARY KEY ("id","kind")
);

-- CreateTable
CREATE TABLE "interventions" (
    "id" UUID NOT NULL,
    "out_trade_no" TEXT NOT NULL,
    "order_no" TEXT,
    "reason" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'open',
    "evidence" JSONB NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "resolved_at" TIMESTAMPTZ(3),
    "previous_id" UUID,

    CONSTRAINT "interventions_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "order_sequences" (
    "day" TEXT NOT NULL,
    "channel" TEXT NOT NULL,
    "next_value" INTEGER NOT NULL,

    CONSTRAINT "order_sequences_pkey" PRIMARY KEY ("day","channel")
);

-- CreateTable
CREATE TABLE "order_fingerprints" (
    "fingerprint" TEXT NOT NULL,
    "out_trade_no" TEXT,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "order_fingerprints_pkey" PRIMARY KEY ("fingerprint")
);

-- CreateTable
CREATE TABLE "idempotency_keys" (
    "api_key_name" TEXT NOT NULL,
    "route" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "body_hash" TEXT NOT NULL,
    "out_trade_no" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("api_key_name","route","key")
);

-- CreateTable
CREATE TABLE "products" (
    "sku" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "stock" INTEGER,
    "reserved" INTEGER NOT NULL DEFAULT 0,
    "sold" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "products_pkey" PRIMARY KEY ("sku")
);

-- CreateTable
CREATE TABLE "stock_reservations" (
    "out_trade_no" TEXT NOT NULL,
    "sku" TEXT NOT NULL,
    "quantity" INTEGER NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'reserved',

    CONSTRAINT "stock_reservations_pkey" PRIMARY KEY ("out_trade_no","sku")
);

-- CreateTable
CREATE TABLE "stock_movements" (
    "id" BIGSERIAL NOT NULL,
    "sku" TEXT NOT NULL,
    "delta" INTEGER NOT NULL,
    "reason" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "stock_movements_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "product_codes" (
    "id" UUID NOT NULL,
    "sku" TEXT NOT NULL,
    "code_encrypted" TEXT NOT NULL,
    "code_hash" TEXT NOT NULL,
    "out_trade_no" TEXT,
    "line" INTEGER,
    "delivered_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "product_codes_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "points_balances" (
    "user_id" TEXT NOT NULL,
    "balance" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "points_balances_pkey" PRIMARY KEY ("user_id")
);

-- CreateTable
CREATE TABLE "points_entries" (
    "id" BIGSERIAL NOT NULL,
    "user_id" TEXT NOT NULL,
    "out_trade_no" TEXT NOT NULL,
    "effect" TEXT NOT NULL,
    "delta" INTEGER NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "points_entries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sales_statistics" (
    "day" TEXT NOT NULL,
    "sku" TEXT NOT NULL,
    "units" BIGINT NOT NULL DEFAULT 0,
    "revenue_fen" BIGINT NOT NULL DEFAULT 0,
    "orders" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "sales_statistics_pkey" PRIMARY KEY ("day","sku")
);

-- CreateTable
CREATE TABLE "audit_log" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "actor" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "details" JSONB,

    CONSTRAINT "audit_log_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "orders_created_idx" ON "orders"("created_at", "out_trade_no");

-- CreateIndex
CREATE INDEX "orders_status_idx" ON "orders"("status", "created_at", "out_trade_no");

-- CreateIndex
CREATE INDEX "orders_user_idx" ON "orders"("user_id", "created_at", "out_trade_no");

-- CreateIndex
CREATE INDEX "order_status_history_order_idx" ON "order_status_history"("out_trade_no", "id");

-- CreateIndex
CREATE INDEX "payment_transactions_out_trade_no_idx" ON "payment_transactions"("out_trade_no");

-- CreateIndex
CREATE INDEX "payment_transactions_order_idx" ON "payment_transactions"("order_no");

-- CreateIndex
CREATE UNIQUE INDEX "payment_transactions_once" ON "payment_transactions"("provider", "merchant_id", "transaction_id");

-- CreateIndex
CREATE INDEX "notification_inbox_order_idx" ON "notification_inbox"("out_trade_no", "received_at");

-- CreateIndex
CREATE UNIQUE INDEX "notification_inbox_once" ON "notification_inbox"("provider", "merchant_id", "notification_id");

-- CreateIndex
CREATE INDEX "provider_attempts_order_idx" ON "provider_attempts"("out_trade_no", "operation");

-- CreateIndex
CREATE INDEX "deliveries_order_idx" ON "deliveries"("out_trade_no");

-- CreateIndex
CREATE INDEX "interventions_out_trade_no_idx" ON "interventions"("out_trade_no", "since");

-- CreateIndex
CREATE INDEX "interventions_order_idx" ON "interventions"("order_no");

-- CreateIndex
CREATE INDEX "interventions_status_idx" ON "interventions"("status", "since", "id");

-- CreateIndex
CREATE INDEX "order_fingerprints_expiry_idx" ON "order_fingerprints"("expires_at");

-- CreateIndex
CREATE INDEX "idempotency_keys_created_idx" ON "idempotency_keys"("created_at");

-- CreateIndex
CREATE INDEX "stock_reservations_sku_idx" ON "stock_reservations"("sku");

-- CreateIndex
CREATE INDEX "stock_movements_sku_idx" ON "stock_movements"("sku", "id");

-- CreateIndex
CREATE UNIQUE INDEX "product_codes_once" ON "product_codes"("code_hash");

-- CreateIndex
CREATE INDEX "product_codes_order_idx" ON "product_codes"("out_trade_no");

-- CreateIndex
CREATE INDEX "points_entries_user_idx" ON "points_entries"("user_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "points_entries_once" ON "points_entries"("out_trade_no", "effect");

-- CreateIndex
CREATE INDEX "audit_log_subject_idx" ON "audit_log"("subject", "id");

-- AddForeignKey
ALTER TABLE "order_items" ADD CONSTRAINT "order_items_out_trade_no_fkey" FOREIGN KEY ("out_trade_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "order_status_history" ADD CONSTRAINT "order_status_history_out_trade_no_fkey" FOREIGN KEY ("out_trade_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "payment_transactions" ADD CONSTRAINT "payment_transactions_order_no_fkey" FOREIGN KEY ("order_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "provider_attempts" ADD CONSTRAINT "provider_attempts_out_trade_no_fkey" FOREIGN KEY ("out_trade_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "order_effects" ADD CONSTRAINT "order_effects_out_trade_no_fkey" FOREIGN KEY ("out_trade_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_out_trade_no_fkey" FOREIGN KEY ("out_trade_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "interventions" ADD CONSTRAINT "interventions_order_no_fkey" FOREIGN KEY ("order_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "stock_reservations" ADD CONSTRAINT "stock_reservations_out_trade_no_fkey" FOREIGN KEY ("out_trade_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "stock_reservations" ADD CONSTRAINT "stock_reservations_sku_fkey" FOREIGN KEY ("sku") REFERENCES "products"("sku") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "stock_movements" ADD CONSTRAINT "stock_movements_sku_fkey" FOREIGN KEY ("sku") REFERENCES "products"("sku") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "product_codes" ADD CONSTRAINT "product_codes_sku_fkey" FOREIGN KEY ("sku") REFERENCES "products"("sku") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- AddForeignKey
ALTER TABLE "product_codes" ADD CONSTRAINT "product_codes_out_trade_no_fkey" FOREIGN KEY ("out_trade_no") REFERENCES "orders"("out_trade_no") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- What Prisma's schema can't say: the guards. -----------------------------------------------------

ALTER TABLE "orders"
  ADD CONSTRAINT "orders_number_shape" CHECK ("out_trade_no" ~ '^[0-9A-Z]{22}$'),
  ADD CONSTRAINT "orders_status_known" CHECK ("status" IN ('created','awaiting_payment','paid','fulfilled','closed','paid_late','refunded')),
  ADD CONSTRAINT "orders_channel_known" CHECK ("channel" IN ('miniprogram','h5','app','admin','official_account')),
  ADD CONSTRAINT "orders_amount" CHECK ("total_fen" > 0 AND "refunded_fen" >= 0 AND "refunded_fen" <= "total_fen"),
  ADD CONSTRAINT "orders_currency" CHECK ("currency" = 'CNY'),
  ADD CONSTRAINT "orders_prepay_rounds" CHECK ("prepay_rounds" >= 0);

ALTER TABLE "order_items"
  ADD CONSTRAINT "order_items_amounts" CHECK ("quantity" > 0 AND "unit_price_fen" > 0),
  ADD CONSTRAINT "order_items_kind" CHECK ("kind" IN ('physical','virtual'));

ALTER TABLE "payment_transactions"
  ADD CONSTRAINT "payment_transactions_status_known" CHECK ("status" IN ('applied','rejected','surplus')),
  ADD CONSTRAINT "payment_transactions_amounts" CHECK (COALESCE("total_fen", 0) >= 0 AND COALESCE("payer_total_fen", 0) >= 0),
  ADD CONSTRAINT "payment_transactions_applied_is_ours" CHECK ("status" <> 'applied' OR ("order_no" IS NOT NULL AND "total_fen" > 0));
-- An order is paid by one transaction.
CREATE UNIQUE INDEX "payment_transactions_one_applied" ON "payment_transactions" ("order_no") WHERE "status" = 'applied';

ALTER TABLE "notification_inbox"
  ADD CONSTRAINT "notification_inbox_kind_known" CHECK ("kind" IN ('payment','refund','profit_sharing','unknown')),
  ADD CONSTRAINT "notification_inbox_source_known" CHECK ("source" IN ('callback','query')),
  ADD CONSTRAINT "notification_inbox_verdict_known" CHECK ("verdict" IN ('applied','already_applied','conflict','ignored'));
-- What the sweep and a run look for: only rows without a verdict are in these.
CREATE INDEX "notification_inbox_due_idx" ON "notification_inbox" ("next_attempt_at") WHERE "verdict" IS NULL;
CREATE INDEX "notification_inbox_open_idx" ON "notification_inbox" ("out_trade_no") WHERE "verdict" IS NULL;

ALTER TABLE "provider_attempts"
  ADD CONSTRAINT "provider_attempts_outcome_known" CHECK ("outcome" IN ('accepted','refused','unknown'));

ALTER TABLE "order_effects"
  ADD CONSTRAINT "order_effects_status_known" CHECK ("status" IN ('pending','done','failed','skipped','cancelled')),
  ADD CONSTRAINT "order_effects_attempts" CHECK ("attempts" >= 0);

ALTER TABLE "deliveries"
  ADD CONSTRAINT "deliveries_kind_known" CHECK ("kind" IN ('webhook','message')),
  ADD CONSTRAINT "deliveries_status_known" CHECK ("status" IN ('pending','done','failed')),
  ADD CONSTRAINT "deliveries_attempts" CHECK ("attempts" >= 0);
CREATE INDEX "deliveries_due_idx" ON "deliveries" ("next_attempt_at") WHERE "status" = 'pending';

ALTER TABLE "interventions"
  ADD CONSTRAINT "interventions_status_known" CHECK ("status" IN ('open','resolved'));
-- One open question per number, reason and subject.
CREATE UNIQUE INDEX "interventions_one_open" ON "interventions" ("out_trade_no", "reason", "subject") WHERE "status" = 'open';
CREATE INDEX "interventions_open_order_idx" ON "interventions" ("order_no") WHERE "status" = 'open';

-- The orders whose run must be looked after, by when.
CREATE INDEX "orders_due_idx" ON "orders" ("due_at") WHERE "due_at" IS NOT NULL;

ALTER TABLE "order_sequences" ADD CONSTRAINT "order_sequences_value" CHECK ("next_value" >= 0);

ALTER TABLE "products"
  ADD CONSTRAINT "products_kind_known" CHECK ("kind" IN ('physical','virtual')),
  ADD CONSTRAINT "products_counts" CHECK ("reserved" >= 0 AND "sold" >= 0 AND COALESCE("stock", 0) >= 0),
  ADD CONSTRAINT "products_not_oversold" CHECK ("stock" IS NULL OR "reserved" <= "stock");

ALTER TABLE "stock_reservations"
  ADD CONSTRAINT "stock_reservations_quantity" CHECK ("quantity" > 0),
  ADD CONSTRAINT "stock_reservations_status_known" CHECK ("status" IN ('reserved','taken','released'));

ALTER TABLE "product_codes"
  ADD CONSTRAINT "product_codes_handed_out_whole" CHECK (("out_trade_no" IS NULL) = ("delivered_at" IS NULL));
-- The pool: codes that can still be handed out, oldest first.
CREATE INDEX "product_codes_free_idx" ON "product_codes" ("sku", "id") WHERE "out_trade_no" IS NULL;

ALTER TABLE "sales_statistics"
  ADD CONSTRAINT "sales_statistics_counts" CHECK ("units" >= 0 AND "revenue_fen" >= 0 AND "orders" >= 0);

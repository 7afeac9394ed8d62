-- Statistics: rows of five minutes, rolled up from the facts.

-- CreateTable
CREATE TABLE "statistics" (
    "at" TIMESTAMPTZ(3) NOT NULL,
    "counted_until" TIMESTAMPTZ(3) NOT NULL,
    "settled" BOOLEAN NOT NULL,
    "orders" BIGINT NOT NULL,
    "paid" BIGINT NOT NULL,
    "paid_fen" BIGINT NOT NULL,
    "refunds" BIGINT NOT NULL,
    "refunds_fen" BIGINT NOT NULL,
    "fulfilled" BIGINT NOT NULL,
    "added" BIGINT NOT NULL,
    "duplicate" BIGINT NOT NULL,
    "conflicting" BIGINT NOT NULL,
    "refused" BIGINT NOT NULL,
    "answer_ms" DOUBLE PRECISION NOT NULL,
    "answer_histogram" JSONB NOT NULL,
    "processing_ms" DOUBLE PRECISION NOT NULL,
    "processing_histogram" JSONB NOT NULL,
    "retries" JSONB NOT NULL,
    "opened" BIGINT NOT NULL,
    "resolved" BIGINT NOT NULL,

    CONSTRAINT "statistics_pkey" PRIMARY KEY ("at")
);

-- The few rows that are counted once more.
CREATE INDEX "statistics_unsettled_idx" ON "statistics"("at") WHERE NOT "settled";

-- Failed attempts: each is one row of nothing else that stays.
CREATE TABLE "retry_failures" (
    "at" TIMESTAMPTZ(3) NOT NULL,
    "operation" TEXT NOT NULL,
    "code" TEXT NOT NULL,
    "failures" BIGINT NOT NULL,

    CONSTRAINT "retry_failures_pkey" PRIMARY KEY ("at", "operation", "code")
);

-- The facts of five minutes are found by their time. The history only grows, so that an index of
-- its blocks is enough, which costs a new row nothing.
CREATE INDEX "order_status_history_at_idx" ON "order_status_history" USING BRIN ("at");
CREATE INDEX "notification_inbox_verdict_idx" ON "notification_inbox"("verdict_at") WHERE "source" = 'callback';
CREATE INDEX "refunds_succeeded_idx" ON "refunds"("succeeded_at") WHERE "succeeded_at" IS NOT NULL;
CREATE INDEX "interventions_since_idx" ON "interventions"("since");
CREATE INDEX "interventions_resolved_idx" ON "interventions"("resolved_at") WHERE "resolved_at" IS NOT NULL;

-- A notice that can't be booked as it is asks for a query of WeChat: when it did, when the query ended, and
-- whether WeChat named a transaction. It has no verdict until then.
ALTER TABLE "notification_inbox"
  ADD COLUMN "query_requested_at" TIMESTAMPTZ(3),
  ADD COLUMN "queried_at" TIMESTAMPTZ(3),
  ADD COLUMN "query_found" BOOLEAN NOT NULL DEFAULT false,
  -- WeChat's names of the side fields that could not be read or believed, and were replaced or left out.
  ADD COLUMN "unreadable" TEXT[] NOT NULL DEFAULT '{}';

-- The run of an order counts them; there are hardly ever any.
CREATE INDEX "notification_inbox_to_query_idx" ON "notification_inbox" ("out_trade_no") WHERE "query_requested_at" IS NOT NULL AND "queried_at" IS NULL;

-- When an alert of a kind was last sent, by any process: at most one an hour of each.
CREATE TABLE "alert_marks" (
  "kind" TEXT NOT NULL,
  "alerted_at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "alert_marks_pkey" PRIMARY KEY ("kind")
);

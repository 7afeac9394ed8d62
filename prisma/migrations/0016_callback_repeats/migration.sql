-- A flood of one valid callback fills no table: its first duplicates of an hour have a row each, and the newest
-- of these rows counts the others. The index finds that row.
ALTER TABLE "callback_deliveries" ADD COLUMN "repeats" INTEGER NOT NULL DEFAULT 0;
CREATE INDEX "callback_deliveries_duplicate_idx" ON "callback_deliveries" ("notification_id", "received_at", "id") WHERE "outcome" = 'duplicate';

-- Counters that grow with every order, in 64 bits. PostgreSQL rewrites both tables under an exclusive lock: one
-- row per product, and one per user (about a second for a million users).
ALTER TABLE "products" ALTER COLUMN "sold" TYPE BIGINT;
ALTER TABLE "points_balances" ALTER COLUMN "balance" TYPE BIGINT;

-- The one stuck run that a resolution ends: Temporal's id of it, empty when there was none.
ALTER TABLE "intervention_resolutions" ADD COLUMN "ended_run_id" TEXT;

-- Requests that wait for a second person. One is open per action and subject.
CREATE TABLE "proposals" (
  "id" UUID NOT NULL,
  "action" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "subject_key" TEXT NOT NULL,
  "amount_fen" INTEGER,
  "content_hash" TEXT NOT NULL,
  "request_encrypted" TEXT NOT NULL,
  "shown" JSONB NOT NULL,
  "number" TEXT,
  "status" TEXT NOT NULL DEFAULT 'open',
  "proposed_by" TEXT NOT NULL,
  "person" TEXT NOT NULL,
  "proposed_at" TIMESTAMPTZ(3) NOT NULL,
  "expires_at" TIMESTAMPTZ(3) NOT NULL,
  "alerted_at" TIMESTAMPTZ(3),
  "approved_by" TEXT,
  "approver_number" TEXT,
  "ended_at" TIMESTAMPTZ(3),
  CONSTRAINT "proposals_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "proposals_action" CHECK ("action" IN ('refund', 'profit_sharing', 'setting', 'retry_policy', 'receiver')),
  CONSTRAINT "proposals_status" CHECK ("status" IN ('open', 'done', 'withdrawn', 'expired')),
  CONSTRAINT "proposals_amount" CHECK ("amount_fen" >= 0),
  CONSTRAINT "proposals_ended" CHECK (("status" = 'open') = ("ended_at" IS NULL)),
  CONSTRAINT "proposals_two_persons" CHECK (("status" = 'done') = ("approved_by" IS NOT NULL))
);
CREATE UNIQUE INDEX "proposals_open_once" ON "proposals" ("action", "subject_key") WHERE "status" = 'open';
-- The number that the approver's own Idempotency-Key would have made leads to the number that was used.
CREATE INDEX "proposals_approver_number_idx" ON "proposals" ("action", "approver_number") WHERE "approver_number" IS NOT NULL;
CREATE INDEX "proposals_proposed_idx" ON "proposals" ("proposed_at", "id");
CREATE INDEX "proposals_open_idx" ON "proposals" ("expires_at") WHERE "status" = 'open';

-- The money that persons moved alone and that clients refunded; the sums of 24 hours are limited.
CREATE TABLE "movements" (
  "id" UUID NOT NULL,
  "mover_kind" TEXT NOT NULL,
  "mover" TEXT NOT NULL,
  "amount_fen" INTEGER NOT NULL,
  "action" TEXT NOT NULL,
  "subject" TEXT NOT NULL,
  "at" TIMESTAMPTZ(3) NOT NULL,
  CONSTRAINT "movements_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "movements_mover_kind" CHECK ("mover_kind" IN ('person', 'client')),
  CONSTRAINT "movements_amount" CHECK ("amount_fen" > 0)
);
CREATE INDEX "movements_mover_idx" ON "movements" ("mover_kind", "mover", "at");
CREATE INDEX "movements_at_idx" ON "movements" ("at");

-- Proposed resolutions are proposals too: the person who proposed one, what it may move, and its alert.
ALTER TABLE "intervention_resolutions" ADD COLUMN "proposed_person" TEXT;
ALTER TABLE "intervention_resolutions" ADD COLUMN "proposed_fen" INTEGER;
ALTER TABLE "intervention_resolutions" ADD COLUMN "alerted_at" TIMESTAMPTZ(3);
CREATE INDEX "intervention_resolutions_proposed_idx" ON "intervention_resolutions" ("proposed_at", "id") WHERE "status" = 'proposed';

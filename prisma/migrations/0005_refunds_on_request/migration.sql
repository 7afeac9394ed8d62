-- Refunds that a shop or an operator asks for, and what they take back.

-- AlterTable
ALTER TABLE "refunds" ADD COLUMN     "restock" BOOLEAN NOT NULL DEFAULT false,
ADD COLUMN     "revoke_codes" BOOLEAN NOT NULL DEFAULT false;

-- AlterTable
ALTER TABLE "stock_reservations" ADD COLUMN     "returned" INTEGER NOT NULL DEFAULT 0;

-- AlterTable
ALTER TABLE "product_codes" ADD COLUMN     "revoked_at" TIMESTAMPTZ(3),
ADD COLUMN     "revoked_by" TEXT,
ADD COLUMN     "used_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "rate_limits" (
    "name" TEXT NOT NULL,
    "tokens" DOUBLE PRECISION NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "rate_limits_pkey" PRIMARY KEY ("name")
);

-- What Prisma's schema can't say: the guards. -----------------------------------------------------

-- Only what was taken comes back, and once.
ALTER TABLE "stock_reservations"
  ADD CONSTRAINT "stock_reservations_returned" CHECK ("returned" >= 0 AND "returned" <= "quantity" AND ("returned" = 0 OR "status" = 'taken'));
-- A code that was used is not revoked, and only one that somebody has can be either.
ALTER TABLE "product_codes"
  ADD CONSTRAINT "product_codes_used_or_revoked" CHECK ("used_at" IS NULL OR "revoked_at" IS NULL),
  ADD CONSTRAINT "product_codes_handed_out_first" CHECK ("delivered_at" IS NOT NULL OR ("used_at" IS NULL AND "revoked_at" IS NULL)),
  ADD CONSTRAINT "product_codes_revoked_whole" CHECK (("revoked_at" IS NULL) = ("revoked_by" IS NULL));

ALTER TABLE "rate_limits" ADD CONSTRAINT "rate_limits_tokens" CHECK ("tokens" >= 0);
INSERT INTO "rate_limits" ("name", "tokens") VALUES ('wechat.refund_failures', 3);

-- The accounts that money may be shared with: those that an admin made known, and those that WeChat
-- Pay has paid a share to before.

-- CreateTable
CREATE TABLE "known_receivers" (
    "id" UUID NOT NULL,
    "type" TEXT NOT NULL,
    "account_hash" TEXT NOT NULL,
    "account_encrypted" TEXT,
    "name_encrypted" TEXT,
    "relation_type" TEXT,
    "paid_as" UUID,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "removed_at" TIMESTAMPTZ(3),

    CONSTRAINT "known_receivers_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "known_receivers_once" ON "known_receivers"("type", "account_hash");

-- CreateIndex
CREATE INDEX "known_receivers_created_idx" ON "known_receivers"("created_at", "id");

-- AddForeignKey
ALTER TABLE "known_receivers" ADD CONSTRAINT "known_receivers_paid_as_fkey" FOREIGN KEY ("paid_as") REFERENCES "profit_sharing_receivers"("id") ON DELETE RESTRICT ON UPDATE RESTRICT;

-- What Prisma's schema can't say: the guards. -----------------------------------------------------

ALTER TABLE "known_receivers"
  ADD CONSTRAINT "known_receivers_type_known" CHECK ("type" IN ('MERCHANT_ID','PERSONAL_OPENID')),
  ADD CONSTRAINT "known_receivers_has_account" CHECK ("account_encrypted" IS NOT NULL OR "paid_as" IS NOT NULL);

-- A trigger, so that a worker of an earlier version remembers them too while the processes are upgraded.
-- A removed receiver stays removed.
CREATE FUNCTION "remember_paid_receiver"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "known_receivers" ("id", "type", "account_hash", "paid_as", "created_at")
  VALUES (gen_random_uuid(), NEW."type", NEW."account_hash", NEW."id", now())
  ON CONFLICT ("type", "account_hash") DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER "profit_sharing_receivers_paid" AFTER UPDATE OF "result" ON "profit_sharing_receivers" FOR EACH ROW
  WHEN (NEW."result" = 'SUCCESS' AND OLD."result" <> 'SUCCESS')
  EXECUTE FUNCTION "remember_paid_receiver"();

INSERT INTO "known_receivers" ("id", "type", "account_hash", "paid_as", "created_at")
SELECT DISTINCT ON (r."type", r."account_hash") gen_random_uuid(), r."type", r."account_hash", r."id", now()
FROM "profit_sharing_receivers" r WHERE r."result" = 'SUCCESS'
ORDER BY r."type", r."account_hash", r."id" DESC;

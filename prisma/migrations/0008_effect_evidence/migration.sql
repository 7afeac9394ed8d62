-- What is known of an effect's last failure, for the question that is asked when its budget is spent.
ALTER TABLE "order_effects" ADD COLUMN "evidence" JSONB;

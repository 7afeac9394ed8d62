-- The patrol adds up the sales of one day from its orders, and those of one product from its days. Each of
-- the two is found here, so that the cost stays that of a day however many there were.
CREATE INDEX "orders_paid_idx" ON "orders" ("paid_at", "out_trade_no") WHERE "paid_at" IS NOT NULL;
CREATE INDEX "sales_statistics_sku_idx" ON "sales_statistics" ("sku", "day");

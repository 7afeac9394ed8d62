-- What the patrol looks for, each in an index that holds only that: its cost grows with what is open or
-- wrong, not with the orders there ever were.

-- Orders that nobody will come for: none, as long as all is well. Paid ones that wait for a person are here.
CREATE INDEX "orders_unattended_idx" ON "orders" ("created_at") WHERE "due_at" IS NULL AND "status" IN ('created','awaiting_payment','paid');

-- What is reserved now; its sum must be what the products say.
CREATE INDEX "stock_reservations_held_idx" ON "stock_reservations" ("sku") WHERE "status" = 'reserved';

-- Refunds by their last change, so that those of the last minutes are found without reading all.
CREATE INDEX "refunds_changed_idx" ON "refunds" (GREATEST("created_at", "accepted_at", "succeeded_at", "closed_at"));

-- Refused deliveries of callbacks are few and looked for among many: by what refused them.
CREATE INDEX "callback_deliveries_refused_idx" ON "callback_deliveries" ("outcome", "received_at", "id") WHERE "outcome" NOT IN ('added', 'duplicate');

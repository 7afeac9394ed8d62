-- Outages that all processes share; each row is turned by the first that notices.
INSERT INTO "dependencies" ("name", "since") VALUES
  ('temporal', 'epoch'), ('workers_notices', 'epoch'), ('workers_overdue', 'epoch');

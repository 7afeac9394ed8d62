// Purges rows that are older than they are kept.
import type { PurgeKind } from '../../domain/patrol/findings';
import { billDateAt } from '../../domain/reconciliation/bill-days';
import { DEFAULT_KEPT_MS, type RuntimeOverrides } from '../../domain/settings/runtime-settings';
import { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext } from '../core/context';

const DAY_MS = 24 * 3_600_000;

/**
 * How long each kind of row is kept, in ms. No statement here purges orders, money, effects,
 * interventions or the audit log: they are kept without end.
 */
function keptMs(settings: RuntimeOverrides): Readonly<Record<PurgeKind, number>> {
  const kept = { ...DEFAULT_KEPT_MS, ...settings };
  return {
    callback_body_purged: kept.keep_callback_bodies,
    idempotency_key_purged: kept.keep_idempotency_keys,
    // A fingerprint has its own end in the row.
    fingerprint_purged: 0,
    delivery_log_purged: kept.keep_delivery_logs,
    retry_budget_purged: 30 * DAY_MS,
    patrol_report_purged: 90 * DAY_MS,
    bill_line_purged: 90 * DAY_MS,
    statistics_purged: 400 * DAY_MS,
  };
}

/** All kinds of rows that are purged. */
export const PURGE_KINDS = Object.keys(keptMs({})) as PurgeKind[];

/** Rows of one statement: the locks and the transaction stay short. */
export const PURGE_BATCH = 500;

/** Purges old rows batch by batch, the oldest first; an index finds each kind. */
export function createPurge({ prisma }: DatabaseContext) {
  return {
    /**
     * Purges one batch.
     * @param settings the overrides of the operators
     * @returns the number of purged rows; less than {@link PURGE_BATCH} when nothing is left
     */
    batch(kind: PurgeKind, settings: RuntimeOverrides, nowMs: number): Promise<number> {
      const before = new Date(nowMs - keptMs(settings)[kind]);
      return prisma.$executeRaw(statement(kind, before));
    },
  };
}

function statement(kind: PurgeKind, before: Date): Prisma.Sql {
  switch (kind) {
    case 'callback_body_purged':
      return Prisma.sql`
        UPDATE notification_inbox SET resource_encrypted = NULL WHERE id IN (
          SELECT id FROM notification_inbox
          WHERE resource_encrypted IS NOT NULL AND verdict IS NOT NULL AND received_at < ${before}
          ORDER BY received_at LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`;
    case 'idempotency_key_purged':
      return Prisma.sql`
        DELETE FROM idempotency_keys WHERE (api_key_name, route, key) IN (
          SELECT api_key_name, route, key FROM idempotency_keys WHERE created_at < ${before}
          ORDER BY created_at LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`;
    case 'fingerprint_purged':
      return Prisma.sql`
        DELETE FROM order_fingerprints WHERE fingerprint IN (
          SELECT fingerprint FROM order_fingerprints WHERE expires_at < ${before}
          ORDER BY expires_at LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`;
    case 'delivery_log_purged':
      return Prisma.sql`
        DELETE FROM callback_deliveries WHERE id IN (
          SELECT id FROM callback_deliveries WHERE received_at < ${before}
          ORDER BY received_at, id LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`;
    case 'retry_budget_purged':
      return Prisma.sql`
        DELETE FROM retry_budgets WHERE (number, operation, subject) IN (
          SELECT number, operation, subject FROM retry_budgets WHERE updated_at < ${before}
          ORDER BY updated_at LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`;
    case 'bill_line_purged':
      return Prisma.sql`
        DELETE FROM reconciliation_lines WHERE (bill_date, line) IN (
          SELECT bill_date, line FROM reconciliation_lines
          WHERE bill_date < ${billDateAt(before.getTime())}
          ORDER BY bill_date, line LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`;
    case 'statistics_purged':
      return Prisma.sql`
        WITH failures AS (DELETE FROM retry_failures WHERE (at, operation, code) IN (
          SELECT at, operation, code FROM retry_failures WHERE at < ${before}
          ORDER BY at LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED))
        DELETE FROM statistics WHERE at IN (
          SELECT at FROM statistics WHERE at < ${before}
          ORDER BY at LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`;
    case 'patrol_report_purged':
      // The newest finished report stays, however old: it says where the patrol stopped.
      return Prisma.sql`
        DELETE FROM patrol_runs WHERE id IN (
          SELECT id FROM patrol_runs
          WHERE started_at < least(${before}, (SELECT max(started_at) FROM patrol_runs
            WHERE finished_at IS NOT NULL))
          ORDER BY started_at, id LIMIT ${PURGE_BATCH} FOR UPDATE SKIP LOCKED)`;
  }
}

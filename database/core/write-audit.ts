// Appends to the audit log.
import type { Actor, Tx } from './context';

interface AuditRecord {
  /** For example `refund.request`. */
  readonly action: string;
  /** The number, sku or name of the thing that changes. */
  readonly subject: string;
  /** No personal data. */
  readonly details: object;
}

/** Appends to the audit log who did what, in the transaction that does it. */
export async function audit(
  tx: Tx,
  actor: Actor,
  { action, subject, details }: AuditRecord,
): Promise<void> {
  await tx.auditEntry.createMany({
    data: [{ actor: actor.name, role: actor.role, action, subject, details }],
  });
}

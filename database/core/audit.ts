import type { Actor, Tx } from './context';

/** Writes down who did what, in the transaction that does it. `details` carries no personal data. */
export async function audit(
  tx: Tx,
  actor: Actor,
  action: string,
  subject: string,
  details: object,
): Promise<void> {
  await tx.auditEntry.createMany({
    data: [{ actor: actor.name, role: actor.role, action, subject, details }],
  });
}

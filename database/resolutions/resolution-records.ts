import { audit } from '../core/write-audit';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import type { Params } from './resolution-scope';

/** Keyed, so that nobody reads a bank card in it; the same whatever the order of the params. */
export function hashOf(hash: DatabaseContext['hash'], params: Params): string {
  const sorted = Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1));
  return hash.hex('body', JSON.stringify(sorted));
}

/** Writes down who proposed, approved or withdrew an answer, and why. */
export function auditResolution(
  tx: Tx,
  actor: Actor,
  what: 'proposed' | 'approved' | 'withdrawn',
  question: {
    readonly id: string;
    readonly outTradeNo: string;
    readonly reason: string;
    readonly subject: string;
  },
  answer: { readonly id: string; readonly action: string; readonly note: string },
): Promise<void> {
  return audit(tx, actor, {
    action: `intervention.${what}`,
    subject: question.outTradeNo,
    details: {
      intervention_id: question.id,
      resolution_id: answer.id,
      reason: question.reason,
      subject: question.subject,
      action: answer.action,
      note: answer.note,
    },
  });
}

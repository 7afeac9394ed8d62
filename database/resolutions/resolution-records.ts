// Hashes a resolution's params, and writes its entries of the audit log.
import { audit } from '../core/write-audit';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import type { Params } from './resolution-scope';

/** Hashes params with a key, so that no bank card can be guessed; their order doesn't matter. */
export function hashOf(hash: DatabaseContext['hash'], params: Params): string {
  const sorted = Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1));
  return hash.hex('body', JSON.stringify(sorted));
}

/** Writes into the audit log who proposed, approved or withdrew a resolution, and why. */
export function auditResolution(
  tx: Tx,
  actor: Actor,
  what: 'proposed' | 'approved' | 'withdrawn',
  resolution: {
    readonly id: string;
    readonly action: string;
    readonly note: string;
    readonly intervention: {
      readonly id: string;
      readonly outTradeNo: string;
      readonly reason: string;
      readonly subject: string;
    };
  },
): Promise<void> {
  const { intervention } = resolution;
  return audit(tx, actor, {
    action: `intervention.${what}`,
    subject: intervention.outTradeNo,
    details: {
      intervention_id: intervention.id,
      resolution_id: resolution.id,
      reason: intervention.reason,
      subject: intervention.subject,
      action: resolution.action,
      note: resolution.note,
    },
  });
}

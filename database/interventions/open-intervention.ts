import { v7 as uuidv7 } from 'uuid';
import type { InterventionReason } from '../../domain/interventions/reasons';
import type { Tx } from '../core/context';

export interface NewIntervention {
  readonly outTradeNo: string;
  /** False when the number is not one of our orders. */
  readonly ours: boolean;
  readonly reason: InterventionReason;
  /** What exactly is in question: a transaction id, an effect, an operation. */
  readonly subject: string;
  /** What a person needs to decide; never personal data. */
  readonly evidence: Readonly<Record<string, unknown>>;
  /** The most that an answer may move; left out where no money is in question. */
  readonly amountFen?: number | null;
  readonly now: Date;
}

/** Opens a question for a person; one that is open already for the same matter stays as it is. True when it is news. */
export async function openIntervention(tx: Tx, entry: NewIntervention): Promise<boolean> {
  const opened = await tx.$executeRaw`
    INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence, amount_fen, since,
      previous_id)
    VALUES (${uuidv7()}::uuid, ${entry.outTradeNo}, ${entry.ours ? entry.outTradeNo : null},
      ${entry.reason}, ${entry.subject}, ${JSON.stringify(entry.evidence)}::jsonb,
      ${entry.amountFen ?? null}, ${entry.now},
      (SELECT id FROM interventions WHERE out_trade_no = ${entry.outTradeNo}
        AND reason = ${entry.reason} AND subject = ${entry.subject}
        ORDER BY since DESC LIMIT 1))
    ON CONFLICT (out_trade_no, reason, subject) WHERE status = 'open' DO NOTHING`;
  return opened === 1;
}

/**
 * Ends questions that something else has answered: nobody has to decide any more. An answer that was
 * given meanwhile is withdrawn when its run comes to it.
 * @param subjects matters of these reasons; all of the number when left out
 */
export async function endInterventions(
  tx: Tx,
  outTradeNo: string,
  reasons: readonly InterventionReason[],
  now: Date,
  subjects?: string | readonly string[],
): Promise<void> {
  await tx.intervention.updateMany({
    where: {
      outTradeNo,
      reason: { in: [...reasons] },
      status: 'open',
      ...(subjects === undefined ? {} : { subject: { in: [subjects].flat() } }),
    },
    data: { status: 'resolved', resolvedAt: now, resolution: 'moot' },
  });
}

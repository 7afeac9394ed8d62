// Opens interventions, and ends them when nobody has to decide any more.
import { v7 as uuidv7 } from 'uuid';
import type { InterventionReason } from '../../domain/interventions/reasons';
import { Prisma } from '../../generated/prisma/client';
import type { Tx } from '../core/context';

export interface NewIntervention {
  /** null where it is about a bill, which its subject names. */
  readonly outTradeNo: string | null;
  /** False when the number is not one of our orders. */
  readonly ours: boolean;
  readonly reason: InterventionReason;
  /** The exact thing that it is about: see domain/interventions/subjects. */
  readonly subject: string;
  /** The facts that an operator needs to decide; never personal data. */
  readonly evidence: Readonly<Record<string, unknown>>;
  /** The most that a resolution may move, in fen; null or left out where it moves no money. */
  readonly amountFen?: number | null;
  readonly now: Date;
}

/**
 * Opens an intervention. An intervention that is open for this number, reason and subject stays as
 * it is.
 * @returns true when this call opened it
 */
export async function openIntervention(tx: Tx, entry: NewIntervention): Promise<boolean> {
  const { outTradeNo, reason, subject } = entry;
  const ofNumber =
    outTradeNo === null
      ? Prisma.sql`out_trade_no IS NULL`
      : Prisma.sql`out_trade_no = ${outTradeNo}`;
  const opened = await tx.$executeRaw`
    INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence, amount_fen,
      since, previous_id)
    VALUES (${uuidv7()}::uuid, ${outTradeNo}, ${entry.ours ? outTradeNo : null}, ${reason},
      ${subject}, ${JSON.stringify(entry.evidence)}::jsonb, ${entry.amountFen ?? null},
      ${entry.now},
      (SELECT id FROM interventions WHERE ${ofNumber}
        AND reason = ${reason} AND subject = ${subject} ORDER BY since DESC LIMIT 1))
    ON CONFLICT DO NOTHING`;
  return opened === 1;
}

/** A dismissed contradiction comes back after this time while it is true: nobody forgets it. */
const DISMISSED_FOR_MS = 30 * 24 * 3_600_000;

/**
 * Opens an intervention, unless it is open, or a person has dismissed one with the same evidence in
 * the last 30 days. One statement reads both, so a dismissal at the same moment counts.
 * @returns true when this call opened it
 */
export async function openUnlessDismissed(tx: Tx, entry: NewIntervention): Promise<boolean> {
  const { outTradeNo, reason, subject, evidence, now } = entry;
  const quietSince = new Date(now.getTime() - DISMISSED_FOR_MS);
  const [known] = await tx.$queryRaw<{ id: string }[]>`
    SELECT id::text FROM interventions
    WHERE out_trade_no = ${outTradeNo} AND reason = ${reason} AND subject = ${subject}
      AND (status = 'open' OR (resolution = 'dismiss' AND resolved_at > ${quietSince}
        AND evidence = ${JSON.stringify(evidence)}::jsonb)) LIMIT 1`;
  return known ? false : openIntervention(tx, entry);
}

/**
 * Ends the open interventions of a number that an event has settled, so that nobody has to decide
 * them. A resolution that was approved meanwhile is refused with `MOOT` when its run comes to it.
 */
export async function endInterventions(
  tx: Tx,
  ended: {
    /** null for those about a bill. */
    readonly outTradeNo: string | null;
    readonly reasons: readonly InterventionReason[];
    /** All subjects when left out. */
    readonly subjects?: readonly string[];
    readonly now: Date;
  },
): Promise<void> {
  const { outTradeNo, reasons, subjects, now } = ended;
  await tx.intervention.updateMany({
    where: {
      outTradeNo,
      reason: { in: [...reasons] },
      status: 'open',
      ...(subjects === undefined ? {} : { subject: { in: [...subjects] } }),
    },
    data: { status: 'resolved', resolvedAt: now, resolution: 'moot' },
  });
}

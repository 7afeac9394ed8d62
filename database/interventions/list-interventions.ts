// Lists interventions and finds one, each with its pending resolution.
import type { Fen } from '../../domain/money';
import { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext } from '../core/context';

export interface InterventionView {
  readonly id: string;
  /** null where it is about a bill, which its subject names. */
  readonly outTradeNo: string | null;
  readonly reason: string;
  readonly subject: string;
  readonly status: string;
  readonly since: Date;
  readonly evidence: unknown;
  /** The most that a resolution may move; null where it moves no money. */
  readonly amountFen: Fen | null;
  readonly resolvedAt: Date | null;
  /** The action that resolved it, or `moot` when an event ended it; null while it is open. */
  readonly resolution: string | null;
  /** The intervention before it about the same subject. */
  readonly previousId: string | null;
  /** The resolution that waits for a second key, or for the run that carries it out. */
  readonly pending: {
    readonly id: string;
    readonly action: string;
    readonly status: string;
    readonly note: string;
    readonly proposed_by: string | null;
  } | null;
}

export interface InterventionFilter {
  readonly status: 'open' | 'resolved' | null;
  readonly reason: string | null;
  readonly outTradeNo: string | null;
  /** The last row of the page before. */
  readonly after: { readonly since: Date; readonly id: string } | null;
  readonly limit: number;
}

/** The interventions, oldest first. */
export function createInterventionList({ prisma }: DatabaseContext) {
  const select = (conditions: readonly Prisma.Sql[], limit: number) =>
    prisma.$queryRaw<InterventionView[]>`
      SELECT i.id::text, i.out_trade_no AS "outTradeNo", i.reason, i.subject, i.status, i.since,
        i.evidence, i.amount_fen AS "amountFen", i.resolved_at AS "resolvedAt", i.resolution,
        i.previous_id::text AS "previousId", (
          SELECT json_build_object('id', r.id, 'action', r.action, 'status', r.status,
            'note', r.note, 'proposed_by', r.proposed_by)
          FROM intervention_resolutions r
          WHERE r.intervention_id = i.id AND r.status IN ('proposed', 'approved')
        ) AS pending
      FROM interventions i WHERE ${Prisma.join([...conditions], ' AND ')}
      ORDER BY i.since, i.id LIMIT ${limit}`;
  return {
    /** One page of those that fit all of the filter; null fits every row. */
    list(filter: InterventionFilter): Promise<InterventionView[]> {
      const { status, reason, outTradeNo, after, limit } = filter;
      const conditions = [Prisma.sql`true`];
      if (status !== null) conditions.push(Prisma.sql`i.status = ${status}`);
      if (reason !== null) conditions.push(Prisma.sql`i.reason = ${reason}`);
      if (outTradeNo !== null) conditions.push(Prisma.sql`i.out_trade_no = ${outTradeNo}`);
      if (after) {
        conditions.push(Prisma.sql`(i.since, i.id) > (${after.since}, ${after.id}::uuid)`);
      }
      return select(conditions, limit);
    },

    /** Counts the open interventions of each reason, for the metrics. */
    openByReason: (): Promise<{ readonly reason: string; readonly count: number }[]> =>
      prisma.$queryRaw`
        SELECT reason, count(*)::int AS count FROM interventions WHERE status = 'open'
        GROUP BY reason`,

    /** @returns null when there is none */
    async find(id: string): Promise<InterventionView | null> {
      const [row] = await select([Prisma.sql`i.id = ${id}::uuid`], 1);
      return row ?? null;
    },
  };
}

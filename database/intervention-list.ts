import { Prisma } from '../generated/prisma/client';
import type { DatabaseContext } from './context';

export interface InterventionView {
  readonly id: string;
  readonly outTradeNo: string;
  readonly reason: string;
  readonly subject: string;
  readonly status: string;
  readonly since: Date;
  readonly evidence: unknown;
}

export interface InterventionFilter {
  readonly status: 'open' | 'resolved' | null;
  readonly after: { readonly since: Date; readonly id: string } | null;
  readonly limit: number;
}

/** The questions for a person, oldest first. */
export function createInterventionList({ prisma }: DatabaseContext) {
  return {
    list(filter: InterventionFilter): Promise<InterventionView[]> {
      const conditions = [Prisma.sql`true`];
      if (filter.status !== null) conditions.push(Prisma.sql`status = ${filter.status}`);
      if (filter.after) {
        const { since, id } = filter.after;
        conditions.push(Prisma.sql`(since, id) > (${since}, ${id}::uuid)`);
      }
      return prisma.$queryRaw<InterventionView[]>`
        SELECT id::text, out_trade_no AS "outTradeNo", reason, subject, status, since, evidence
        FROM interventions WHERE ${Prisma.join(conditions, ' AND ')}
        ORDER BY since, id LIMIT ${filter.limit}`;
    },
  };
}

import type { DatabaseContext } from '../core/context';

/** An intervention that nobody was told of yet; no evidence, which stays in its row. */
export interface NewIntervention {
  readonly id: string;
  readonly outTradeNo: string;
  readonly reason: string;
  readonly subject: string;
}

/** New interventions, each told at least once by one of the processes. */
export function createAnnouncements({ prisma }: DatabaseContext) {
  return {
    /**
     * Takes up to `limit` that nobody was told of, oldest first; others take others. They count as told
     * when `tell` is through; when it throws, or the process dies, somebody tells of them again.
     * @returns how many
     */
    announce: (
      limit: number,
      tell: (questions: readonly NewIntervention[]) => Promise<void>,
      now: () => number,
    ): Promise<number> =>
      prisma.$transaction(async (tx) => {
        const questions = await tx.$queryRaw<NewIntervention[]>`
          SELECT id::text, out_trade_no AS "outTradeNo", reason, subject FROM interventions
          WHERE alerted_at IS NULL ORDER BY since LIMIT ${limit} FOR NO KEY UPDATE SKIP LOCKED`;
        if (questions.length === 0) return 0;
        await tell(questions);
        const ids = questions.map(({ id }) => id);
        await tx.$executeRaw`
          UPDATE interventions SET alerted_at = ${new Date(now())} WHERE id = ANY(${ids}::uuid[])`;
        return questions.length;
      }),
  };
}

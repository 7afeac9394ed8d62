// Announces new interventions: each at least once, by one of the processes.
import type { DatabaseContext } from '../core/context';

/** An intervention that was not announced yet; without its evidence, which stays in its row. */
export interface UnannouncedIntervention {
  readonly id: string;
  /** null where it is about a bill. */
  readonly outTradeNo: string | null;
  readonly reason: string;
  readonly subject: string;
}

/** The interventions that no alert has been sent for. */
export function createAnnouncements({ prisma }: DatabaseContext) {
  return {
    /**
     * Hands up to `limit` interventions to `send`, oldest first. Several processes may call it at
     * once: each takes others. They count as announced once `send` has returned; when it throws, or
     * the process dies, they are announced again.
     * @returns how many
     */
    announce: (
      limit: number,
      send: (interventions: readonly UnannouncedIntervention[]) => Promise<void>,
      now: () => number,
    ): Promise<number> =>
      prisma.$transaction(async (tx) => {
        const interventions = await tx.$queryRaw<UnannouncedIntervention[]>`
          SELECT id::text, out_trade_no AS "outTradeNo", reason, subject FROM interventions
          WHERE alerted_at IS NULL ORDER BY since LIMIT ${limit} FOR NO KEY UPDATE SKIP LOCKED`;
        if (interventions.length === 0) return 0;
        await send(interventions);
        const ids = interventions.map(({ id }) => id);
        await tx.$executeRaw`
          UPDATE interventions SET alerted_at = ${new Date(now())} WHERE id = ANY(${ids}::uuid[])`;
        return interventions.length;
      }),
  };
}

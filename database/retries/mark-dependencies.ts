import type { DependencyName, DependencyState } from '../../domain/retries/dependencies';
import type { DatabaseContext } from '../core/context';

/** What all processes share of an outage. */
export interface Dependency {
  readonly name: string;
  readonly state: DependencyState;
  readonly since: Date;
}

/** Whether what we depend on is known to be down, over all processes. */
export function createDependencies({ prisma }: DatabaseContext) {
  return {
    list: (): Promise<Dependency[]> =>
      prisma.$queryRaw<Dependency[]>`SELECT name, state, since FROM dependencies`,

    /**
     * Notes that a dependency went down or came back.
     * @returns true for the one process that is first to say so: it raises the alert
     */
    async mark(
      name: DependencyName,
      state: DependencyState,
      evidence: object,
      nowMs: number,
    ): Promise<boolean> {
      const flipped = await prisma.$queryRaw<unknown[]>`
        UPDATE dependencies SET state = ${state}, since = ${new Date(nowMs)},
          evidence = ${JSON.stringify(evidence)}::jsonb
        WHERE name = ${name} AND state <> ${state} RETURNING 1`;
      return flipped.length > 0;
    },
  };
}

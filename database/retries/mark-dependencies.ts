// Marks for all processes whether a dependency is up or down.
import type { DependencyName, DependencyState } from '../../domain/retries/dependencies';
import type { DatabaseContext } from '../core/context';

/** The state of a dependency, which all processes share. */
export interface Dependency {
  readonly name: string;
  readonly state: DependencyState;
  readonly since: Date;
}

/** The rows of WeChat, Temporal and the other dependencies. */
export function createDependencies({ prisma }: DatabaseContext) {
  return {
    /** Lists all dependencies with their state. */
    list: (): Promise<Dependency[]> =>
      prisma.$queryRaw<Dependency[]>`SELECT name, state, since FROM dependencies`,

    /**
     * Records that a dependency went down or came up again.
     * @returns true for the one process that changed the state; it sends the alert
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

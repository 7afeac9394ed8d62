import type { Logger } from '../config/logger';
import type { Database } from '../database/database';
import type { AlertPort } from '../domain/alert';
import { DEPENDENCIES, type DependencyName, type DependencyState } from '../domain/dependencies';

export interface OutageDeps {
  readonly alerts: AlertPort;
  readonly logger: Logger;
  readonly now: () => number;
}

/**
 * Outages as all processes see them: the one that turns the shared row says so, in one line of the log
 * and one alert, whatever waits and however many notice.
 */
export function createOutages(
  deps: OutageDeps & { readonly dependencies: Pick<Database['dependencies'], 'mark'> },
) {
  return {
    /**
     * Costs a statement; says something only when the state is news.
     * @param facts for the row and the log
     */
    async note(name: DependencyName, state: DependencyState, facts: object): Promise<void> {
      const isFirst = await deps.dependencies.mark(name, state, facts, deps.now());
      if (isFirst) await tellOutage(deps, name, state, facts);
    },
  };
}

export type Outages = ReturnType<typeof createOutages>;

/** The line of the log, and the alert. */
export async function tellOutage(
  { alerts, logger }: OutageDeps,
  dependency: DependencyName,
  state: DependencyState,
  facts: object,
): Promise<void> {
  if (state === 'down') logger.error({ dependency, ...facts }, 'dependency.down');
  else logger.info({ dependency, ...facts }, 'dependency.up');
  const text = DEPENDENCIES[dependency][state];
  await alerts.alert({ kind: `dependency_${state}`, count: 1, numbers: [], text });
}

import type { AlertPort } from '../../domain/interventions/alert';
import {
  DEPENDENCIES,
  type DependencyName,
  type DependencyState,
} from '../../domain/retries/dependencies';

/** Where an outage is logged: the process's logger. */
export interface OutageLogger {
  warn(facts: object, event: string): void;
  error(facts: object, event: string): void;
  info(facts: object, event: string): void;
}

export interface OutageDeps {
  readonly alerts: AlertPort;
  readonly logger: OutageLogger;
  readonly now: () => number;
}

/** Marks the shared row of a dependency. @returns true for the process that turned it. */
type MarkDependency = (
  name: DependencyName,
  state: DependencyState,
  facts: object,
  nowMs: number,
) => Promise<boolean>;

/**
 * Outages as all processes see them: the one that turns the shared row says so, in one line of the log
 * and one alert, whatever waits and however many notice.
 */
export function createOutages(
  deps: OutageDeps & { readonly dependencies: { readonly mark: MarkDependency } },
) {
  return {
    /**
     * Costs a statement; says something only when the state is news.
     * @param facts for the row and the log
     */
    async report(name: DependencyName, state: DependencyState, facts: object): Promise<void> {
      const isFirst = await deps.dependencies.mark(name, state, facts, deps.now());
      if (isFirst) await reportOutage(deps, name, state, facts);
    },
  };
}

export type Outages = ReturnType<typeof createOutages>;

/** The line of the log, and the alert. */
export async function reportOutage(
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

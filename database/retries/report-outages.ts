// Reports outages: one process writes the log line and sends the alert for all.
import type { AlertPort } from '../../domain/interventions/alert';
import {
  DEPENDENCIES,
  type DependencyName,
  type DependencyState,
} from '../../domain/retries/dependencies';

/** The logger of the process. */
export interface OutageLogger {
  warn(facts: object, event: string): void;
  error(facts: object, event: string): void;
  info(facts: object, event: string): void;
}

/** The alerts, logger and clock that a report uses. */
export interface OutageDeps {
  readonly alerts: AlertPort;
  readonly logger: OutageLogger;
  readonly now: () => number;
}

/** Marks the shared row of a dependency. @returns true for the process that changed it */
type MarkDependency = (
  name: DependencyName,
  state: DependencyState,
  facts: object,
  nowMs: number,
) => Promise<boolean>;

/**
 * Reports outages. The process that changes the shared row writes one log line and sends one alert,
 * however many processes notice the outage.
 */
export function createOutages(
  deps: OutageDeps & { readonly dependencies: { readonly mark: MarkDependency } },
) {
  return {
    /**
     * Costs one statement, and reports only a change of the state.
     * @param facts for the row and the log
     */
    async report(name: DependencyName, state: DependencyState, facts: object): Promise<void> {
      const isFirst = await deps.dependencies.mark(name, state, facts, deps.now());
      if (isFirst) await reportOutage(deps, name, state, facts);
    },
  };
}

/** The report of outages. */
export type Outages = ReturnType<typeof createOutages>;

/** Writes the log line and sends the alert. */
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

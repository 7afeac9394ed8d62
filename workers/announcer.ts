import { setTimeout as sleep } from 'node:timers/promises';
import type { AlertPort } from '../domain/interventions/alert';
import type { Logger } from '../config/logger';
import type { UnannouncedIntervention } from '../database/interventions/announcements';
import type { Database } from '../database/database';
import { isUnavailable } from '../database/core/classify-errors';
import type { DatabaseWatch } from './dependency-watch';
import type { WorkerMetrics } from './metrics';

export interface AnnouncerDeps {
  readonly announcements: Database['announcements'];
  readonly alerts: AlertPort;
  readonly databaseWatch: DatabaseWatch;
  readonly metrics: Pick<WorkerMetrics, 'opened'>;
  readonly logger: Logger;
  readonly now: () => number;
}

/** A person hears of a new question within this and a moment. */
const TICK_MS = 2_000;
/**
 * Told in one go, so that thousands of questions of one reason are a handful of alerts; as many lines
 * of the log, and one update, are well inside a transaction's time.
 */
const MAX_PER_TICK = 2_000;
/** Numbers that an alert names, to start from. */
const SHOWN_NUMBERS = 10;

/** Tells of new interventions: a line of the log for each, a counter, an alert per reason. */
export function createAnnouncer(deps: AnnouncerDeps) {
  const { announcements, databaseWatch, logger, now } = deps;

  async function tick(): Promise<void> {
    try {
      await announcements.announce(MAX_PER_TICK, (questions) => tell(deps, questions), now);
      databaseWatch.succeeded();
    } catch (error) {
      if (isUnavailable(error)) databaseWatch.failed();
      else logger.error({ err: error }, 'announcer.failed');
    }
  }

  return {
    /** Runs until `stopping`; never throws. */
    async run(stopping: AbortSignal): Promise<void> {
      while (!stopping.aborted) {
        await tick();
        await sleep(TICK_MS, undefined, { signal: stopping }).catch(() => undefined);
      }
    },
  };
}

async function tell(
  { alerts, metrics, logger }: AnnouncerDeps,
  questions: readonly UnannouncedIntervention[],
): Promise<void> {
  for (const { id, outTradeNo, reason, subject } of questions) {
    logger.error({ id, outTradeNo, reason, subject }, 'intervention.opened');
  }
  const reasons = new Set(questions.map(({ reason }) => reason));
  for (const reason of reasons) {
    const group = questions.filter((question) => question.reason === reason);
    await alerts.alert({
      kind: 'interventions',
      reason,
      count: group.length,
      numbers: group.slice(0, SHOWN_NUMBERS).map(({ outTradeNo }) => outTradeNo),
      text: `${group.length} × ${reason}: a person is needed`,
    });
    metrics.opened.inc({ reason }, group.length);
  }
}

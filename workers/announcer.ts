// Announces new interventions and proposals: a log entry each, and alerts.
import { setTimeout as sleep } from 'node:timers/promises';
import type { AlertPort } from '../domain/interventions/alert';
import type { Logger } from '../config/logger';
import type { UnannouncedProposal } from '../database/proposals/list-proposals';
import { formatFen } from '../domain/money';
import type { UnannouncedIntervention } from '../database/interventions/announcements';
import type { Database } from '../database/database';
import { isUnavailable } from '../database/core/classify-errors';
import type { DatabaseWatch } from './dependency-watch';
import type { WorkerMetrics } from './metrics';

export interface AnnouncerDeps {
  readonly announcements: Database['announcements'];
  readonly proposals: Pick<Database['proposals'], 'announce' | 'expire'>;
  readonly alerts: AlertPort;
  readonly databaseWatch: DatabaseWatch;
  readonly metrics: Pick<WorkerMetrics, 'opened'>;
  readonly logger: Logger;
  readonly now: () => number;
}

/** Time between two looks for new interventions. */
const TICK_MS = 2_000;
/**
 * Interventions that one look announces, so that thousands with the same reason are a handful of
 * alerts. Their log entries and one UPDATE fit well into the time of a transaction.
 */
const MAX_PER_TICK = 2_000;
/** Each proposal is one alert, so one look sends only some. */
const MAX_PROPOSALS = 20;
/** Numbers in one alert, for a person to begin with. */
const SHOWN_NUMBERS = 10;

/**
 * Makes the announcer; any number of workers run one, and each intervention is announced by one.
 */
export function createAnnouncer(deps: AnnouncerDeps) {
  const { announcements, proposals, databaseWatch, logger, now } = deps;

  async function tick(): Promise<void> {
    try {
      await announcements.announce(MAX_PER_TICK, (opened) => announce(deps, opened), now);
      await proposals.expire(now());
      await proposals.announce(MAX_PROPOSALS, (made) => announceProposals(deps, made), now);
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
        await sleep(TICK_MS, undefined, { signal: stopping }).catch(() => 'stopped');
      }
    },
  };
}

async function announce(
  { alerts, metrics, logger }: AnnouncerDeps,
  opened: readonly UnannouncedIntervention[],
): Promise<void> {
  for (const { id, outTradeNo, reason, subject } of opened) {
    logger.error({ id, outTradeNo, reason, subject }, 'intervention.opened');
  }
  const reasons = new Set(opened.map(({ reason }) => reason));
  for (const reason of reasons) {
    const group = opened.filter((intervention) => intervention.reason === reason);
    await alerts.alert({
      kind: 'interventions',
      reason,
      count: group.length,
      numbers: group.slice(0, SHOWN_NUMBERS).map((one) => one.outTradeNo ?? one.subject),
      text: `${group.length} new: ${reason}. GET /v1/interventions lists them, with their actions.`,
    });
    metrics.opened.inc({ reason }, group.length);
  }
}

async function announceProposals(
  { alerts, logger }: AnnouncerDeps,
  made: readonly UnannouncedProposal[],
): Promise<void> {
  for (const { id, action, subject, amountFen, proposedBy } of made) {
    logger.warn({ id, action, subject, amountFen, proposedBy }, 'proposal.made');
    const what = amountFen === null ? action : `${action} of ${formatFen(amountFen)}`;
    await alerts.alert({
      kind: 'proposal',
      count: 1,
      numbers: [subject],
      text:
        `${proposedBy ?? 'somebody in Temporal Web UI'} proposes: ${what} (${subject}). Another ` +
        'person has 24 hours to approve it. GET /v1/proposals lists what is open.',
    });
  }
}

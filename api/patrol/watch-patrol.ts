// Notices that the patrol has stopped, raises an alert, and sets its schedule right.
import type { Logger } from '../../config/logger';
import type { Database } from '../../database/database';
import type { AlertPort } from '../../domain/interventions/alert';
import { MISSED_PATROLS, PATROL_TIMES_MS } from '../../domain/temporal/patrol-schedule';
import type { PatrolSchedule, PatrolScheduleState } from '../temporal/patrol-schedule';

export interface PatrolWatchDeps {
  readonly patrol: Pick<Database['patrol'], 'lastFinishedAt'>;
  readonly marks: Database['alertMarks'];
  readonly schedule: PatrolSchedule;
  /** The interval in force, in ms. */
  readonly intervalMs: () => Promise<number>;
  /** False during an outage of Temporal, which has an alert of its own. */
  readonly temporalIsUp: () => boolean;
  /** Sends an alert of a kind at most once an hour. */
  readonly hourlyAlerts: AlertPort;
  readonly logger: Logger;
  readonly now: () => number;
}

/** Time between two looks at the last complete patrol: one row by an index. */
const LOOK_MS = 10_000;

/** A stop of the patrol as a person reads it. */
interface Stop {
  readonly found: 'paused' | 'missing' | 'idle' | 'failing';
  readonly text: string;
}

/**
 * Makes the watch. Every api process looks at the age of the last complete patrol. When it is older
 * than {@link MISSED_PATROLS} intervals, a row in the database lets one process act: at most one in
 * an interval, so that a repair has time to show.
 */
export function createPatrolWatch(deps: PatrolWatchDeps) {
  const { logger } = deps;
  const startedMs = deps.now();
  const reachable = { sinceMs: startedMs };
  let current: Promise<void> | null = null;

  async function tick(): Promise<void> {
    try {
      await look(deps, startedMs, reachable);
    } catch (error) {
      // Database or Temporal is away. No patrol can run then, so the time counts from its return.
      reachable.sinceMs = deps.now();
      logger.warn({ err: error }, 'patrol_watch.failed');
    }
  }

  let timer: NodeJS.Timeout | null = null;
  return {
    start(): void {
      timer = setInterval(() => {
        current ??= tick().finally(() => {
          current = null;
        });
      }, LOOK_MS);
    },
    async stop(): Promise<void> {
      if (timer) clearInterval(timer);
      await current;
    },
  };
}

async function look(
  deps: PatrolWatchDeps,
  startedMs: number,
  reachable: { sinceMs: number },
): Promise<void> {
  const { patrol, marks, schedule, now } = deps;
  if (!deps.temporalIsUp()) {
    reachable.sinceMs = now();
    return;
  }
  const [last, intervalMs] = await Promise.all([patrol.lastFinishedAt(), deps.intervalMs()]);
  const limitMs = MISSED_PATROLS * intervalMs;
  const ageMs = now() - (last?.getTime() ?? startedMs);
  if (ageMs < limitMs || now() - reachable.sinceMs < intervalMs) return;
  if (!(await marks.take('patrol_schedule', now(), intervalMs))) return;
  const state = await schedule.read();
  const stop = stopOf(state, { ageMs, limitMs, nowMs: now() });
  if (stop === null) return;
  await setRight(deps, stop, intervalMs);
  await deps.hourlyAlerts.alert({ kind: 'patrol_stopped', count: 1, numbers: [], text: stop.text });
}

/** @returns null while a patrol still has time to complete */
function stopOf(
  state: PatrolScheduleState,
  { ageMs, limitMs, nowMs }: { ageMs: number; limitMs: number; nowMs: number },
): Stop | null {
  const age = ageMs < 120_000 ? `${ageMs / 1_000} s` : `${Math.round(ageMs / 60_000)} min`;
  const since = `No patrol has completed for ${age}.`;
  switch (state.kind) {
    case 'paused':
      return {
        found: 'paused',
        text:
          `${since} Its schedule was paused (note: ${state.note ?? 'none'}), and goes on now. ` +
          'To make patrols rare, set patrol_interval instead.',
      };
    case 'missing':
      return { found: 'missing', text: `${since} Its schedule was gone, and is made again now.` };
    case 'active': {
      const fires = state.lastStartAt !== null && nowMs - state.lastStartAt.getTime() < limitMs;
      if (!fires && !state.isRunning) {
        const text = `${since} Its schedule started none, and is made anew now.`;
        return { found: 'idle', text };
      }
      if (state.isRunning && ageMs < limitMs + PATROL_TIMES_MS.run) return null;
      return {
        found: 'failing',
        text:
          `${since} Its schedule starts them, but they fail or hang: ` +
          'see GET /v1/patrol/runs, and whether workers run.',
      };
    }
  }
}

async function setRight(
  { schedule, logger }: PatrolWatchDeps,
  { found }: Stop,
  intervalMs: number,
): Promise<void> {
  switch (found) {
    case 'paused':
      await schedule.resume('Oncepay resumed it: no patrol had completed for three intervals');
      break;
    case 'missing':
      await schedule.create(intervalMs);
      break;
    case 'idle':
      await schedule.replace(intervalMs);
      break;
    case 'failing':
      break;
  }
  logger.error({ found, intervalMs }, 'patrol.stopped');
}

// Keeps the schedule of reconciliation in Temporal as the settings want it.
import {
  ScheduleAlreadyRunning,
  ScheduleClient,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ConnectionLike,
} from '@temporalio/client';
import type { TimeOfDay } from '../config/fields';
import type { Logger } from '../config/logger';
import {
  RECONCILIATION_ACTION,
  RECONCILIATION_SCHEDULE_ID,
  RECONCILIATION_TIME_ZONE,
} from '../domain/temporal/reconciliation-schedule';

/** A Temporal server that lost its data has its schedule again within this. */
const CHECK_MS = 60_000;
const CALL_TIMEOUT_MS = 5_000;
/** Temporal makes up for a start that it missed for so long. The next start finds older days. */
const CATCH_UP_MS = 12 * 3_600_000;

export interface ReconciliationScheduleDeps {
  readonly connection: ConnectionLike;
  readonly namespace: string;
  /** When the day before is reconciled, in Beijing; null: there is no schedule. */
  readonly at: TimeOfDay | null;
  readonly logger: Logger;
}

/**
 * Checks the schedule at once and every minute: creates a missing one, changes a wrong time, and
 * deletes it when reconciliation is off. A person may pause it; it stays paused.
 * @returns a function that ends the checks
 */
export function keepReconciliationSchedule(deps: ReconciliationScheduleDeps): () => void {
  const { connection, namespace, logger } = deps;
  const client = new ScheduleClient({ connection, namespace });
  const check = () => {
    ensureSchedule(client, deps).catch((error: unknown) =>
      logger.warn({ err: error }, 'reconciliation_schedule.unknown'),
    );
  };
  check();
  const timer = setInterval(check, CHECK_MS);
  return () => clearInterval(timer);
}

async function ensureSchedule(
  client: ScheduleClient,
  { at, logger }: ReconciliationScheduleDeps,
): Promise<void> {
  const handle = client.getHandle(RECONCILIATION_SCHEDULE_ID);
  const timed = <T>(call: () => Promise<T>): Promise<T> =>
    client.withDeadline(Date.now() + CALL_TIMEOUT_MS, call);
  const current = await timed(() => timeOf(client));
  if (at === null) {
    if (current === 'missing') return;
    await timed(() => handle.delete());
    logger.warn({}, 'reconciliation_schedule.deleted');
  } else if (current === 'missing') {
    await timed(() => create(client, at));
    logger.warn({ at }, 'reconciliation_schedule.created');
  } else if (current.hour !== at.hour || current.minute !== at.minute) {
    await timed(() => handle.update((previous) => ({ ...previous, spec: specOf(at) })));
    logger.warn({ at }, 'reconciliation_schedule.changed');
  }
}

/** The time at which the schedule starts its run; -1 where it is none of ours. */
async function timeOf(client: ScheduleClient): Promise<TimeOfDay | 'missing'> {
  try {
    const { spec } = await client.getHandle(RECONCILIATION_SCHEDULE_ID).describe();
    const [calendar] = spec.calendars ?? [];
    return {
      hour: calendar?.hour[0]?.start ?? -1,
      minute: calendar?.minute[0]?.start ?? -1,
    };
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
    return 'missing';
  }
}

/** Creates it. When another process was faster, nothing changes. */
async function create(client: ScheduleClient, at: TimeOfDay): Promise<void> {
  try {
    await client.create({
      scheduleId: RECONCILIATION_SCHEDULE_ID,
      spec: specOf(at),
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP_MS },
      action: { ...RECONCILIATION_ACTION, args: [] },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}

const specOf = ({ hour, minute }: TimeOfDay) => ({
  calendars: [{ hour, minute }],
  timezone: RECONCILIATION_TIME_ZONE,
});

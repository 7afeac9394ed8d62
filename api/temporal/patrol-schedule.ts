// Reads the patrol's schedule in Temporal, and sets it right.
import {
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
  type ScheduleClient,
} from '@temporalio/client';
import { PATROL_ACTION, PATROL_SCHEDULE_ID } from '../../domain/temporal/patrol-schedule';

/** Older missed patrols are not made up for: the next patrol sees the same rows. */
const CATCH_UP_MS = 60_000;
const CALL_TIMEOUT_MS = 5_000;

/** The state of the schedule. */
export type PatrolScheduleState =
  | { readonly kind: 'missing' }
  /** Somebody paused it, with this note. */
  | { readonly kind: 'paused'; readonly note: string | null }
  | {
      readonly kind: 'active';
      readonly intervalMs: number | null;
      /** A patrol runs now. */
      readonly isRunning: boolean;
      /** When it last started a patrol; null when it has started none. */
      readonly lastStartAt: Date | null;
    };

export type PatrolSchedule = ReturnType<typeof createPatrolSchedule>;

/** Makes the calls for the patrol's schedule. Each takes a few seconds at most, or throws. */
export function createPatrolSchedule(client: ScheduleClient) {
  const handle = () => client.getHandle(PATROL_SCHEDULE_ID);
  const timed = <T>(call: () => Promise<T>): Promise<T> =>
    client.withDeadline(Date.now() + CALL_TIMEOUT_MS, call);

  /** Creates it. When another process was faster, nothing changes. */
  async function create(everyMs: number): Promise<void> {
    await timed(() =>
      client.create({
        scheduleId: PATROL_SCHEDULE_ID,
        spec: specOf(everyMs),
        policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP_MS },
        action: { ...PATROL_ACTION, args: [] },
      }),
    ).catch((error: unknown) => {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    });
  }

  return {
    /** Reads its state. */
    async read(): Promise<PatrolScheduleState> {
      try {
        const { spec, state, info } = await timed(() => handle().describe());
        if (state.paused) return { kind: 'paused', note: state.note ?? null };
        return {
          kind: 'active',
          intervalMs: spec.intervals?.[0]?.every ?? null,
          isRunning: info.runningActions.length > 0,
          lastStartAt: info.recentActions.at(-1)?.takenAt ?? null,
        };
      } catch (error) {
        if (!(error instanceof ScheduleNotFoundError)) throw error;
        return { kind: 'missing' };
      }
    },
    create,
    /** Gives it another interval. */
    change: (everyMs: number): Promise<void> =>
      timed(() => handle().update((previous) => ({ ...previous, spec: specOf(everyMs) }))),
    /** Lets a paused schedule go on, and starts a patrol at once. */
    async resume(note: string): Promise<void> {
      await timed(() => handle().unpause(note));
      await timed(() => handle().trigger());
    },
    /** Puts a new schedule in its place. A patrol that runs goes on. */
    async replace(everyMs: number): Promise<void> {
      await timed(() => handle().delete());
      await create(everyMs);
    },
  };
}

const specOf = (everyMs: number) => ({ intervals: [{ every: everyMs }] });

// Sends alerts about recurring faults: at most one an hour of a kind, over all processes.
import type { Alert, AlertPort } from '../../domain/interventions/alert';
import type { DatabaseContext } from '../core/context';

const HOUR_MS = 3_600_000;

type MarkKind = Alert['kind'] | 'patrol_schedule' | 'sweep';

/** The marks by which the processes know who sends an alert. */
export function createAlertMarks({ prisma }: DatabaseContext) {
  return {
    /**
     * @param everyMs the least time between two alerts of this kind; an hour when left out
     * @returns true for the one caller that sends an alert of this kind, or acts, now
     */
    async take(kind: MarkKind, nowMs: number, everyMs = HOUR_MS): Promise<boolean> {
      const taken = await prisma.$queryRaw<unknown[]>`
        INSERT INTO alert_marks (kind, alerted_at) VALUES (${kind}, ${new Date(nowMs)})
        ON CONFLICT (kind) DO UPDATE SET alerted_at = excluded.alerted_at
        WHERE alert_marks.alerted_at <= ${new Date(nowMs - everyMs)} RETURNING 1`;
      return taken.length > 0;
    },

    /** When the mark was last taken, by any process; null before the first time. */
    async takenAt(kind: MarkKind): Promise<Date | null> {
      const mark = await prisma.alertMark.findUnique({
        where: { kind },
        select: { alertedAt: true },
      });
      return mark?.alertedAt ?? null;
    },
  };
}

/**
 * Makes the port for alerts about recurring faults. While the database is away it sends nothing:
 * the fault is in the log, and an outage of the database has an alert of its own.
 */
export function createHourlyAlerts({
  marks,
  alerts,
  now,
}: {
  readonly marks: ReturnType<typeof createAlertMarks>;
  readonly alerts: AlertPort;
  readonly now: () => number;
}): AlertPort {
  return {
    async alert(alert) {
      if (await marks.take(alert.kind, now())) await alerts.alert(alert);
    },
  };
}

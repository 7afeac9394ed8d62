// The days of WeChat's bills, in Beijing time: which may be reconciled, when, and until when.
// Sandbox: deterministic only.

/** A day of WeChat's bills in Beijing, as `YYYY-MM-DD`. */
export type BillDate = string & { readonly __unit: 'bill-date' };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Asia/Shanghai has had no daylight saving time since 1991. */
const BEIJING_OFFSET_MS = 8 * HOUR_MS;
/** WeChat makes a day's bill from 9:00 of the next day on, and has it ready at 10:00. */
const READY_AFTER_MS = DAY_MS + 10 * HOUR_MS;
/** The patrol finds a reconciliation missing this long after its bill was ready. */
const MISSING_AFTER_MS = DAY_MS;
/** WeChat keeps bills for this many months. */
const KEPT_MONTHS = 3;
/** The days before today that Oncepay reconciles by itself. */
export const DAYS_BACK = 7;
/** Two clocks differ near midnight: a trade this close to it may stand in the other day's bill. */
export const NEAR_MIDNIGHT_MS = 10 * 60_000;

/** True for the text of a day that the calendar has, like `2026-11-30`. */
export function isBillDate(text: string): text is BillDate {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(text);
}

/** The day in Beijing at a time in ms since 1970. */
export function billDateAt(atMs: number): BillDate {
  return new Date(atMs + BEIJING_OFFSET_MS).toISOString().slice(0, 10) as BillDate;
}

/** The first moment of a day, in ms since 1970. */
export function billDayStart(date: BillDate): number {
  return Date.parse(`${date}T00:00:00Z`) - BEIJING_OFFSET_MS;
}

/** The day `days` after a day; before it for a negative number. */
export function addDays(date: BillDate, days: number): BillDate {
  return billDateAt(billDayStart(date) + days * DAY_MS);
}

/** When WeChat has the bill of a day ready: 10:00 of the next day, in ms since 1970. */
export function billReadyAt(date: BillDate): number {
  return billDayStart(date) + READY_AFTER_MS;
}

/** Until when Oncepay waits for the bill of a day: the end of the next day, in ms since 1970. */
export function billWaitsUntil(date: BillDate): number {
  return billDayStart(date) + 2 * DAY_MS;
}

/** Why a day can't be reconciled; null when it can. */
export type BillDayRefusal = 'not_over' | 'too_old' | null;

/** Says whether WeChat may still have, or already have, the bill of a day. */
export function billDayRefusal(date: BillDate, nowMs: number): BillDayRefusal {
  const today = billDateAt(nowMs);
  if (date >= today) return 'not_over';
  return date < monthsBefore(today, KEPT_MONTHS) ? 'too_old' : null;
}

/** The same day of an earlier month, or that month's last day. */
function monthsBefore(date: BillDate, months: number): BillDate {
  const [year = 0, month = 1, day = 1] = date.split('-').map(Number);
  const lastDay = new Date(Date.UTC(year, month - months, 0)).getUTCDate();
  const before = new Date(Date.UTC(year, month - 1 - months, Math.min(day, lastDay)));
  return before.toISOString().slice(0, 10) as BillDate;
}

/**
 * The days that Oncepay reconciles by itself: those of the last seven whose bill is ready, the
 * oldest first. Days before the first order have nothing to compare.
 * @param firstDate the day of the first order; null when there is none
 */
export function daysToReconcile(nowMs: number, firstDate: BillDate | null): BillDate[] {
  if (firstDate === null) return [];
  const today = billDateAt(nowMs);
  const days = Array.from({ length: DAYS_BACK }, (_, index) => addDays(today, index - DAYS_BACK));
  return days.filter((date) => date >= firstDate && billReadyAt(date) <= nowMs);
}

/** Of {@link daysToReconcile}, those that should have been reconciled a day ago. */
export function daysOverdue(nowMs: number, firstDate: BillDate | null): BillDate[] {
  return daysToReconcile(nowMs, firstDate).filter(
    (date) => billReadyAt(date) + MISSING_AFTER_MS <= nowMs,
  );
}

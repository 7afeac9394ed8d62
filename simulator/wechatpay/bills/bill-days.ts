// WeChat's rules for the days of bills: days in Beijing, ready the next morning, for three months.
import { refuse, type Reply } from '../http/reply';
import { beijingTime } from '../time/beijing-time';

const DAY_MS = 24 * 3_600_000;
const HOUR_MS = 3_600_000;
const KEPT_MONTHS = 3;

/** `YYYY-MM-DD` in Beijing. */
export function beijingDate(atMs: number): string {
  return beijingTime(atMs).slice(0, 10);
}

/** The day before today. */
export function yesterday(nowMs: number): string {
  return beijingDate(nowMs - DAY_MS);
}

/** True for `2026-11-28`, false for the 30th of February. */
export function isDate(text: string): boolean {
  const atMs = Date.parse(`${text}T00:00:00Z`);
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || Number.isNaN(atMs)) return false;
  return new Date(atMs).toISOString().startsWith(text);
}

function monthsBefore(date: string, months: number): string {
  const day = new Date(`${date}T00:00:00Z`);
  day.setUTCMonth(day.getUTCMonth() - months);
  return day.toISOString().slice(0, 10);
}

/**
 * Null when the bill of this day can be had now.
 *
 * @param readyHour of the next day
 */
export function checkDay(billDate: string, nowMs: number, readyHour: number): Reply | null {
  const today = beijingDate(nowMs);
  if (billDate >= today) return refuse(400, 'INVALID_REQUEST', '账单日期不能是今天或以后');
  if (billDate < monthsBefore(today, KEPT_MONTHS)) {
    return refuse(400, 'INVALID_REQUEST', '仅支持三个月内的账单下载申请');
  }
  const readyMs = Date.parse(`${billDate}T00:00:00+08:00`) + DAY_MS + readyHour * HOUR_MS;
  return nowMs < readyMs ? stillCreating() : null;
}

export function stillCreating(): Reply {
  return refuse(400, 'STATEMENT_CREATING', '账单生成中，请30分钟后重试');
}

// Reads an outage's results: attempts, interventions and progress from the rows, alerts from logs.
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Pool } from 'pg';
import { z } from 'zod';

const BYTES_PER_MIB = 1024 * 1024;

/** The state of the orders' rows. */
interface Progress {
  /** Orders that wait for their payment. */
  readonly open: number;
  readonly fulfilled: number;
  /** Webhooks and messages that are still to be sent. */
  readonly undelivered: number;
}

/** The failed queries that were counted against the orders. */
export interface SpentAttempts {
  readonly all: number;
  /** The orders that spent any. */
  readonly orders: number;
  /** The most that one order spent. */
  readonly most: number;
  /** When the outage was marked, in Unix ms; NaN if it was not. */
  readonly markedAtMs: number;
  /** From the mark to the last attempt that was counted, in ms; below 0 if it came before. */
  readonly lastAfterMarkMs: number;
}

export async function readProgress(sql: Pool): Promise<Progress> {
  const { rows } = await sql.query<Progress>(`SELECT
    (SELECT count(*)::int FROM orders WHERE status = 'awaiting_payment') AS open,
    (SELECT count(*)::int FROM orders WHERE status = 'fulfilled') AS fulfilled,
    (SELECT count(*)::int FROM deliveries WHERE status <> 'done') AS undelivered`);
  return rows[0] ?? { open: Number.NaN, fulfilled: Number.NaN, undelivered: Number.NaN };
}

/** Each intervention with its reason, subject and evidence, as text. */
export async function readInterventions(sql: Pool): Promise<string[]> {
  const { rows } = await sql.query<{ line: string }>(
    `SELECT concat_ws(' ', since, reason, subject, evidence) AS line FROM interventions
     ORDER BY since`,
  );
  return rows.map(({ line }) => line);
}

/** Read it while WeChat is away: the row of the outage says only since when the state is so. */
export async function readSpentAttempts(sql: Pool): Promise<SpentAttempts> {
  const { rows } = await sql.query<{
    all: number;
    orders: number;
    most: number;
    marked: Date | null;
    last: Date | null;
  }>(`SELECT coalesce(sum(attempts), 0)::int AS all, count(*)::int AS orders,
      coalesce(max(attempts), 0)::int AS most, max(updated_at) AS last,
      (SELECT since FROM dependencies WHERE name = 'wechatpay' AND state = 'down') AS marked
    FROM retry_budgets WHERE operation = 'wechat.query'`);
  const { all = NaN, orders = NaN, most = NaN, marked, last } = rows[0] ?? {};
  const markedAtMs = marked?.getTime() ?? NaN;
  return { all, orders, most, markedAtMs, lastAfterMarkMs: (last?.getTime() ?? NaN) - markedAtMs };
}

/** An alert in a process's log. */
export interface LoggedAlert {
  readonly kind: string;
  /** When, and the alert's text. */
  readonly line: string;
}

const alertLine = z.object({
  msg: z.literal('alert'),
  time: z.union([z.string(), z.number()]),
  kind: z.string(),
  text: z.string(),
});

/** The alerts in a process's log. Reads line by line: an outage's log is large. */
export async function readAlerts(logFile: string): Promise<LoggedAlert[]> {
  const alerts: LoggedAlert[] = [];
  const lines = createInterface({ input: createReadStream(logFile), crlfDelay: Infinity });
  for await (const line of lines) {
    if (!line.includes('"msg":"alert"')) continue;
    const { time, kind, text } = alertLine.parse(JSON.parse(line));
    alerts.push({ kind, line: `${time} ${text}` });
  }
  return alerts;
}

/** The size of a process's log so far, in MiB. */
export async function logMib(logFile: string): Promise<number> {
  return (await stat(logFile)).size / BYTES_PER_MIB;
}

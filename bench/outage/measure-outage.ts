// Measures an outage of WeChat over many open orders: attempts, calls, alerts, and the way back.
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'pg';
import { formatDuration } from '../../config/durations';
import { DEFAULT_POLICIES } from '../../domain/retries/retry-policy';
import type { Oncepay } from '../../stack/oncepay';
import { checkOrders } from '../ground/closing-queries';
import type { Ground } from '../ground/ground';
import { placeOrder, stockProduct, TOTAL_FEN } from '../ground/place-order';
import { watchMemory, type Memory } from '../ground/processes';
import type { Tally } from '../ground/stub-control';
import { createLoadMeter, type Load } from './load-meter';
import { judge, type Must } from './musts';
import {
  logMib,
  readAlerts,
  readInterventions,
  readProgress,
  readSpentAttempts,
  type SpentAttempts,
} from './readings';

/** The defaults of `--orders` and `--minutes`. */
export const OUTAGE_ORDERS = 10_000;
export const OUTAGE_MINUTES = 10;
/** The orders' payment window of two hours has room for their making, the outage and the return. */
export const MAX_OUTAGE_MINUTES = 30;

const CALLERS = 32;
/** A busy machine may refuse an order with 503; the same request is repeated for so long. */
const PATIENCE_MS = 120_000;
/** Every so many orders one is paid while WeChat is away, and its callback is lost. */
const PAID_EVERY = 4;
const POLL_MS = 500;
/** The most gaps that a query schedule takes. */
const GAPS = 100;
/** A limit for the last orders to get their prepay, and for all of them to catch up. */
const LIMIT_MS = { base: 5 * 60_000, perOrder: 100 };

interface OutageSize {
  readonly orders: number;
  readonly minutes: number;
}

export interface OutageResult extends OutageSize {
  readonly paid: number;
  /** Orders that were made per second before the outage. */
  readonly perSecond: number;
  /** From the begin of the outage to its mark, in ms. */
  readonly markedAfterMs: number;
  readonly spent: SpentAttempts;
  /** Calls to WeChat while it was away. */
  readonly away: Tally;
  /** The kinds of all alerts, of api and worker. */
  readonly alerts: readonly string[];
  readonly interventions: number;
  /** From the return to the first response about each order, in ms; NaN if it took too long. */
  readonly queriedAfterMs: number;
  /** From the return until each paid order is fulfilled and its webhooks are sent, too. */
  readonly caughtUpAfterMs: number;
  readonly loads: { readonly open: Load; readonly away: Load; readonly back: Load };
  readonly memory: { readonly api: Memory; readonly worker: Memory };
  readonly workerLogMib: number;
  readonly musts: readonly Must[];
}

type Log = (line: string) => void;

/**
 * Polls until `isDone`.
 * @returns how long it took in ms; NaN when it took longer than `limitMs`
 */
async function pollUntil(isDone: () => Promise<boolean>, limitMs: number): Promise<number> {
  const startedMs = performance.now();
  while (!(await isDone())) {
    if (performance.now() - startedMs > limitMs) return Number.NaN;
    await delay(POLL_MS);
  }
  return performance.now() - startedMs;
}

/** The schedule by which each order is queried within any time of `gapMs`. */
function querySchedule(gapMs: number): string {
  return Array.from({ length: GAPS }, () => formatDuration(gapMs)).join(',');
}

async function openOrders(oncepay: Oncepay, orders: number, log: Log): Promise<string[]> {
  await stockProduct(oncepay, orders);
  const numbers: string[] = [];
  let begun = 0;
  const caller = async () => {
    while (begun < orders) {
      begun += 1;
      numbers.push(await placeOrder(oncepay, `user-${begun}`, PATIENCE_MS));
      if (numbers.length % 1_000 === 0) log(`outage: ${numbers.length} orders are made …`);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return numbers;
}

async function startProcesses(ground: Ground, minutes: number) {
  const oncepay = await ground.createOncepay(await ground.createDatabase('bench_outage'));
  // Half of the outage: so each order is queried in its first half, however long the making took.
  const gapMs = Math.round((minutes * 60_000) / 2);
  const api = await oncepay.startApi();
  const worker = await oncepay.startWorker({ ONCEPAY_QUERY_SCHEDULE: querySchedule(gapMs) });
  const sql = new Pool({ connectionString: oncepay.databaseUrl, max: 1 });
  const memory = { api: await watchMemory(api), worker: await watchMemory(worker) };
  const load = await createLoadMeter(sql, { api: api.pid, worker: worker.pid });
  return { oncepay, api, worker, sql, memory, load };
}

type Processes = Awaited<ReturnType<typeof startProcesses>>;

/** Makes the orders and waits until each of them can be paid. */
async function makeOrders({ oncepay, sql, load }: Processes, orders: number, log: Log) {
  const startedMs = performance.now();
  const stop = await load();
  const numbers = await openOrders(oncepay, orders, log);
  const areOpen = async () => (await readProgress(sql)).open === orders;
  const limitMs = LIMIT_MS.base + LIMIT_MS.perOrder * orders;
  if (Number.isNaN(await pollUntil(areOpen, limitMs))) {
    const progress = JSON.stringify(await readProgress(sql));
    throw new Error(`Not all of ${orders} orders can be paid: ${progress}`);
  }
  const perSecond = (orders * 1_000) / (performance.now() - startedMs);
  return { numbers, perSecond, load: await stop() };
}

async function sitOutOutage(
  { stub }: Ground,
  { sql, load }: Processes,
  paid: readonly string[],
  minutes: number,
) {
  const stop = await load();
  const beganAtMs = Date.now();
  await stub.begin({
    away: true,
    paid: paid.map((outTradeNo) => ({ outTradeNo, totalFen: TOTAL_FEN })),
  });
  await delay(minutes * 60_000);
  const [spent, tally] = [await readSpentAttempts(sql), await stub.tally()];
  return { spent, tally, markedAfterMs: spent.markedAtMs - beganAtMs, load: await stop() };
}

/** Lets WeChat come back and waits until every order has caught up. */
async function watchReturn(
  { stub }: Ground,
  { sql, load }: Processes,
  { orders, paid }: { readonly orders: number; readonly paid: number },
) {
  const stop = await load();
  const beganMs = performance.now();
  await stub.begin({ away: false, paid: [] });
  const areQueried = async () => (await stub.tally()).orders === orders;
  const limitMs = LIMIT_MS.base + LIMIT_MS.perOrder * orders;
  const queriedAfterMs = await pollUntil(areQueried, limitMs);
  const isDone = async () => {
    const { fulfilled, undelivered } = await readProgress(sql);
    return fulfilled === paid && undelivered === 0;
  };
  const isInTime = !Number.isNaN(await pollUntil(isDone, limitMs));
  const caughtUpAfterMs =
    isInTime && !Number.isNaN(queriedAfterMs) ? performance.now() - beganMs : Number.NaN;
  return { queriedAfterMs, caughtUpAfterMs, load: await stop() };
}

/**
 * Takes WeChat away for `minutes` while `orders` orders are open, and lets it come back. A part of
 * the orders was paid meanwhile, and no callback says so.
 */
export async function measureOutage(
  ground: Ground,
  log: Log,
  { orders, minutes }: OutageSize,
): Promise<OutageResult> {
  const processes = await startProcesses(ground, minutes);
  const { api, worker, sql, memory } = processes;
  log(`outage: ${orders} orders are made …`);
  const made = await makeOrders(processes, orders, log);
  const paid = made.numbers.filter((_, index) => index % PAID_EVERY === 0);
  log(`outage: WeChat is away for ${minutes} min …`);
  const outage = await sitOutOutage(ground, processes, paid, minutes);
  log('outage: WeChat is back …');
  const back = await watchReturn(ground, processes, { orders, paid: paid.length });
  const logged = [...(await readAlerts(api.logFile)), ...(await readAlerts(worker.logFile))];
  const opened = await readInterventions(sql);
  // One pair of alerts is the outage's; a reader who sees more wants to know why.
  for (const { line } of logged) log(`alert: ${line}`);
  for (const line of opened) log(`intervention: ${line}`);
  const alerts = logged.map(({ kind }) => kind);
  const interventions = opened.length;
  const bookProblems = await checkOrders(sql, orders, paid);
  const { spent, tally: away, markedAfterMs } = outage;
  const { queriedAfterMs, caughtUpAfterMs } = back;
  const budget = DEFAULT_POLICIES['wechat.query'].maxAttempts;
  const seen = { orders, away, spent, budget, alerts, interventions, caughtUpAfterMs };
  await sql.end();
  return {
    orders,
    minutes,
    paid: paid.length,
    perSecond: made.perSecond,
    markedAfterMs,
    spent,
    away,
    alerts,
    interventions,
    queriedAfterMs,
    caughtUpAfterMs,
    loads: { open: made.load, away: outage.load, back: back.load },
    memory: { api: await memory.api(), worker: await memory.worker() },
    workerLogMib: await logMib(worker.logFile),
    musts: judge({ ...seen, bookProblems }),
  };
}

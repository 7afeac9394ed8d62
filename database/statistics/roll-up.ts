// Rolls the facts up into the statistics: rows of five minutes, each counted anew as a whole.
import { BUCKETS_A_DOUBLING, FIRST_BOUND_MS } from '../../domain/statistics/histogram';
import { SLOT_MS } from '../../domain/statistics/steps';
import { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext, Tx } from '../core/context';

/** Facts this young may still be under way to the database. */
const WATERMARK_MS = 30_000;
/**
 * A row is counted once more so long after its end: repeats of a callback are counted in its last
 * row of an hour.
 */
const SETTLED_AFTER_MS = 70 * 60_000;
/** A new table begins with the facts of this time. */
const BACK_MS = 31 * 24 * 3_600_000;

/** Locks the work for one process at a time; the lock ends with the transaction. */
const LOCK = Prisma.sql`pg_try_advisory_xact_lock(hashtext('statistics'), 0)`;

/** The state of the work. */
interface Progress {
  /** Everything before it is committed. */
  readonly watermark: Date;
  /** Facts before it are in the rows; null before the first row. */
  readonly countedUntil: Date | null;
  /** The oldest fact. */
  readonly oldest: Date | null;
  /** The oldest row that has to be counted once more by now. */
  readonly unsettled: Date | null;
}

/** The part of the statistics that is written. */
export function createStatisticsRollUp({ prisma }: DatabaseContext) {
  return {
    /**
     * Counts the next row: the newest first, up to 30 s before now, then those that have to be
     * counted once more. A row is a statement of its own, which stays short on the busiest day. It
     * is made from the facts themselves, so counting it again can't count a fact twice. One process
     * at a time does it; a second one does nothing.
     * @returns true when more rows wait
     */
    rollUp: (nowMs: number): Promise<boolean> =>
      prisma.$transaction(async (tx) => {
        const [lock] = await tx.$queryRaw<{ taken: boolean }[]>`SELECT ${LOCK} AS taken`;
        return lock?.taken === true && (await rollUpNext(tx, nowMs));
      }),
  };
}

async function rollUpNext(tx: Tx, nowMs: number): Promise<boolean> {
  const progress = await readProgress(tx, nowMs);
  const watermarkMs = progress.watermark.getTime();
  const oldestMs = Math.max(progress.oldest?.getTime() ?? watermarkMs, nowMs - BACK_MS);
  const nextMs = slotStart(progress.countedUntil?.getTime() ?? Math.min(oldestMs, watermarkMs));
  const endMs = Math.min(nextMs + SLOT_MS, slotStart(watermarkMs) + SLOT_MS);
  await countRows(tx, { fromMs: nextMs, toMs: endMs, watermarkMs });
  if (endMs <= watermarkMs) return true;
  if (progress.unsettled === null) return false;
  const fromMs = progress.unsettled.getTime();
  await countRows(tx, { fromMs, toMs: fromMs + SLOT_MS, watermarkMs });
  return true;
}

const slotStart = (timeMs: number) => Math.floor(timeMs / SLOT_MS) * SLOT_MS;

/**
 * A transaction that has written something may still write facts of its beginning, so the watermark
 * lies before the oldest one of this role.
 */
async function readProgress(tx: Tx, nowMs: number): Promise<Progress> {
  const [progress] = await tx.$queryRaw<[Progress]>`
    WITH mark AS (
      SELECT least(${new Date(nowMs - WATERMARK_MS)}::timestamptz, (
        SELECT min(xact_start) FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user
          AND backend_xid IS NOT NULL AND pid <> pg_backend_pid())) AS watermark
    )
    SELECT watermark,
      (SELECT counted_until FROM statistics ORDER BY at DESC LIMIT 1) AS "countedUntil",
      (SELECT min(created_at) FROM orders) AS oldest,
      (SELECT min(at) FROM statistics WHERE NOT settled
        AND at < watermark - ${interval(SETTLED_AFTER_MS + SLOT_MS)}) AS unsettled
    FROM mark`;
  return progress;
}

interface Rows {
  readonly fromMs: number;
  readonly toMs: number;
  readonly watermarkMs: number;
}

const interval = (ms: number) => Prisma.sql`${`${ms} milliseconds`}::interval`;

/** The row that a time belongs to. */
const slotOf = (time: Prisma.Sql) =>
  Prisma.sql`date_bin(${interval(SLOT_MS)}, ${time}, '1970-01-01 00:00:00+00'::timestamptz)`;

/** The bucket of a time in ms, as in domain/statistics/histogram. */
const bucketOf = (ms: Prisma.Sql) => Prisma.sql`
  ceil(${BUCKETS_A_DOUBLING}::float8 * ln(greatest(${ms}, ${FIRST_BOUND_MS}::float8)
    / ${FIRST_BOUND_MS}::float8) / ln(2::float8))::int`;

/** Counts some rows anew, with the facts before the watermark, and replaces those that exist. */
async function countRows(tx: Tx, { fromMs, toMs, watermarkMs }: Rows): Promise<void> {
  const from = new Date(fromMs);
  const to = new Date(Math.min(toMs, watermarkMs));
  const counted = (name: string) => Prisma.sql`coalesce(${Prisma.raw(name)}, 0)`;
  await tx.$executeRaw`
    WITH slots AS (
      SELECT generate_series(${from}::timestamptz, ${new Date(toMs - 1)}::timestamptz,
        ${interval(SLOT_MS)}) AS at
    ), ${orderFacts(from, to)}, ${callbackFacts(from, to)}, ${caseFacts(from, to)}
    INSERT INTO statistics (at, counted_until, settled, orders, paid, paid_fen, refunds,
      refunds_fen, fulfilled, added, duplicate, conflicting, refused, answer_ms, answer_histogram,
      processing_ms, processing_histogram, retries, opened, resolved)
    SELECT at, least(at + ${interval(SLOT_MS)}, ${new Date(watermarkMs)}::timestamptz),
      at < ${new Date(watermarkMs - SETTLED_AFTER_MS - SLOT_MS)}::timestamptz,
      ${counted('orders')}, ${counted('paid')}, ${counted('paid_fen')}, ${counted('refunds')},
      ${counted('refunds_fen')}, ${counted('fulfilled')}, ${counted('added')},
      ${counted('duplicate')}, ${counted('conflicting')}, ${counted('refused')},
      coalesce(answered.ms, 0), coalesce(answered.histogram, '{}'),
      coalesce(processed.ms, 0), coalesce(processed.histogram, '{}'),
      coalesce(retries, '{}'), ${counted('opened')}, ${counted('resolved')}
    FROM slots LEFT JOIN ordered USING (at) LEFT JOIN changed USING (at)
      LEFT JOIN refunded USING (at) LEFT JOIN replied USING (at) LEFT JOIN answered USING (at)
      LEFT JOIN processed USING (at) LEFT JOIN failed USING (at) LEFT JOIN opened USING (at)
      LEFT JOIN resolved USING (at)
    ON CONFLICT (at) DO UPDATE SET ${REPLACED}`;
}

/** The columns that a second count replaces: all but the key. */
const REPLACED = Prisma.raw(
  [
    'counted_until',
    'settled',
    'orders',
    'paid',
    'paid_fen',
    'refunds',
    'refunds_fen',
    'fulfilled',
    'added',
    'duplicate',
    'conflicting',
    'refused',
    'answer_ms',
    'answer_histogram',
    'processing_ms',
    'processing_histogram',
    'retries',
    'opened',
    'resolved',
  ]
    .map((column) => `${column} = excluded.${column}`)
    .join(', '),
);

const within = (time: Prisma.Sql, from: Date, to: Date) =>
  Prisma.sql`${time} >= ${from} AND ${time} < ${to}`;

/** Orders made, paid and fulfilled, and refunds. */
const orderFacts = (from: Date, to: Date) => Prisma.sql`
  ordered AS (
    SELECT ${slotOf(Prisma.sql`created_at`)} AS at, count(*) AS orders
    FROM orders WHERE ${within(Prisma.sql`created_at`, from, to)} GROUP BY 1
  ), changed AS (
    SELECT ${slotOf(Prisma.sql`h.at`)} AS at, count(*) FILTER (WHERE to_status = 'paid') AS paid,
      sum(coalesce(t.total_fen, o.total_fen)) FILTER (WHERE to_status = 'paid') AS paid_fen,
      count(*) FILTER (WHERE to_status = 'fulfilled') AS fulfilled
    FROM order_status_history h
    LEFT JOIN orders o ON to_status = 'paid' AND o.out_trade_no = h.out_trade_no
    LEFT JOIN payment_transactions t ON to_status = 'paid' AND t.order_no = h.out_trade_no
      AND t.status = 'applied'
    WHERE ${within(Prisma.sql`h.at`, from, to)} AND to_status IN ('paid', 'fulfilled') GROUP BY 1
  ), refunded AS (
    SELECT ${slotOf(Prisma.sql`succeeded_at`)} AS at, count(*) AS refunds,
      sum(amount_fen) AS refunds_fen
    FROM refunds WHERE ${within(Prisma.sql`succeeded_at`, from, to)} GROUP BY 1
  )`;

/** Callbacks with our replies, and their times. */
const callbackFacts = (from: Date, to: Date) => Prisma.sql`
  replied AS (
    SELECT at, sum(n) FILTER (WHERE outcome = 'added') AS added,
      sum(n) FILTER (WHERE outcome = 'duplicate') AS duplicate,
      sum(n) FILTER (WHERE outcome = 'conflicting') AS conflicting,
      sum(n) FILTER (WHERE outcome NOT IN ('added', 'duplicate', 'conflicting')) AS refused
    FROM (SELECT ${slotOf(Prisma.sql`received_at`)} AS at, outcome, sum(1 + repeats) AS n
      FROM callback_deliveries WHERE ${within(Prisma.sql`received_at`, from, to)}
      GROUP BY 1, 2) outcomes
    GROUP BY 1
  ), answered AS (${histogramOf({
    time: Prisma.sql`received_at`,
    ms: Prisma.sql`duration_ms`,
    rows: Prisma.sql`callback_deliveries WHERE ${within(Prisma.sql`received_at`, from, to)}`,
  })}
  ), processed AS (${histogramOf({
    time: Prisma.sql`verdict_at`,
    ms: Prisma.sql`(extract(epoch FROM verdict_at - received_at) * 1000)::float8`,
    rows: Prisma.sql`notification_inbox
      WHERE source = 'callback' AND ${within(Prisma.sql`verdict_at`, from, to)}`,
  })}
  )`;

/** Failed attempts and interventions. */
const caseFacts = (from: Date, to: Date) => Prisma.sql`
  failed AS (
    SELECT at, jsonb_object_agg(operation || ' ' || code, failures) AS retries
    FROM retry_failures WHERE ${within(Prisma.sql`at`, from, to)} GROUP BY 1
  ), opened AS (
    SELECT ${slotOf(Prisma.sql`since`)} AS at, count(*) AS opened
    FROM interventions WHERE ${within(Prisma.sql`since`, from, to)} GROUP BY 1
  ), resolved AS (
    SELECT ${slotOf(Prisma.sql`resolved_at`)} AS at, count(*) AS resolved
    FROM interventions WHERE ${within(Prisma.sql`resolved_at`, from, to)} GROUP BY 1
  )`;

/** The sum and the histogram of the times of some rows. */
function histogramOf({ time, ms, rows }: Record<'time' | 'ms' | 'rows', Prisma.Sql>): Prisma.Sql {
  return Prisma.sql`
    SELECT at, sum(ms) AS ms, jsonb_object_agg(bucket, n) AS histogram
    FROM (SELECT ${slotOf(time)} AS at, ${bucketOf(ms)} AS bucket, count(*) AS n, sum(${ms}) AS ms
      FROM ${rows} GROUP BY 1, 2) buckets
    GROUP BY 1`;
}

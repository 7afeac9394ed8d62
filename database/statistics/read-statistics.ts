// Reads the statistics in steps: sums of rows of five minutes.
import type { Histogram } from '../../domain/statistics/histogram';
import { STEPS, type Range, type Step } from '../../domain/statistics/steps';
import { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext } from '../core/context';

/** The sums of a step. Amounts are in fen, times in ms. */
export interface StatisticsStep {
  readonly at: Date;
  readonly orders: number;
  readonly paid: number;
  readonly paidFen: number;
  readonly refunds: number;
  readonly refundsFen: number;
  readonly fulfilled: number;
  readonly added: number;
  readonly duplicate: number;
  readonly conflicting: number;
  readonly refused: number;
  /** The sum of all times from a callback to our reply. */
  readonly answerMs: number;
  readonly answerHistogram: Histogram;
  /** The sum of all times from a callback to its verdict. */
  readonly processingMs: number;
  readonly processingHistogram: Histogram;
  /** Failed attempts, by `<operation> <code>`. */
  readonly retries: Readonly<Record<string, number>>;
  readonly opened: number;
  readonly resolved: number;
}

export interface Statistics {
  /** Facts before this time are counted; null before the first row. */
  readonly asOf: Date | null;
  /** Each step of the range, also an empty one, oldest first. */
  readonly steps: readonly StatisticsStep[];
}

/** Columns with a number: their sums by name. */
const SUMS = Prisma.raw(
  [
    ['orders', 'orders'],
    ['paid', 'paid'],
    ['paid_fen', 'paidFen'],
    ['refunds', 'refunds'],
    ['refunds_fen', 'refundsFen'],
    ['fulfilled', 'fulfilled'],
    ['added', 'added'],
    ['duplicate', 'duplicate'],
    ['conflicting', 'conflicting'],
    ['refused', 'refused'],
    ['answer_ms', 'answerMs'],
    ['processing_ms', 'processingMs'],
    ['opened', 'opened'],
    ['resolved', 'resolved'],
  ]
    .map(([column, name]) => `coalesce(sum(${column}), 0)::float8 AS "${name}"`)
    .join(', '),
);

/** The part of the statistics that is read. */
export function createStatisticsReading({ prisma }: DatabaseContext) {
  return {
    /** Reads whole steps; the database sums up what lies in each. */
    async read({ fromMs, toMs }: Range, step: Step): Promise<Statistics> {
      const [from, to] = [new Date(fromMs), new Date(toMs)];
      const length = Prisma.sql`${`${STEPS[step]} milliseconds`}::interval`;
      const merged = (column: string) => Prisma.sql`
        SELECT step, jsonb_object_agg(key, n) AS counts
        FROM (SELECT step, key, sum(value::bigint)::float8 AS n
          FROM slots, jsonb_each_text(${Prisma.raw(column)}) GROUP BY 1, 2) counted
        GROUP BY 1`;
      const [mark, steps] = await prisma.$transaction([
        prisma.$queryRaw<{ asOf: Date | null }[]>`
          SELECT max(counted_until) AS "asOf" FROM statistics`,
        prisma.$queryRaw<StatisticsStep[]>`
          WITH slots AS (
            SELECT date_bin(${length}, at, ${from}::timestamptz) AS step, * FROM statistics
            WHERE at >= ${from} AND at < ${to}
          ), sums AS (
            SELECT steps.at AS step, ${SUMS}
            FROM generate_series(${from}::timestamptz, ${new Date(toMs - 1)}::timestamptz,
              ${length}) AS steps (at)
            LEFT JOIN slots ON slots.step = steps.at GROUP BY 1
          ), answers AS (${merged('answer_histogram')}
          ), processing AS (${merged('processing_histogram')}
          ), failures AS (${merged('retries')}
          )
          SELECT sums.*, step AS at, coalesce(answers.counts, '{}') AS "answerHistogram",
            coalesce(processing.counts, '{}') AS "processingHistogram",
            coalesce(failures.counts, '{}') AS retries
          FROM sums LEFT JOIN answers USING (step) LEFT JOIN processing USING (step)
            LEFT JOIN failures USING (step)
          ORDER BY step`,
      ]);
      return { asOf: mark[0]?.asOf ?? null, steps };
    },
  };
}

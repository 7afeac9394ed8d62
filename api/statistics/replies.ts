// Schema and rendering of the statistics in replies.
import { z } from 'zod';
import type { Statistics, StatisticsStep } from '../../database/statistics/read-statistics';
import { countOf, percentile, type Histogram } from '../../domain/statistics/histogram';
import { STEP_NAMES, type Step } from '../../domain/statistics/steps';
import { fen } from '../http/fields';
import { iso, time } from '../http/reply-fields';

const ms = z.number().nullable().describe('in ms; null without any callback');
const counts = z.int();

/** The statistics, step by step. */
export const statisticsReply = z.object({
  as_of: time
    .nullable()
    .describe('what was committed before this time is counted; null before the first count'),
  step: z.enum(STEP_NAMES),
  data: z.array(
    z.object({
      at: time.describe('the start of the step'),
      orders: counts.describe('orders that were made'),
      paid: counts.describe('orders that were paid'),
      paid_fen: fen,
      refunds: counts.describe('refunds that succeeded'),
      refunds_fen: fen,
      fulfilled: counts.describe('orders that were fulfilled'),
      callbacks: z.object({
        added: counts,
        duplicate: counts,
        conflicting: counts,
        refused: counts,
      }),
      answer_ms: z
        .object({ mean: ms, p50: ms, p95: ms })
        .describe('from a callback to the reply; the percentiles are within 9 %'),
      processing_ms: z
        .object({ mean: ms, p95: ms })
        .describe('from an accepted callback to its verdict'),
      retries: z
        .record(z.string(), z.record(z.string(), counts))
        .describe('failed attempts by operation and code'),
      interventions: z.object({ opened: counts, resolved: counts }),
    }),
  ),
});

/** Renders the statistics. */
export function renderStatistics(step: Step, { asOf, steps }: Statistics) {
  return { as_of: iso(asOf), step, data: steps.map(renderStep) };
}

function renderStep(one: StatisticsStep) {
  const { added, duplicate, conflicting, refused } = one;
  const answers = one.answerHistogram;
  const processing = one.processingHistogram;
  return {
    at: one.at.toISOString(),
    orders: one.orders,
    paid: one.paid,
    paid_fen: one.paidFen,
    refunds: one.refunds,
    refunds_fen: one.refundsFen,
    fulfilled: one.fulfilled,
    callbacks: { added, duplicate, conflicting, refused },
    answer_ms: {
      mean: mean(one.answerMs, answers),
      p50: rounded(percentile(answers, 0.5)),
      p95: rounded(percentile(answers, 0.95)),
    },
    processing_ms: {
      mean: mean(one.processingMs, processing),
      p95: rounded(percentile(processing, 0.95)),
    },
    retries: byOperation(one.retries),
    interventions: { opened: one.opened, resolved: one.resolved },
  };
}

const rounded = (value: number | null) => (value === null ? null : Math.round(value * 100) / 100);

function mean(sum: number, histogram: Histogram): number | null {
  const times = countOf(histogram);
  return times === 0 ? null : rounded(sum / times);
}

/** Takes `<operation> <code>` apart. */
function byOperation(flat: StatisticsStep['retries']): Record<string, Record<string, number>> {
  const retries: Record<string, Record<string, number>> = {};
  for (const [key, failures] of Object.entries(flat)) {
    const [operation = '', code = ''] = key.split(' ');
    retries[operation] = { ...retries[operation], [code]: failures };
  }
  return retries;
}

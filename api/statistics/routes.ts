// The route of the statistics.
import type { z } from 'zod';
import type { Database } from '../../database/database';
import { MAX_STEPS, stepsOf } from '../../domain/statistics/steps';
import { inTime } from '../http/deadline';
import { ALL_ROLES, operation, type Call, type Operation, type Reply } from '../http/operations';
import { invalidField } from '../http/problem';
import { renderStatistics, statisticsReply } from './replies';
import { statisticsQuery } from './schemas';

export interface StatisticsRouteDeps {
  readonly database: { readonly statistics: Pick<Database['statistics'], 'read'> };
  readonly now: () => number;
}

/** Makes the operation that reads the statistics. */
export function statisticsOperations(deps: StatisticsRouteDeps): Operation[] {
  return [
    operation({
      id: 'readStatistics',
      method: 'get',
      path: '/v1/statistics',
      summary: 'Reads what happened in each step: orders, money, callbacks, times, failures',
      roles: ALL_ROLES,
      query: statisticsQuery,
      reply: statisticsReply,
      replies: { 200: 'All steps that the range touches, oldest first, empty ones too' },
      handle: (call) => readStatistics(deps, call),
    }),
  ];
}

async function readStatistics(
  { database, now }: StatisticsRouteDeps,
  { query }: Call<{ query: z.output<typeof statisticsQuery> }>,
): Promise<Reply> {
  const { from, to, step = '1h' } = query;
  const msOf = (text: string | undefined) => (text === undefined ? undefined : Date.parse(text));
  const range = stepsOf({ from: msOf(from), to: msOf(to) }, step, now());
  if (range === 'empty') throw invalidField('from', 'must lie before `to`');
  if (range === 'too_many') {
    throw invalidField('from', `must lie at most ${MAX_STEPS} steps before \`to\``);
  }
  return {
    status: 200,
    body: renderStatistics(step, await inTime(database.statistics.read(range, step))),
  };
}

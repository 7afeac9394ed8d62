// The route of the patrol's runs and their findings.
import type { z } from 'zod';
import type { Database } from '../../database/database';
import { UUID } from '../../domain/uuid';
import { ALL_ROLES, operation, type Call, type Operation, type Reply } from '../http/operations';
import { page } from '../http/page';
import { patrolRunReply, renderPatrolRun } from './replies';
import { patrolRunQuery } from './schemas';

/** Makes the operation that lists the runs of the patrol with their findings. */
export function patrolOperations({ patrol }: Pick<Database, 'patrol'>): Operation[] {
  return [
    operation({
      id: 'listPatrolRuns',
      method: 'get',
      path: '/v1/patrol/runs',
      summary: 'Lists the runs of the patrol with their findings, newest first',
      roles: ALL_ROLES,
      query: patrolRunQuery,
      reply: patrolRunReply,
      replies: { 200: 'A page of runs' },
      handle: (call) => listRuns(patrol, call),
    }),
  ];
}

function listRuns(
  patrol: Pick<Database['patrol'], 'list'>,
  { query }: Call<{ query: z.output<typeof patrolRunQuery> }>,
): Promise<Reply> {
  return page({
    query,
    idShape: UUID,
    read: (after, limit) =>
      patrol.list({ after: after && { startedAt: after.at, id: after.id }, limit }),
    placeOf: ({ startedAt, id }) => ({ at: startedAt, id }),
    render: renderPatrolRun,
  });
}

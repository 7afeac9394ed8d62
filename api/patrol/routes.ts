import type { z } from 'zod';
import type { Database } from '../../database/database';
import { readCursor, writeCursor } from '../http/cursor';
import { inTime } from '../http/deadline';
import { ALL_ROLES, type Call, type Operation, type Reply } from '../http/operations';
import { patrolRunQuery, patrolRunReply, renderPatrolRun } from './schemas';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DEFAULT_LIMIT = 50;

/** What the patrols found. */
export function patrolOperations({ patrol }: Pick<Database, 'patrol'>): Operation[] {
  return [
    {
      id: 'listPatrolRuns',
      method: 'get',
      path: '/v1/patrol/runs',
      summary: 'The reports of the patrol, newest first',
      roles: ALL_ROLES,
      query: patrolRunQuery,
      reply: patrolRunReply,
      replies: { 200: 'A page' },
      handle: (call) => listRuns(patrol, call),
    },
  ];
}

async function listRuns(patrol: Pick<Database['patrol'], 'list'>, call: Call): Promise<Reply> {
  const query = call.query as z.output<typeof patrolRunQuery>;
  const limit = query.limit ?? DEFAULT_LIMIT;
  const place = query.cursor === undefined ? null : readCursor(query.cursor, UUID);
  const after = place && { startedAt: place.at, id: place.id };
  const rows = await inTime(patrol.list({ after, limit: limit + 1 }));
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return {
    status: 200,
    body: {
      data: page.map(renderPatrolRun),
      next_cursor: last ? writeCursor({ at: last.startedAt, id: last.id }) : null,
    },
  };
}

import type { z } from 'zod';
import type { Database } from '../../database/database';
import { readCursor, writeCursor } from '../http/cursor';
import { inTime } from '../http/deadline';
import { ALL_ROLES, type Call, type Operation, type Reply } from '../operations';
import { interventionListReply, renderIntervention } from '../replies';
import * as schemas from '../schemas';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DEFAULT_LIMIT = 50;

/** What waits for a person. */
export function interventionOperations({
  interventions,
}: Pick<Database, 'interventions'>): Operation[] {
  return [
    {
      id: 'listInterventions',
      method: 'get',
      path: '/v1/interventions',
      summary: 'The questions for a person, oldest first',
      roles: ALL_ROLES,
      query: schemas.interventionListQuery,
      reply: interventionListReply,
      replies: { 200: 'A page' },
      handle: (call) => listInterventions(interventions, call),
    },
  ];
}

async function listInterventions(
  interventions: Database['interventions'],
  call: Call,
): Promise<Reply> {
  const query = call.query as z.output<typeof schemas.interventionListQuery>;
  const limit = query.limit ?? DEFAULT_LIMIT;
  const place = query.cursor === undefined ? null : readCursor(query.cursor, UUID);
  const rows = await inTime(
    interventions.list({
      status: query.status ?? null,
      after: place && { since: place.at, id: place.id },
      limit: limit + 1,
    }),
  );
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return {
    status: 200,
    body: {
      data: page.map(renderIntervention),
      next_cursor: last ? writeCursor({ at: last.since, id: last.id }) : null,
    },
  };
}

// The route of a user's points.
import { z } from 'zod';
import type { Database } from '../../database/database';
import { SEQUENCE_ID } from '../http/cursor';
import { inTime } from '../http/deadline';
import { userId as userIdField } from '../http/fields';
import { ALL_ROLES, operation, type Call, type Operation, type Reply } from '../http/operations';
import { page, pageQuery } from '../http/page';
import { pointsReply, renderPointsEntry } from './replies';

const pointsQuery = z.strictObject(pageQuery);

/** Makes the operation that reads the points of a user. */
export function pointsOperations({ products }: Pick<Database, 'products'>): Operation[] {
  return [
    operation({
      id: 'getPoints',
      method: 'get',
      path: '/v1/users/:user_id/points',
      summary: 'Reads the points of a user',
      roles: ALL_ROLES,
      params: z.object({ user_id: userIdField }),
      query: pointsQuery,
      reply: pointsReply,
      replies: { 200: 'The balance and a page of the entries, newest first' },
      handle: (call) => readPoints(products, call),
    }),
  ];
}

async function readPoints(
  products: Database['products'],
  { params, query }: Call<{ params: { user_id: string }; query: z.output<typeof pointsQuery> }>,
): Promise<Reply> {
  const { user_id: userId } = params;
  const balance = await inTime(products.pointsBalance(userId));
  return page({
    query,
    idShape: SEQUENCE_ID,
    read: (after, limit) =>
      products.pointsEntries({ userId, afterId: after && BigInt(after.id), limit }),
    placeOf: ({ at, id }) => ({ at, id: String(id) }),
    render: renderPointsEntry,
    bodyOf: (entries, nextCursor) => ({ balance, entries, next_cursor: nextCursor }),
  });
}

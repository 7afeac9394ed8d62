// The route of a user's points.
import { z } from 'zod';
import type { Database } from '../../database/database';
import { inTime } from '../http/deadline';
import { userId } from '../http/fields';
import { ALL_ROLES, operation, type Operation } from '../http/operations';
import { pointsReply, renderPoints } from './replies';

/** Makes the operation that reads the points of a user. */
export function pointsOperations({ products }: Pick<Database, 'products'>): Operation[] {
  return [
    operation({
      id: 'getPoints',
      method: 'get',
      path: '/v1/users/:user_id/points',
      summary: 'Reads the points of a user',
      roles: ALL_ROLES,
      params: z.object({ user_id: userId }),
      reply: pointsReply,
      replies: { 200: 'The balance and the latest entries' },
      handle: async ({ params }) => {
        const points = await inTime(products.points(params.user_id));
        return { status: 200, body: renderPoints(points) };
      },
    }),
  ];
}

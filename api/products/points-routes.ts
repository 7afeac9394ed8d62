import type { Database } from '../../database/database';
import { inTime } from '../http/deadline';
import { parse } from '../http/validation';
import { ALL_ROLES, type Operation } from '../http/operations';
import { renderPoints } from './replies';
import { pointsReply } from './replies';
import { userParameter } from '../http/fields';

/** The points that users earned. */
export function pointsOperations({ products }: Pick<Database, 'products'>): Operation[] {
  return [
    {
      id: 'getPoints',
      method: 'get',
      path: '/v1/users/:user_id/points',
      summary: 'The points of a user',
      roles: ALL_ROLES,
      reply: pointsReply,
      replies: { 200: 'Balance and latest entries' },
      handle: async (call) => {
        const { user_id: userId } = parse(userParameter, call.params);
        return { status: 200, body: renderPoints(await inTime(products.points(userId))) };
      },
    },
  ];
}

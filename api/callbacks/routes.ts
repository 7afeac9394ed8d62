import type { z } from 'zod';
import type { Database } from '../../database/database';
import { readCursor, writeCursor } from '../http/cursor';
import { inTime } from '../http/deadline';
import { ALL_ROLES, type Call, type Operation, type Reply } from '../http/operations';
import { renderCallbackDelivery } from './replies';
import { callbackDeliveryListReply } from './replies';
import { callbackDeliveryListQuery } from './schemas';

/** Ids are counted; 18 digits are always a number that PostgreSQL can hold. */
const COUNTED = /^\d{1,18}$/;
const DEFAULT_LIMIT = 50;

/** What WeChat delivered, and what it was answered. */
export function callbackDeliveryOperations({
  callbackDeliveries,
}: Pick<Database, 'callbackDeliveries'>): Operation[] {
  return [
    {
      id: 'listCallbackDeliveries',
      method: 'get',
      path: '/v1/callback-deliveries',
      summary: 'Deliveries of callbacks, newest first; refused ones are sampled',
      roles: ALL_ROLES,
      query: callbackDeliveryListQuery,
      reply: callbackDeliveryListReply,
      replies: { 200: 'A page' },
      handle: (call) => listDeliveries(callbackDeliveries, call),
    },
  ];
}

async function listDeliveries(
  deliveries: Database['callbackDeliveries'],
  call: Call,
): Promise<Reply> {
  const query = call.query as z.output<typeof callbackDeliveryListQuery>;
  const limit = query.limit ?? DEFAULT_LIMIT;
  const place = query.cursor === undefined ? null : readCursor(query.cursor, COUNTED);
  const rows = await inTime(
    deliveries.list({
      outTradeNo: query.out_trade_no ?? null,
      outcome: query.outcome ?? null,
      after: place && { receivedAt: place.at, id: place.id },
      limit: limit + 1,
    }),
  );
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return {
    status: 200,
    body: {
      data: page.map(renderCallbackDelivery),
      next_cursor: last ? writeCursor({ at: last.receivedAt, id: last.id }) : null,
    },
  };
}

import { z } from 'zod';
import { line } from '../http/fields';
import { orderListQuery } from '../orders/schemas';

export const callbackDeliveryListQuery = z.strictObject({
  out_trade_no: line(1, 64).optional(),
  outcome: line(1, 64).optional().describe('added, duplicate, conflicting, or why it was refused'),
  cursor: orderListQuery.shape.cursor,
  limit: orderListQuery.shape.limit,
});

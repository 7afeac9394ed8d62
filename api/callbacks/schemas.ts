// Schema of the query of the callback log.
import { z } from 'zod';
import { line } from '../http/fields';
import { pageQuery } from '../http/page';

/** `GET /v1/callback-deliveries`. */
export const callbackDeliveryListQuery = z.strictObject({
  out_trade_no: line(1, 64).optional(),
  outcome: line(1, 64)
    .optional()
    .describe('added, duplicate, conflicting, or why the callback was refused'),
  ...pageQuery,
});

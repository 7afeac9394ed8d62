// Schema and rendering of the callback log in replies.
import { z } from 'zod';
import type { CallbackDeliveryView } from '../../database/inbox/callback-log';
import { time } from '../http/reply-fields';

/** A page of the callback log. */
export const callbackDeliveryListReply = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      received_at: time,
      notification_id: z.string().nullable(),
      out_trade_no: z.string().nullable(),
      outcome: z.string(),
      http_status: z.int(),
      duration_ms: z.number(),
      repeats: z
        .int()
        .describe('further deliveries of this duplicate in the same hour that have no row'),
    }),
  ),
  next_cursor: z.string().nullable(),
});

/** Renders one callback of the log. */
export function renderCallbackDelivery(delivery: CallbackDeliveryView) {
  return {
    id: delivery.id,
    received_at: delivery.receivedAt.toISOString(),
    notification_id: delivery.notificationId,
    out_trade_no: delivery.outTradeNo,
    outcome: delivery.outcome,
    http_status: delivery.httpStatus,
    duration_ms: Math.round(delivery.durationMs * 100) / 100,
    repeats: delivery.repeats,
  };
}

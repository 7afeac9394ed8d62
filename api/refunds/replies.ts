// Schema and rendering of a refund in replies.
import { z } from 'zod';
import type { RefundView } from '../../database/views/read-order-details';
import { REFUND_ORIGINS, REFUND_STATUSES } from '../../domain/refunds/refund-state';
import { fen } from '../http/fields';
import { iso, time } from '../http/reply-fields';

/** A refund. */
export const refundReply = z.object({
  out_refund_no: z.string(),
  out_trade_no: z.string(),
  transaction_id: z.string(),
  amount: fen,
  currency: z.string(),
  status: z.enum(REFUND_STATUSES),
  reason: z.string().nullable(),
  origin: z
    .enum(REFUND_ORIGINS)
    .describe(
      'api: requested here; resolution: an operator resolved an intervention with it; ' +
        'external: made on the merchant platform of WeChat Pay',
    ),
  replaces: z
    .string()
    .nullable()
    .describe('the refund that WeChat Pay closed and that this one replaces'),
  created_at: time,
  succeeded_at: time.nullable(),
});

/** Renders a refund. */
export function renderRefund(refund: RefundView) {
  return {
    out_refund_no: refund.outRefundNo,
    out_trade_no: refund.outTradeNo,
    transaction_id: refund.transactionId,
    amount: refund.amountFen,
    currency: refund.currency,
    status: refund.status,
    reason: refund.reason,
    origin: refund.origin,
    replaces: refund.replaces,
    created_at: refund.createdAt.toISOString(),
    succeeded_at: iso(refund.succeededAt),
  };
}

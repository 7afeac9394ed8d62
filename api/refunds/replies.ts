import type { RefundView } from '../../database/views/read-order-details';
import { REFUND_STATUSES, REFUND_ORIGINS } from '../../domain/refunds/refund-state';
import { z } from 'zod';
import { fen } from '../http/fields';
import { iso, time } from '../http/reply-fields';

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
    .describe("api: on request; resolution: by an answer; external: WeChat Pay's platform"),
  replaces: z.string().nullable().describe('the refund, closed by WeChat Pay, that it stands for'),
  created_at: time,
  succeeded_at: time.nullable(),
});
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

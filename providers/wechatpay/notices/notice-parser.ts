// Parses a decrypted callback, or the response to a query, into a notice.
import { z } from 'zod';
import {
  TRADE_STATES,
  type Notice,
  type PaymentNotice,
  type ProfitSharingNotice,
  type RefundNotice,
  type UnknownNotice,
} from '../../../domain/payments/notices';
import {
  amountFen,
  lenient,
  merchantNo,
  optional,
  outTradeNo,
  shortText,
  wechatNo,
} from '../fields/fields';
import { parseObject } from '../fields/parse-object';

/** WeChat adds fields now and then: the schema reads those it names and ignores all others. */
const paymentSchema = z
  .object({
    out_trade_no: outTradeNo,
    transaction_id: z.union([wechatNo, z.literal('').transform(() => null)]).nullish(),
    trade_state: z.enum(TRADE_STATES),
    trade_type: optional(shortText),
    success_time: optional(shortText),
    appid: optional(shortText),
    mchid: optional(shortText),
    amount: z
      .object({
        total: optional(amountFen),
        payer_total: optional(amountFen),
        currency: optional(shortText),
      })
      .nullish(),
  })
  .transform((seen): PaymentNotice => ({
    kind: 'payment',
    outTradeNo: seen.out_trade_no,
    transactionId: seen.transaction_id ?? null,
    tradeState: seen.trade_state,
    totalFen: seen.amount?.total ?? null,
    payerTotalFen: seen.amount?.payer_total ?? null,
    currency: seen.amount?.currency ?? null,
    appId: seen.appid,
    merchantId: seen.mchid,
    tradeType: seen.trade_type,
    successTime: seen.success_time,
  }))
  // Money that came has a number: without it nothing could ever be refunded.
  .refine((notice) => notice.transactionId !== null || !hasMoney(notice));

const refundSchema = z
  .object({
    out_trade_no: outTradeNo,
    transaction_id: optional(wechatNo),
    out_refund_no: merchantNo,
    refund_id: optional(wechatNo),
    refund_status: z.string().regex(/^[A-Z_]{1,32}$/),
    success_time: lenient(shortText),
    mchid: lenient(shortText),
    amount: z
      .object({
        refund: optional(amountFen),
        total: optional(amountFen),
        currency: lenient(shortText),
      })
      .nullish(),
  })
  .transform((seen): RefundNotice => ({
    kind: 'refund',
    outTradeNo: seen.out_trade_no,
    transactionId: seen.transaction_id,
    outRefundNo: seen.out_refund_no,
    refundId: seen.refund_id,
    refundStatus: seen.refund_status,
    refundFen: seen.amount?.refund ?? null,
    totalFen: seen.amount?.total ?? null,
    currency: seen.amount?.currency ?? null,
    merchantId: seen.mchid,
    successTime: seen.success_time,
  }));

const profitSharingSchema = z
  .object({ transaction_id: optional(wechatNo), out_order_no: optional(merchantNo) })
  .transform((seen): ProfitSharingNotice => ({
    kind: 'profit_sharing',
    transactionId: seen.transaction_id,
    outOrderNo: seen.out_order_no,
  }));

const UNKNOWN: UnknownNotice = { kind: 'unknown' };

/**
 * Reads a decrypted callback or the response to a query. Its shape alone decides which kind it is:
 * WeChat has sent profit-sharing notices with the `event_type` of a payment. A payment that lacks
 * amount, currency, appid or mchid is still a payment, with nulls: it will match no order.
 *
 * @returns kind `unknown` for everything else, also for text that is not JSON. Never throws.
 */
export function parseNotice(text: string): Notice {
  const seen = parseObject(text);
  if (seen === null) return UNKNOWN;
  if (Object.hasOwn(seen, 'trade_state')) return paymentSchema.safeParse(seen).data ?? UNKNOWN;
  if (Object.hasOwn(seen, 'refund_status')) return refundSchema.safeParse(seen).data ?? UNKNOWN;
  if (Object.hasOwn(seen, 'receiver') || Object.hasOwn(seen, 'receivers')) {
    return profitSharingSchema.safeParse(seen).data ?? UNKNOWN;
  }
  return UNKNOWN;
}

function hasMoney(notice: PaymentNotice): boolean {
  return notice.tradeState === 'SUCCESS' || notice.tradeState === 'REFUND';
}

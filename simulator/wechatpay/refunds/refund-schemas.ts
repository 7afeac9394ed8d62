// Schemas of the refund requests, as strict as WeChat's.
import { z } from 'zod';
import { MAX_FEN } from '../../../domain/money';
import type { Reply } from '../http/reply';
import { notifyUrl, outTradeNo, paramErrorOf, text } from '../http/request-fields';

const outRefundNo = z.string().regex(/^[0-9A-Za-z_\-|*@]{1,64}$/);
const fen = z.int().min(1).max(MAX_FEN);

const refund = z
  .strictObject({
    transaction_id: text(32).optional(),
    out_trade_no: outTradeNo.optional(),
    out_refund_no: outRefundNo,
    reason: text(80).optional(),
    notify_url: notifyUrl.optional(),
    funds_account: z.enum(['AVAILABLE', 'UNSETTLED']).optional(),
    amount: z.strictObject({
      refund: fen,
      total: fen,
      currency: z.string().regex(/^[A-Z]{3}$/),
      from: z
        .array(z.strictObject({ account: z.enum(['AVAILABLE', 'UNAVAILABLE']), amount: fen }))
        .optional(),
    }),
    goods_detail: z
      .array(
        z.strictObject({
          merchant_goods_id: text(32),
          wechatpay_goods_id: text(32).optional(),
          goods_name: text(256).optional(),
          unit_price: z.int().min(0),
          refund_amount: z.int().min(0),
          refund_quantity: z.int().min(1),
        }),
      )
      .optional(),
  })
  .refine((body) => body.transaction_id !== undefined || body.out_trade_no !== undefined, {
    path: ['transaction_id'],
    message: 'transaction_id or out_trade_no is required',
  });
/** The content of a refund request. */
export type RefundBody = z.output<typeof refund>;

const encrypted = text(1024);
const abnormalRefund = z.discriminatedUnion('type', [
  z.strictObject({
    out_refund_no: outRefundNo,
    type: z.literal('USER_BANK_CARD'),
    bank_type: text(16),
    bank_account: encrypted,
    real_name: encrypted,
  }),
  z.strictObject({ out_refund_no: outRefundNo, type: z.literal('MERCHANT_BANK_CARD') }),
]);
export type AbnormalRefundBody = z.output<typeof abnormalRefund>;

type Parsed<T> =
  | { readonly kind: 'parsed'; readonly body: T }
  | { readonly kind: 'refused'; readonly reply: Reply };

/** As strict as WeChat v3: https://pay.weixin.qq.com/doc/v3/merchant/4012791903. */
export function parseRefund(body: unknown): Parsed<RefundBody> {
  return parse(refund, body);
}

/** https://pay.weixin.qq.com/doc/v3/merchant/4012791905 */
export function parseAbnormalRefund(body: unknown): Parsed<AbnormalRefundBody> {
  return parse(abnormalRefund, body);
}

function parse<T>(schema: z.ZodType<T>, body: unknown): Parsed<T> {
  const result = schema.safeParse(body);
  return result.success
    ? { kind: 'parsed', body: result.data }
    : { kind: 'refused', reply: paramErrorOf(result.error) };
}

// Schemas of WeChat's responses and of the envelope of its callbacks.
import { z } from 'zod';
import {
  amountFen,
  lenient,
  merchantNo,
  optional,
  outTradeNo,
  shortText,
  wechatNo,
} from './fields';
import { RESOURCE_ALGORITHM, RESOURCE_NONCE_BYTES } from '../crypto/resource-cipher';

/** Text that becomes part of a signed text of lines, or of a link: no space, no line break. */
const visible = (max: number) =>
  z
    .string()
    .regex(/^[\x21-\x7e]+$/)
    .max(max);

/** The value in the response to a prepay, one field for each API of WeChat. */
export const prepayResponses = {
  jsapi: z.object({ prepay_id: visible(128) }).transform((response) => response.prepay_id),
  app: z.object({ prepay_id: visible(128) }).transform((response) => response.prepay_id),
  h5: z.object({ h5_url: visible(1024) }).transform((response) => response.h5_url),
  native: z.object({ code_url: visible(512) }).transform((response) => response.code_url),
} as const;

/** A refund: the response is the same when we make it, query it or redirect it. */
export const refundResponse = z
  .object({
    out_refund_no: merchantNo,
    out_trade_no: outTradeNo,
    refund_id: wechatNo,
    transaction_id: wechatNo,
    status: z.enum(['SUCCESS', 'CLOSED', 'PROCESSING', 'ABNORMAL']),
    success_time: lenient(shortText),
    amount: z
      .object({
        refund: optional(amountFen),
        total: optional(amountFen),
        currency: lenient(shortText),
      })
      .nullish(),
  })
  .transform((seen) => ({
    outRefundNo: seen.out_refund_no,
    outTradeNo: seen.out_trade_no,
    refundId: seen.refund_id,
    transactionId: seen.transaction_id,
    status: seen.status,
    refundFen: seen.amount?.refund ?? null,
    totalFen: seen.amount?.total ?? null,
    currency: seen.amount?.currency ?? null,
    successTime: seen.success_time,
  }));

const receiverType = z.enum(['MERCHANT_ID', 'PERSONAL_OPENID']);

/** A receiver, as WeChat confirms it. */
export const receiverResponse = z.object({ type: receiverType, account: shortText });

/** A profit sharing: the response is the same when we make it, query it or unfreeze the rest. */
export const sharingResponse = z
  .object({
    out_order_no: merchantNo,
    transaction_id: wechatNo,
    order_id: wechatNo,
    state: z.enum(['PROCESSING', 'FINISHED']),
    receivers: z
      .array(
        z.object({
          type: receiverType,
          account: shortText,
          amount: amountFen,
          result: z.enum(['PENDING', 'SUCCESS', 'CLOSED']),
          fail_reason: lenient(shortText),
          detail_id: lenient(wechatNo),
        }),
      )
      .nullish(),
  })
  .transform((seen) => ({
    outOrderNo: seen.out_order_no,
    transactionId: seen.transaction_id,
    orderId: seen.order_id,
    state: seen.state,
    receivers: (seen.receivers ?? []).map((receiver) => ({
      type: receiver.type,
      account: receiver.account,
      amountFen: receiver.amount,
      result: receiver.result,
      failReason: receiver.fail_reason,
      detailId: receiver.detail_id,
    })),
  }));

/** A share return: the response is the same when we make it and when we query it. */
export const sharingReturnResponse = z
  .object({
    out_order_no: merchantNo,
    out_return_no: merchantNo,
    return_id: wechatNo,
    return_mchid: shortText,
    amount: amountFen,
    result: z.enum(['PROCESSING', 'SUCCESS', 'FAILED']),
    fail_reason: lenient(shortText),
  })
  .transform((seen) => ({
    outOrderNo: seen.out_order_no,
    outReturnNo: seen.out_return_no,
    returnId: seen.return_id,
    returnMerchantId: seen.return_mchid,
    amountFen: seen.amount,
    result: seen.result,
    failReason: seen.fail_reason,
  }));

/** WeChat's error body. The page of a proxy, or JSON of another program, has another shape. */
export const errorResponse = z.object({
  code: z.string().regex(/^[A-Za-z0-9_]{1,64}$/),
  message: z.string().nullish(),
});

/** The response of `GET /v3/certificates`; at most two or three are in use side by side. */
export const certificatesResponse = z.object({
  data: z
    .array(
      z.object({
        serial_no: z.string().regex(/^[0-9A-Fa-f]{1,64}$/),
        encrypt_certificate: z.object({
          algorithm: z.literal(RESOURCE_ALGORITHM),
          nonce: z.string(),
          associated_data: z.string().nullish(),
          ciphertext: z.string(),
        }),
      }),
    )
    .max(16),
});

/** The body of a callback before its resource is decrypted. */
export const callbackEnvelope = z.object({
  id: z.string().regex(/^[\x21-\x7e]{1,64}$/),
  event_type: z.string().max(64).nullable().catch(null),
  create_time: z.string().max(64).nullable().catch(null),
  resource: z.object({
    algorithm: z.literal(RESOURCE_ALGORITHM),
    ciphertext: z.string(),
    nonce: z.string().refine((nonce) => Buffer.byteLength(nonce) === RESOURCE_NONCE_BYTES),
    associated_data: z.string().nullish(),
  }),
});

// Schemas of WeChat's responses and of the envelope of its callbacks.
import { z } from 'zod';
import { amountFen, lenient, merchantNo, outTradeNo, shortText, wechatNo } from './fields';
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

const MAX_SHOWN_LENGTH = 64;

/** A state that WeChat names, and the text as it wrote it: null where it is no text. */
const stateOf = <T extends string>(known: readonly T[]) =>
  z
    .unknown()
    .optional()
    .transform((value) => ({
      known: known.find((state) => state === value) ?? null,
      reported: typeof value === 'string' ? value.slice(0, MAX_SHOWN_LENGTH) : null,
    }));

/**
 * A refund: the response is the same when we make it, query it or redirect it. WeChat signed it as
 * the response to our request, so a number that it leaves out is ours. null: absent or unreadable.
 */
export const refundResponse = z
  .object({
    out_refund_no: lenient(merchantNo),
    out_trade_no: lenient(outTradeNo),
    refund_id: lenient(wechatNo),
    transaction_id: lenient(wechatNo),
    status: stateOf(['SUCCESS', 'CLOSED', 'PROCESSING', 'ABNORMAL']),
    success_time: lenient(shortText),
    amount: z
      .object({
        refund: lenient(amountFen),
        total: lenient(amountFen),
        currency: lenient(shortText),
      })
      .nullish()
      .catch(null),
  })
  .transform((seen) => ({
    outRefundNo: seen.out_refund_no,
    outTradeNo: seen.out_trade_no,
    refundId: seen.refund_id,
    transactionId: seen.transaction_id,
    status: seen.status.known,
    reportedStatus: seen.status.reported,
    refundFen: seen.amount?.refund ?? null,
    totalFen: seen.amount?.total ?? null,
    currency: seen.amount?.currency ?? null,
    successTime: seen.success_time,
  }));

const receiverType = z.enum(['MERCHANT_ID', 'PERSONAL_OPENID']);

/** A receiver, as WeChat confirms it. */
export const receiverResponse = z.object({ type: receiverType, account: shortText });

const receiverInSharing = z
  .object({
    type: receiverType,
    account: shortText,
    amount: lenient(amountFen),
    result: stateOf(['PENDING', 'SUCCESS', 'CLOSED']),
    fail_reason: lenient(shortText),
    detail_id: lenient(wechatNo),
  })
  .transform((receiver) => ({
    type: receiver.type,
    account: receiver.account,
    amountFen: receiver.amount,
    result: receiver.result.known,
    reportedResult: receiver.result.reported,
    failReason: receiver.fail_reason,
    detailId: receiver.detail_id,
  }));

/**
 * A profit sharing: the response is the same when we make it, query it or unfreeze the rest. null
 * as in {@link refundResponse}; also for receivers that can't be read.
 */
export const sharingResponse = z
  .object({
    out_order_no: lenient(merchantNo),
    transaction_id: lenient(wechatNo),
    order_id: lenient(wechatNo),
    state: stateOf(['PROCESSING', 'FINISHED']),
    receivers: z.array(receiverInSharing.nullable().catch(null)).nullish().catch([null]),
  })
  .transform((seen) => ({
    outOrderNo: seen.out_order_no,
    transactionId: seen.transaction_id,
    orderId: seen.order_id,
    state: seen.state.known,
    reportedState: seen.state.reported,
    receivers: seen.receivers ?? [],
  }));

/** A share return: the response is the same when we make it and when we query it. */
export const sharingReturnResponse = z
  .object({
    out_order_no: lenient(merchantNo),
    out_return_no: lenient(merchantNo),
    return_id: lenient(wechatNo),
    return_mchid: lenient(shortText),
    amount: lenient(amountFen),
    result: stateOf(['PROCESSING', 'SUCCESS', 'FAILED']),
    fail_reason: lenient(shortText),
  })
  .transform((seen) => ({
    outOrderNo: seen.out_order_no,
    outReturnNo: seen.out_return_no,
    returnId: seen.return_id,
    returnMerchantId: seen.return_mchid,
    amountFen: seen.amount,
    result: seen.result.known,
    reportedResult: seen.result.reported,
    failReason: seen.fail_reason,
  }));

/** A bill that is ready. Older pages show the URL behind a space. */
export const billResponse = z
  .object({
    hash_type: z.literal('SHA1'),
    hash_value: z.string().regex(/^[0-9A-Fa-f]{40}$/),
    download_url: z.string().trim().pipe(visible(2048)),
  })
  .transform((response) => ({
    sha1: response.hash_value.toLowerCase(),
    downloadUrl: response.download_url,
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
  /** The database can't hold a NUL. */
  event_type: z
    .string()
    .transform((type) => type.replaceAll('\u0000', '').slice(0, 64))
    .nullable()
    .catch(null),
  create_time: z.string().max(64).nullable().catch(null),
  resource: z.object({
    algorithm: z.literal(RESOURCE_ALGORITHM),
    ciphertext: z.string(),
    nonce: z.string().refine((nonce) => Buffer.byteLength(nonce) === RESOURCE_NONCE_BYTES),
    associated_data: z.string().nullish(),
  }),
});

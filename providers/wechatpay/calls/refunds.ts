// Calls WeChat's refund API: makes, queries and redirects refunds.
import { NO_ENCRYPTION_KEY, type Perform } from './calls';
import { encryptField } from '../crypto/field-cipher';
import { parseObject } from '../fields/parse-object';
import type { WechatOutcome } from './outcome';
import type { PlatformKeys } from '../keys/platform-keys';
import type { AbnormalRefundBody, RefundBody, Sealed } from './request-bodies';
import type { SignedCalls } from './request-signing';
import { refundResponse } from '../fields/response-schemas';

/** All content of a refund request, stored with the refund: a repeat sends the same bytes. */
export interface RefundRequest {
  readonly merchantId: string;
  /** The payment from which the money goes back. */
  readonly transactionId: string;
  /** A repeat keeps this number: a new number would pay twice. */
  readonly outRefundNo: string;
  /** Shown to the user, at most 80 characters. */
  readonly reason: string | null;
  readonly notifyUrl: string;
  readonly refundFen: number;
  /** The amount of the payment. */
  readonly totalFen: number;
  readonly currency: string;
}

export interface RefundReference {
  readonly outRefundNo: string;
  /** The merchant id stored with the order. */
  readonly merchantId: string;
  readonly signal?: AbortSignal | undefined;
}

/** The account to which the money of an abnormal refund shall go. */
export type AbnormalRefundTarget =
  | {
      readonly kind: 'user_bank_card';
      /** WeChat's code of the bank, `ICBC_DEBIT`. */
      readonly bankType: string;
      readonly bankAccount: string;
      readonly realName: string;
    }
  | { readonly kind: 'merchant_bank_card' };

export interface AbnormalRefundRequest {
  readonly merchantId: string;
  /** WeChat's number of the refund. */
  readonly refundId: string;
  readonly outRefundNo: string;
  readonly to: AbnormalRefundTarget;
}

/**
 * A refund as WeChat reports it. An accepted refund is not done: it can stay PROCESSING for days. A
 * number or an amount is null where WeChat names none that can be read: then it is the requested
 * one.
 */
export interface RefundState {
  readonly outRefundNo: string | null;
  readonly outTradeNo: string | null;
  readonly refundId: string | null;
  readonly transactionId: string | null;
  /** null for a status that Oncepay doesn't know. */
  readonly status: 'SUCCESS' | 'CLOSED' | 'PROCESSING' | 'ABNORMAL' | null;
  /** As WeChat wrote it. */
  readonly reportedStatus: string | null;
  readonly refundFen: number | null;
  /** The amount of the payment. */
  readonly totalFen: number | null;
  readonly currency: string | null;
  /** RFC 3339 as WeChat wrote it. */
  readonly successTime: string | null;
}

export interface RefundCalls {
  /** @see https://pay.weixin.qq.com/doc/v3/merchant/4012791903 */
  refund(request: RefundRequest): Promise<WechatOutcome<RefundState>>;
  /** @see https://pay.weixin.qq.com/doc/v3/merchant/4012791904 */
  queryRefund(refund: RefundReference): Promise<WechatOutcome<RefundState>>;
  /**
   * Sends the money of an ABNORMAL refund to another account. Account and name are encrypted with
   * WeChat's key. Without a key nothing is sent, and the outcome is `unknown`.
   *
   * @throws Error when account or name have more than the 214 bytes that can be encrypted.
   * @see https://pay.weixin.qq.com/doc/v3/merchant/4012791905
   */
  applyAbnormalRefund(request: AbnormalRefundRequest): Promise<WechatOutcome<RefundState>>;
}

/** The refund calls of {@link createWechatPayClient}. */
export function createRefundCalls(deps: {
  readonly perform: Perform;
  readonly calls: SignedCalls;
  readonly keys: Pick<PlatformKeys, 'encryptionKey'>;
}): RefundCalls {
  const { perform, calls, keys } = deps;
  return {
    refund: (request) =>
      perform({
        subject: { operation: 'refund', outRefundNo: request.outRefundNo },
        make: (send) => calls.refund(refundBody(request), request.merchantId, send),
        read: readRefund,
      }),
    queryRefund: ({ outRefundNo, merchantId, signal }) =>
      perform({
        subject: { operation: 'refund_query', outRefundNo },
        signal,
        make: (send) => calls.queryRefund(outRefundNo, merchantId, send),
        read: readRefund,
      }),
    applyAbnormalRefund: (request) =>
      perform({
        subject: { operation: 'abnormal_refund', outRefundNo: request.outRefundNo },
        personal:
          request.to.kind === 'merchant_bank_card'
            ? []
            : [request.to.bankAccount, request.to.realName],
        make: async (send) => {
          const sealed = await abnormalRefundBody(request, keys);
          if (sealed === null) return NO_ENCRYPTION_KEY;
          return calls.applyAbnormalRefund({ ...request, ...sealed }, send);
        },
        read: readRefund,
      }),
  };
}

/** Keeps one order of keys, and leaves out absent ones, because v3 refuses nulls. */
function refundBody(request: RefundRequest): RefundBody {
  return {
    transaction_id: request.transactionId,
    out_refund_no: request.outRefundNo,
    ...(request.reason === null ? {} : { reason: request.reason }),
    notify_url: request.notifyUrl,
    amount: {
      refund: request.refundFen,
      total: request.totalFen,
      currency: request.currency,
    },
  };
}

/** Null when there is something to encrypt and we know no key of WeChat. */
async function abnormalRefundBody(
  { outRefundNo, to }: AbnormalRefundRequest,
  keys: Pick<PlatformKeys, 'encryptionKey'>,
): Promise<Sealed<AbnormalRefundBody> | null> {
  if (to.kind === 'merchant_bank_card') {
    return { body: { out_refund_no: outRefundNo, type: 'MERCHANT_BANK_CARD' }, keySerial: null };
  }
  const current = await keys.encryptionKey();
  if (current === null) return null;
  const body: AbnormalRefundBody = {
    out_refund_no: outRefundNo,
    type: 'USER_BANK_CARD',
    bank_type: to.bankType,
    bank_account: encryptField(to.bankAccount, current.key),
    real_name: encryptField(to.realName, current.key),
  };
  return { body, keySerial: current.serial };
}

/** Writes a queried refund like a callback, so that both are read and booked in one way. */
export function asCallback(
  refund: RefundState,
  requested: {
    readonly merchantId: string;
    readonly outTradeNo: string;
    readonly transactionId: string;
    readonly outRefundNo: string;
  },
): string {
  return JSON.stringify({
    mchid: requested.merchantId,
    out_trade_no: requested.outTradeNo,
    transaction_id: refund.transactionId ?? requested.transactionId,
    out_refund_no: requested.outRefundNo,
    refund_id: refund.refundId,
    refund_status: refund.status,
    success_time: refund.successTime,
    amount: { total: refund.totalFen, refund: refund.refundFen, currency: refund.currency },
  });
}

function readRefund(status: number, text: string): { value: RefundState } | null {
  if (status !== 200) return null;
  const seen = refundResponse.safeParse(parseObject(text));
  return seen.success ? { value: seen.data } : null;
}

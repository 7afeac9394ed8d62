// The client of WeChat Pay v3 for one merchant: all calls, callbacks and pay parameters.
import type { KeyObject } from 'node:crypto';
import type { Channel, PrepayApi } from '../../domain/orders/channels';
import type { PaymentNotice } from '../../domain/payments/notices';
import {
  openCallback,
  type CallbackInput,
  type OpenedCallback,
  type RejectedCallback,
} from './notices/callback';
import { createBillCalls, type BillCalls } from './bills/bill-calls';
import { createPerform, createSendWithin, type CallEvent } from './calls/calls';
import { parseNotice } from './notices/notice-parser';
import { parseObject } from './fields/parse-object';
import type { WechatOutcome } from './calls/outcome';
import { makePayParameters, type ClientPayParameters } from './calls/pay-parameters';
import {
  CERTIFICATE_FETCH_TIMEOUT_MS,
  createPlatformKeys,
  type PlatformKeysEvent,
} from './keys/platform-keys';
import { createProfitSharingCalls, type ProfitSharingCalls } from './calls/profit-sharing';
import { createRefundCalls, type RefundCalls } from './calls/refunds';
import type { PrepayBody } from './calls/request-bodies';
import { createSignedCalls } from './calls/request-signing';
import { readApiV3Keys } from './crypto/resource-cipher';
import { prepayResponses } from './fields/response-schemas';
import { createDownloads } from './transport/downloads';
import { createTransport } from './transport/transport';

export type WechatPayEvent = PlatformKeysEvent | CallEvent;

export interface WechatPayDeps {
  /** An origin, without a path: the paths are WeChat's. */
  readonly baseUrl: string;
  readonly merchantId: string;
  readonly appId: string;
  /** Serial of the merchant's certificate. */
  readonly merchantSerial: string;
  readonly merchantPrivateKey: KeyObject;
  /** 32 bytes each: the current key, then the previous one while the merchant replaces it. */
  readonly apiV3Keys: readonly Buffer[];
  /** Without it the client uses platform certificates. */
  readonly publicKey?: { readonly id: string; readonly key: KeyObject } | undefined;
  /** ms since 1970. */
  readonly now: () => number;
  readonly requestTimeoutMs?: number | undefined;
  /** For logs and metrics; carries ids only. Must not throw. */
  readonly onEvent?: ((event: WechatPayEvent) => void) | undefined;
}

/** All content of a prepay request, stored with the order: a repeat sends the same bytes. */
export interface PrepayRequest {
  readonly api: PrepayApi;
  readonly appId: string;
  readonly merchantId: string;
  readonly outTradeNo: string;
  readonly description: string;
  readonly notifyUrl: string;
  /** RFC 3339 with `+08:00`. */
  readonly timeExpire: string;
  readonly totalFen: number;
  readonly currency: 'CNY';
  /** Sent for `jsapi` alone. */
  readonly openid?: string | undefined;
  /** Sent for `h5` alone. */
  readonly clientIp?: string | undefined;
  readonly profitSharing: boolean;
}

export interface OrderReference {
  readonly outTradeNo: string;
  /** The merchant id stored with the order. */
  readonly merchantId: string;
  readonly signal?: AbortSignal | undefined;
}

export interface WechatPayClient extends RefundCalls, ProfitSharingCalls, BillCalls {
  /** `token` is the `prepay_id`, `h5_url` or `code_url`. */
  prepay(request: PrepayRequest): Promise<WechatOutcome<{ readonly token: string }>>;
  /** `raw` is WeChat's response as it came. It holds personal data, so it is stored encrypted. */
  query(
    order: OrderReference,
  ): Promise<WechatOutcome<{ readonly notice: PaymentNotice; readonly raw: string }>>;
  /**
   * The same about one transaction of the order: the query by its number names one of them alone.
   */
  queryTransaction(
    transaction: OrderReference & { readonly transactionId: string },
  ): Promise<WechatOutcome<{ readonly notice: PaymentNotice; readonly raw: string }>>;
  close(order: OrderReference): Promise<WechatOutcome<null>>;
  /** Verifies, decrypts and parses a callback. Never throws. */
  openCallback(input: CallbackInput): Promise<OpenedCallback | RejectedCallback>;
  /** `nowSeconds`: since 1970; the clock by default. */
  payParameters(order: {
    readonly channel: Channel;
    readonly appId: string;
    readonly merchantId: string;
    readonly token: string;
    readonly nowSeconds?: number | undefined;
  }): ClientPayParameters;
  /** Fetches platform certificates the first time, where they are used. Never throws. */
  warmUp(): Promise<void>;
  /** Fetches new platform certificates. The caller calls it every 12 h. Never throws. */
  refreshCertificates(): Promise<void>;
  /** Waits for the calls under way, ends downloads, then closes the connections. */
  end(): Promise<void>;
}

/**
 * Makes the client of WeChat Pay v3 for one merchant. No call throws for a failure of WeChat or
 * the network: it returns a {@link WechatOutcome}. An empty order number is a mistake of ours, and
 * it throws.
 *
 * @throws TypeError when the base URL is not an origin, RangeError when an APIv3 key has not 32
 * bytes.
 */
export function createWechatPayClient(deps: WechatPayDeps): WechatPayClient {
  const transport = createTransport(deps.baseUrl);
  const downloads = createDownloads(deps.baseUrl);
  const apiV3Keys = readApiV3Keys(deps.apiV3Keys);
  const calls = createSignedCalls(deps);
  const sendWithin = createSendWithin(transport, deps.publicKey?.id);
  const keys = createPlatformKeys({
    publicKey: deps.publicKey,
    apiV3Keys,
    now: deps.now,
    fetchCertificates: () =>
      calls.certificates(deps.merchantId, sendWithin(CERTIFICATE_FETCH_TIMEOUT_MS)),
    onEvent: deps.onEvent,
  });
  const { now, requestTimeoutMs, onEvent } = deps;
  const perform = createPerform({ sendWithin, keys, now, requestTimeoutMs, onEvent });
  return {
    prepay: (request) =>
      perform({
        subject: { operation: 'prepay', outTradeNo: request.outTradeNo },
        personal: [request.openid, request.clientIp],
        make: (send) => calls.prepay(request.api, prepayBody(request), request.merchantId, send),
        read: (status, text) => readToken(request.api, status, text),
      }),
    query: ({ outTradeNo, merchantId, signal }) =>
      perform({
        subject: { operation: 'query', outTradeNo },
        signal,
        make: (send) => calls.query(outTradeNo, merchantId, send),
        read: (status, text) => readPayment(outTradeNo, status, text),
      }),
    queryTransaction: ({ outTradeNo, transactionId, merchantId, signal }) =>
      perform({
        subject: { operation: 'query', outTradeNo },
        signal,
        make: (send) => calls.queryTransaction(transactionId, merchantId, send),
        read: (status, text) => readPayment(outTradeNo, status, text),
      }),
    close: ({ outTradeNo, merchantId, signal }) =>
      perform({
        subject: { operation: 'close', outTradeNo },
        signal,
        make: (send) => calls.close(outTradeNo, merchantId, send),
        read: (status) => (status === 204 || status === 200 ? { value: null } : null),
      }),
    ...createRefundCalls({ perform, calls, keys }),
    ...createProfitSharingCalls({ perform, calls, keys }),
    ...createBillCalls({
      perform,
      calls,
      downloads,
      keys,
      publicKeyId: deps.publicKey?.id,
      now,
      onEvent,
    }),
    openCallback: (input) => openCallback(input, { keys, apiV3Keys }),
    payParameters: (order) =>
      makePayParameters(
        { ...order, nowSeconds: order.nowSeconds ?? Math.floor(deps.now() / 1000) },
        deps.merchantPrivateKey,
      ),
    warmUp: () => keys.warmUp(),
    refreshCertificates: () => keys.refresh(),
    end: async () => {
      await Promise.all([transport.end(), downloads.end()]);
    },
  };
}

/** Keeps one order of keys, and leaves out absent ones, because v3 refuses nulls. */
function prepayBody(request: PrepayRequest): PrepayBody {
  const { api, openid, clientIp } = request;
  return {
    appid: request.appId,
    mchid: request.merchantId,
    description: request.description,
    out_trade_no: request.outTradeNo,
    time_expire: request.timeExpire,
    notify_url: request.notifyUrl,
    ...(request.profitSharing ? { settle_info: { profit_sharing: true } } : {}),
    amount: { total: request.totalFen, currency: request.currency },
    ...(api === 'jsapi' && openid !== undefined ? { payer: { openid } } : {}),
    ...(api === 'h5' && clientIp !== undefined
      ? { scene_info: { payer_client_ip: clientIp, h5_info: { type: 'Wap' } } }
      : {}),
  };
}

function readToken(
  api: PrepayApi,
  status: number,
  text: string,
): { value: { token: string } } | null {
  if (status !== 200) return null;
  const seen = prepayResponses[api].safeParse(parseObject(text));
  return seen.success ? { value: { token: seen.data } } : null;
}

/**
 * Null also when the response is about another order. A response without a number is about ours:
 * WeChat signed it as the response to our query.
 */
function readPayment(
  outTradeNo: string,
  status: number,
  text: string,
): { value: { notice: PaymentNotice; raw: string } } | null {
  const seen = status === 200 ? parseObject(text) : null;
  if (seen === null) return null;
  const isNamed = typeof seen['out_trade_no'] === 'string' && seen['out_trade_no'] !== '';
  const raw = isNamed ? text : JSON.stringify({ ...seen, out_trade_no: outTradeNo });
  const notice = parseNotice(raw);
  if (notice.kind !== 'payment' || notice.outTradeNo !== outTradeNo) return null;
  return { value: { notice, raw } };
}

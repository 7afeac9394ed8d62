// Makes one call to WeChat: sends the signed request, checks the response, and reports the
// outcome.
import type { ErrorCode } from '../../../domain/error-catalogue';
import { readOutcome, type WechatOutcome } from './outcome';
import type { PlatformKeys } from '../keys/platform-keys';
import type { Send } from './request-signing';
import type { Transport, TransportResponse } from '../transport/transport';

/** WeChat responds within 5 s or not at all; the rest is time for the network. */
const DEFAULT_REQUEST_TIMEOUT_MS = 8_000;

const USER_AGENT = 'oncepay';

/** The call's operation, and the number that it is about. */
export type CallSubject =
  | { readonly operation: 'prepay' | 'query' | 'close'; readonly outTradeNo: string }
  | {
      readonly operation: 'refund' | 'refund_query' | 'abnormal_refund';
      readonly outRefundNo: string;
    }
  | {
      readonly operation:
        'receiver_add' | 'share' | 'share_query' | 'unfreeze' | 'return' | 'return_query';
      readonly outOrderNo: string;
    }
  | {
      readonly operation: 'trade_bill' | 'fund_flow_bill' | 'bill_download';
      /** `YYYY-MM-DD`, a day in Beijing. */
      readonly billDate: string;
    };

export type CallEvent = CallSubject & {
  readonly event: 'wechat.called';
  readonly outcome: WechatOutcome<unknown>['kind'];
  readonly status: number | null;
  /** Null when the call succeeded. */
  readonly code: ErrorCode | null;
  /** WeChat's own code; null when the call succeeded, or the response was not WeChat's. */
  readonly wechatCode: string | null;
  readonly requestId: string | null;
  readonly durationMs: number;
};

export interface Call<T> {
  readonly subject: CallSubject;
  readonly signal?: AbortSignal | undefined;
  /** Personal values of the request; null and undefined for those that it does not have. */
  readonly personal?: readonly (string | null | undefined)[];
  /** Signs and sends once. */
  readonly make: (send: Send) => Promise<TransportResponse>;
  /** The value in a 2xx response; null when the response does not fit the request. */
  readonly read: (status: number, text: string) => { readonly value: T } | null;
}

/** The result of a call that has to encrypt a field while we know no key of WeChat. */
export const NO_ENCRYPTION_KEY: TransportResponse = {
  kind: 'failed',
  code: 'TEMPORARY_FAILURE',
  detail: 'no certificate of WeChat to encrypt with',
};

/** Makes one call, reads its outcome, and reports it as an event. */
export type Perform = <T>(call: Call<T>) => Promise<WechatOutcome<T>>;

export function createPerform(deps: {
  readonly sendWithin: SendWithin;
  readonly keys: Pick<PlatformKeys, 'known' | 'keyFor'>;
  readonly now: () => number;
  readonly requestTimeoutMs?: number | undefined;
  readonly onEvent?: ((event: CallEvent) => void) | undefined;
}): Perform {
  const { keys, now, onEvent, requestTimeoutMs: timeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = deps;
  return async ({ subject, signal, personal: values = [], make, read }) => {
    const startedMs = performance.now();
    const response = await make(deps.sendWithin(timeoutMs, signal));
    const personal = values.filter((value) => typeof value === 'string');
    const outcome = await readOutcome(response, { keys, now, read, personal });
    onEvent?.(eventOf(subject, outcome, startedMs));
    return outcome;
  };
}

/** @param startedMs of `performance.now()` */
export function eventOf(
  subject: CallSubject,
  outcome: WechatOutcome<unknown>,
  startedMs: number,
): CallEvent {
  return {
    event: 'wechat.called',
    ...subject,
    outcome: outcome.kind,
    status: outcome.kind === 'ok' ? null : outcome.status,
    code: outcome.kind === 'ok' ? null : outcome.code,
    wechatCode: outcome.kind === 'ok' ? null : outcome.wechatCode,
    requestId: outcome.requestId,
    durationMs: Math.round(performance.now() - startedMs),
  };
}

export type SendWithin = (timeoutMs: number, signal?: AbortSignal) => Send;

/** Adds the headers that every request carries, and its limits. */
export function createSendWithin(
  transport: Transport,
  publicKeyId: string | undefined,
): SendWithin {
  const fixed = fixedHeaders(publicKeyId);
  return (timeoutMs, signal) => (request) => {
    const headers = { ...request.headers, ...fixed };
    return transport.send({ ...request, headers, timeoutMs, signal });
  };
}

export function fixedHeaders(publicKeyId: string | undefined): Readonly<Record<string, string>> {
  return {
    'User-Agent': USER_AGENT,
    // Names the key that WeChat shall sign with, and the key that encrypted our fields.
    ...(publicKeyId === undefined ? {} : { 'Wechatpay-Serial': publicKeyId }),
  };
}

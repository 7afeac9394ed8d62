// Builds, signs and posts callbacks as WeChat does.
import { randomBytes, randomUUID } from 'node:crypto';
import { Agent, request } from 'undici';
import { beijingTime } from '../time/beijing-time';
import { encryptResource, randomToken } from '../keys/crypto';
import type { Merchant } from '../keys/merchants';
import { createSerial } from '../keys/certificate';
import { forge, signatureHeaders, type SignatureHeaders } from '../http/response-signing';
import type { Timers } from '../time/timers';

const CONNECTIONS = 64;
const STALE_SECONDS = 3600;
const PROBE_PREFIX = 'WECHATPAY/SIGNTEST/';
const USER_AGENT = 'Mozilla/4.0';

/** One notification: its id and bytes stay the same over all tries, its signature changes. */
export interface Notification {
  readonly id: string;
  readonly merchant: Merchant;
  readonly outTradeNo: string;
  /** The refund of a refund's callback. */
  readonly outRefundNo: string | null;
  /** The sharing of a sharing's callback. */
  readonly outOrderNo: string | null;
  readonly url: string;
  readonly body: string;
}

export interface NotificationContent {
  readonly eventType: string;
  readonly originalType: string;
  readonly summary: string;
  /** The text that is encrypted. */
  readonly plaintext: string;
}

/** A fault in a callback on its way out. */
export const TAMPERS = [
  'ciphertext',
  'signature',
  'timestamp',
  'unknown_serial',
  'signtest',
] as const;
export interface Tamper {
  readonly kind: (typeof TAMPERS)[number];
  /** For `timestamp`: the age in ms, negative for the future. Default an hour. */
  readonly staleSeconds?: number | undefined;
}

/** The end of a try. Status null: no response (see `error`). */
export interface TryResult {
  readonly status: number | null;
  readonly error: string | null;
  readonly durationMs: number;
}

/**
 * The envelope of https://pay.weixin.qq.com/doc/v3/merchant/4012791861.
 * @param target.apiV3Key another key than the merchant's makes it undecryptable.
 */
export function buildNotification(
  merchant: Merchant,
  target: {
    readonly outTradeNo: string;
    readonly outRefundNo?: string | undefined;
    readonly outOrderNo?: string | undefined;
    readonly url: string;
    readonly id?: string | undefined;
    readonly apiV3Key?: string | undefined;
  },
  content: NotificationContent,
  nowMs: number,
): Notification {
  const id = target.id ?? randomUUID();
  const apiV3Key = target.apiV3Key ?? merchant.apiV3Key;
  const resource = encryptResource(apiV3Key, content.plaintext, content.originalType);
  const body = JSON.stringify({
    id,
    create_time: beijingTime(nowMs),
    resource_type: 'encrypt-resource',
    event_type: content.eventType,
    summary: content.summary,
    resource: { original_type: content.originalType, ...resource },
  });
  const { outTradeNo, outRefundNo = null, outOrderNo = null, url } = target;
  return { id, merchant, outTradeNo, outRefundNo, outOrderNo, url, body };
}

function signedMessage(
  notification: Notification,
  tamper: Tamper | null,
  nowMs: number,
): { body: string; headers: SignatureHeaders } {
  const staleMs = (tamper?.staleSeconds ?? STALE_SECONDS) * 1000;
  const signedAtMs = tamper?.kind === 'timestamp' ? nowMs - staleMs : nowMs;
  const key = notification.merchant.nextSigningKey();
  const { body } = notification;
  const headers = signatureHeaders(key, body, signedAtMs);
  switch (tamper?.kind) {
    case 'ciphertext':
      return { body: changeCiphertext(body), headers };
    case 'signature':
      return {
        body,
        headers: { ...headers, 'Wechatpay-Signature': forge(headers['Wechatpay-Signature']) },
      };
    case 'unknown_serial':
      return { body, headers: { ...headers, 'Wechatpay-Serial': createSerial() } };
    case 'signtest': {
      const probe = `${PROBE_PREFIX}${randomBytes(240).toString('base64')}`;
      return { body, headers: { ...headers, 'Wechatpay-Signature': probe } };
    }
    case 'timestamp':
    case undefined:
      return { body, headers };
  }
}

/** Changes a letter of the ciphertext; the signature stays that of the unchanged body. */
function changeCiphertext(body: string): string {
  return body.replace(/("ciphertext":"....)(.)/, (_all, head: string, letter: string) => {
    return `${head}${letter === 'A' ? 'B' : 'A'}`;
  });
}

export interface CallbackSender {
  /** Signs anew and posts once. Never throws. */
  transmit(notification: Notification, tamper: Tamper | null): Promise<TryResult>;
  close(): Promise<void>;
}

/** Posts callbacks as WeChat does: no redirects, five seconds for the whole response. */
export function createCallbackSender(
  timers: Timers,
  now: () => number,
  timeoutMs: number,
): CallbackSender {
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  return {
    transmit: async (notification, tamper) => {
      const startedAt = performance.now();
      const ended = (status: number | null, error: string | null): TryResult => ({
        status,
        error,
        durationMs: Math.round((performance.now() - startedAt) * 10) / 10,
      });
      const deadline = new AbortController();
      const cancel = timers.after(timeoutMs, () => deadline.abort());
      try {
        const { body, headers } = signedMessage(notification, tamper, now());
        const response = await request(notification.url, {
          method: 'POST',
          dispatcher: agent,
          signal: deadline.signal,
          headers: {
            'Content-Type': 'application/json',
            Accept: '*/*',
            'User-Agent': USER_AGENT,
            'Request-ID': randomToken(32),
            ...headers,
          },
          body,
        });
        await response.body.dump();
        return ended(response.statusCode, null);
      } catch (error) {
        const reason = error instanceof Error ? error.message : 'failed';
        return ended(null, deadline.signal.aborted ? 'no answer in time' : reason);
      } finally {
        cancel();
      }
    },
    close: () => agent.destroy(),
  };
}

// Opens a callback of WeChat: verifies its signature, decrypts it and parses it.
import { isUtf8 } from 'node:buffer';
import type { KeyObject } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Notice } from '../../../domain/payments/notices';
import { parseNotice } from './notice-parser';
import { parseObject } from '../fields/parse-object';
import { verifyWithRing, type PlatformKeys } from '../keys/platform-keys';
import { openResource } from '../crypto/resource-cipher';
import { callbackEnvelope } from '../fields/response-schemas';
import type { SignatureCheck } from '../crypto/signature';

export interface CallbackInput {
  readonly headers: IncomingHttpHeaders;
  /** The raw bytes, before any body parser. */
  readonly rawBody: Buffer;
  readonly nowMs: number;
}

export interface OpenedCallback {
  readonly kind: 'opened';
  /** WeChat keeps this id over all repeats of one notification. */
  readonly notificationId: string;
  /** Kept for the record only: the shape of the text decides which kind of notice it is. */
  readonly eventType: string | null;
  readonly createTime: string | null;
  /** The decrypted text. Personal data: to be stored encrypted, never logged. */
  readonly resource: string;
  readonly notice: Notice;
}

export interface RejectedCallback {
  readonly kind: 'rejected';
  /**
   * 401: the signature does not prove that WeChat sent it. 400: WeChat sent it, but it can't be
   * read.
   */
  readonly status: 400 | 401;
  readonly reason:
    'missing_header' | 'stale' | 'unknown_serial' | 'bad_signature' | 'malformed' | 'undecryptable';
}

/**
 * Verify the raw bytes, decrypt, parse: the first three of the five things the callback route does
 * (S10). Nothing is awaited while the key is known. A signature probe of WeChat is a bad signature
 * like any other. Never throws.
 *
 * @see https://pay.weixin.qq.com/doc/v3/merchant/4012791861
 */
export async function openCallback(
  input: CallbackInput,
  deps: {
    readonly keys: Pick<PlatformKeys, 'known' | 'keyFor'>;
    readonly apiV3Keys: readonly KeyObject[];
  },
): Promise<OpenedCallback | RejectedCallback> {
  const verdict = await verifyWithRing(input, deps.keys);
  if (verdict.kind !== 'valid') {
    return { kind: 'rejected', status: 401, reason: rejectionOf(verdict) };
  }
  return openVerified(input.rawBody, deps.apiV3Keys);
}

/** Decrypts and parses a callback whose signature is verified. Pure. */
function openVerified(
  rawBody: Buffer,
  apiV3Keys: readonly KeyObject[],
): OpenedCallback | RejectedCallback {
  const text = isUtf8(rawBody) ? rawBody.toString() : '';
  const envelope = callbackEnvelope.safeParse(parseObject(text)).data;
  if (envelope === undefined) return { kind: 'rejected', status: 400, reason: 'malformed' };
  const { ciphertext, nonce, associated_data: associatedData } = envelope.resource;
  const opened = openResource({ ciphertext, nonce, associatedData }, apiV3Keys);
  if (opened === null) return { kind: 'rejected', status: 400, reason: 'undecryptable' };
  const resource = opened.toString();
  return {
    kind: 'opened',
    notificationId: envelope.id,
    eventType: envelope.event_type,
    createTime: envelope.create_time,
    resource,
    notice: parseNotice(resource),
  };
}

function rejectionOf(
  verdict: Exclude<SignatureCheck, { kind: 'valid' }>,
): RejectedCallback['reason'] {
  return verdict.kind === 'unsigned' ? 'missing_header' : verdict.kind;
}

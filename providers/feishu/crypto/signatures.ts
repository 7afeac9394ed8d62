// Checks the signature of Feishu's events, and signs what we post to a group's bot.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/** An event that is older, or from further in the future, may be a recorded one. */
export const MAX_EVENT_AGE_SECONDS = 300;

export interface SignedEvent {
  /** The header `X-Lark-Request-Timestamp`: seconds since 1970. */
  readonly timestamp: string;
  /** The header `X-Lark-Request-Nonce`. */
  readonly nonce: string;
  /** The header `X-Lark-Signature`: hexadecimal. */
  readonly signature: string;
  /** As it came, byte for byte: JSON that was parsed and written again has another signature. */
  readonly rawBody: Buffer;
}

/**
 * Checks an event in constant time.
 * @param deps.nowMs since 1970
 * @returns `stale` for a genuine signature whose time is more than 5 minutes from ours
 */
export function verifyEvent(
  event: SignedEvent,
  { encryptKey, nowMs }: { readonly encryptKey: string; readonly nowMs: number },
): 'genuine' | 'stale' | 'forged' {
  const expected = createHash('sha256')
    .update(event.timestamp + event.nonce + encryptKey)
    .update(event.rawBody)
    .digest();
  const given = /^[0-9a-f]{64}$/i.test(event.signature)
    ? Buffer.from(event.signature, 'hex')
    : Buffer.alloc(expected.length);
  if (!timingSafeEqual(expected, given)) return 'forged';
  if (!/^\d{1,12}$/.test(event.timestamp)) return 'stale';
  const distanceSeconds = Math.abs(nowMs / 1000 - Number(event.timestamp));
  return distanceSeconds > MAX_EVENT_AGE_SECONDS ? 'stale' : 'genuine';
}

/**
 * Signs a message to a group's bot. The time and the secret are the key of the HMAC, and its
 * message is empty: so Feishu documents it.
 * @param timestampSeconds since 1970; Feishu refuses more than an hour
 */
export function signForBot(timestampSeconds: number, secret: string): string {
  return createHmac('sha256', `${timestampSeconds}\n${secret}`).digest('base64');
}

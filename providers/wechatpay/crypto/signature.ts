// Verifies WeChat's signatures, and makes ours.
import {
  createSign,
  createVerify,
  sign,
  type KeyObject,
  type Sign,
  type Verify,
} from 'node:crypto';

/** WeChat's rule: refuse a message whose time is more than five minutes from now, either way. */
export const MAX_CLOCK_SKEW_SECONDS = 300;

/** Longest header taken: an RSA-4096 signature in Base64 has 684 characters. */
const MAX_HEADER_LENGTH = 1024;
const MAX_SERIAL_LENGTH = 128;
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const DECIMAL_SECONDS = /^[0-9]{1,11}$/;

/** Headers as `node:http` and undici hand them out: lower-case names. */
export type HeaderBag = Readonly<Record<string, string | string[] | undefined>>;

export interface VerifyInput {
  readonly headers: HeaderBag;
  /** The bytes as they came; never JSON written again. */
  readonly rawBody: Buffer;
  readonly nowMs: number;
  /** The key that a `Wechatpay-Serial` names, or null. */
  readonly keyOf: (serial: string) => KeyObject | null;
}

export type SignatureCheck =
  | { readonly kind: 'valid' }
  /** None of the four headers is there. */
  | { readonly kind: 'unsigned' }
  /** One of the four is missing, given twice, too long or not plain text. */
  | { readonly kind: 'missing_header' }
  | { readonly kind: 'stale' }
  | { readonly kind: 'unknown_serial'; readonly serial: string }
  | { readonly kind: 'bad_signature' };

interface MessageSignature {
  readonly timestamp: string;
  readonly nonce: string;
  readonly serial: string;
  readonly signature: string;
}

/**
 * Checks who signed a callback or an response of WeChat, and when. Pure: the clock and the keys are
 * passed in. Headers first, then the age, then the key, then the signature over the raw bytes.
 *
 * @see https://pay.weixin.qq.com/doc/v3/merchant/4013053249
 */
export function verifyMessage(input: VerifyInput): SignatureCheck {
  const message = readHeaders(input.headers);
  if (message === 'unsigned' || message === 'missing_header') return { kind: message };
  if (!isFresh(message.timestamp, input.nowMs)) return { kind: 'stale' };
  const key = input.keyOf(message.serial);
  if (key === null) return { kind: 'unknown_serial', serial: message.serial };
  return { kind: isSignedBy(message, input.rawBody, key) ? 'valid' : 'bad_signature' };
}

/**
 * The RSA-SHA256 signature (PKCS#1 v1.5) of `text`, in Base64.
 *
 * @param key a parsed private key: a PEM string would be parsed again on each call.
 */
export function signText(text: string, key: KeyObject): string {
  return sign('RSA-SHA256', Buffer.from(text), key).toString('base64');
}

/**
 * The four headers WeChat would send with `rawBody`. For tests: it lives here so that the signed
 * text is written down once.
 *
 * @param message.timestamp seconds since 1970.
 */
export function signAsWechat(message: {
  readonly rawBody: Buffer | string;
  readonly timestamp: number | string;
  readonly nonce: string;
  readonly serial: string;
  readonly privateKey: KeyObject;
}): Record<string, string> {
  const timestamp = String(message.timestamp);
  const signed = { timestamp, nonce: message.nonce };
  const digest = feed(createSign('RSA-SHA256'), signed, Buffer.from(message.rawBody));
  return {
    'wechatpay-timestamp': timestamp,
    'wechatpay-nonce': message.nonce,
    'wechatpay-serial': message.serial,
    'wechatpay-signature': digest.sign(message.privateKey, 'base64'),
  };
}

function readHeaders(headers: HeaderBag): MessageSignature | 'unsigned' | 'missing_header' {
  const timestamp = headers['wechatpay-timestamp'];
  const nonce = headers['wechatpay-nonce'];
  const serial = headers['wechatpay-serial'];
  const signature = headers['wechatpay-signature'];
  if (
    timestamp === undefined &&
    nonce === undefined &&
    serial === undefined &&
    signature === undefined
  ) {
    return 'unsigned';
  }
  if (!isOneValue(timestamp) || !isOneValue(nonce) || !isOneValue(signature)) {
    return 'missing_header';
  }
  if (!isOneValue(serial) || serial.length > MAX_SERIAL_LENGTH) return 'missing_header';
  return { timestamp, nonce, serial, signature };
}

/** `node:http` joins a repeated header with `, `, undici makes an array of it: both are refused. */
function isOneValue(value: string | string[] | undefined): value is string {
  return (
    typeof value === 'string' && value.length <= MAX_HEADER_LENGTH && VISIBLE_ASCII.test(value)
  );
}

function isFresh(timestamp: string, nowMs: number): boolean {
  if (!DECIMAL_SECONDS.test(timestamp)) return false;
  return Math.abs(Math.floor(nowMs / 1000) - Number(timestamp)) <= MAX_CLOCK_SKEW_SECONDS;
}

function isSignedBy(message: MessageSignature, rawBody: Buffer, key: KeyObject): boolean {
  const signature = Buffer.from(message.signature, 'base64');
  // Node skips what is not Base64 and the spare bits of the last character; WeChat never writes
  // either, so one signature has one spelling.
  if (signature.toString('base64') !== message.signature) return false;
  // An RSA signature is as long as its key; another length needs no hash of the body.
  if (signature.length * 8 !== key.asymmetricKeyDetails?.modulusLength) return false;
  return feed(createVerify('RSA-SHA256'), message, rawBody).verify(key, signature);
}

/** The signed text, `TIMESTAMP\nNONCE\nRAWBODY\n`, without a copy of the body. */
function feed<T extends Sign | Verify>(
  digest: T,
  message: { readonly timestamp: string; readonly nonce: string },
  rawBody: Buffer,
): T {
  digest.update(`${message.timestamp}\n${message.nonce}\n`);
  digest.update(rawBody);
  digest.update('\n');
  return digest;
}

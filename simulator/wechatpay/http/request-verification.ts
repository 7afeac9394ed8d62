// Verifies the signature and headers of requests as strictly as WeChat.
import type { IncomingHttpHeaders } from 'node:http';
import { refuse, type Reply } from './reply';
import { isSignatureOf } from '../keys/crypto';
import type { Merchant } from '../keys/merchants';

const SCHEME = 'WECHATPAY2-SHA256-RSA2048 ';
const PARTS = ['mchid', 'nonce_str', 'timestamp', 'serial_no', 'signature'] as const;
type Part = (typeof PARTS)[number];
/** The largest difference between a request's timestamp and now, either way. */
const FRESHNESS_SECONDS = 300;
/** A nonce is remembered for longer than its timestamp can stay fresh on both sides. */
const NONCE_LIFE_MS = 10 * 60_000;

export interface SignedRequest {
  readonly method: string;
  /** Path and query exactly as sent. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawBody: Buffer;
}

export type Verification =
  | { readonly kind: 'verified'; readonly merchant: Merchant }
  | { readonly kind: 'refused'; readonly reply: Reply };

/** Remembers nonces for ten minutes; memory is bounded by the request rate times that. */
export function createNonceMemory(now: () => number): {
  use(nonce: string): boolean;
  clear(): void;
} {
  const usedAt = new Map<string, number>();
  return {
    use: (nonce) => {
      // A Map keeps the order of insertion, so the stale nonces are at its front.
      for (const [oldest, atMs] of usedAt) {
        if (now() - atMs < NONCE_LIFE_MS) break;
        usedAt.delete(oldest);
      }
      if (usedAt.has(nonce)) return false;
      usedAt.set(nonce, now());
      return true;
    },
    clear: () => usedAt.clear(),
  };
}

/** The five parts of `Authorization`, or null when one is missing, doubled, empty or unknown. */
export function parseAuthorization(header: string | undefined): Record<Part, string> | null {
  if (!header?.startsWith(SCHEME)) return null;
  const found = new Map<string, string>();
  for (const piece of header.slice(SCHEME.length).split(',')) {
    const match = /^\s*([a-z_]+)="([^"]+)"\s*$/.exec(piece);
    const [, name, value] = match ?? [];
    if (name === undefined || value === undefined || found.has(name)) return null;
    found.set(name, value);
  }
  const part = (name: Part): string => found.get(name) ?? '';
  const parts = {
    mchid: part('mchid'),
    nonce_str: part('nonce_str'),
    timestamp: part('timestamp'),
    serial_no: part('serial_no'),
    signature: part('signature'),
  };
  const complete = found.size === PARTS.length && PARTS.every((name) => parts[name] !== '');
  return complete ? parts : null;
}

function signError(field: string, issue: string): Verification {
  const reply = refuse(401, 'SIGN_ERROR', '错误的签名，验签失败', {
    field,
    issue,
    location: 'authorization',
  });
  return { kind: 'refused', reply: reply };
}

/**
 * Verifies a request as strictly as WeChat (https://pay.weixin.qq.com/doc/v3/merchant/4012365342).
 * A nonce counts as used only after its signature was right, so nobody can use up another's nonce.
 */
export function createRequestVerifier(
  merchants: ReadonlyMap<string, Merchant>,
  nonces: { use(nonce: string): boolean },
  now: () => number,
): (request: SignedRequest) => Verification {
  return (request) => {
    const parts = parseAuthorization(request.headers.authorization);
    if (parts === null) return signError('authorization', 'Authorization is missing or malformed');
    const merchant = merchants.get(parts.mchid);
    if (merchant === undefined) return signError('mchid', 'unknown mchid');
    if (parts.serial_no.toUpperCase() !== merchant.merchantSerial.toUpperCase()) {
      return signError('serial_no', 'the certificate serial is not this merchant’s');
    }
    const seconds = /^\d{1,12}$/.test(parts.timestamp) ? Number(parts.timestamp) : Number.NaN;
    if (!(Math.abs(now() / 1000 - seconds) <= FRESHNESS_SECONDS)) {
      return signError('timestamp', 'the timestamp is more than five minutes away');
    }
    const head = `${request.method}\n${request.target}\n${parts.timestamp}\n${parts.nonce_str}\n`;
    const text = Buffer.concat([Buffer.from(head), request.rawBody, Buffer.from('\n')]);
    if (!isSignatureOf(merchant.publicKey, text, parts.signature)) {
      return signError('signature', 'sign not match');
    }
    if (!nonces.use(`${parts.mchid} ${parts.nonce_str}`)) {
      return signError('nonce_str', 'this nonce was used before');
    }
    return { kind: 'verified', merchant };
  };
}

/** Checks the other headers that WeChat demands; null when all are right. */
export function checkHeaders(
  request: SignedRequest,
  merchant: Merchant,
  requirePlatformSerial: boolean,
): Reply | null {
  const { accept, 'user-agent': userAgent, 'content-type': contentType } = request.headers;
  if (accept === undefined || userAgent === undefined) {
    return refuse(400, 'PARAM_ERROR', 'Http头缺少Accept或User-Agent', {
      issue: 'Accept and User-Agent are required',
      location: 'header',
    });
  }
  if (!/application\/(json|\*)|\*\/\*/i.test(accept)) {
    return refuse(406, 'PARAM_ERROR', 'Accept 必须包含 application/json');
  }
  if (request.method === 'POST' && !/^application\/json\s*(;|$)/i.test(contentType ?? '')) {
    return refuse(415, 'PARAM_ERROR', 'Content-Type 必须为 application/json');
  }
  return checkPlatformSerial(request, merchant, requirePlatformSerial);
}

function checkPlatformSerial(
  request: SignedRequest,
  merchant: Merchant,
  required: boolean,
): Reply | null {
  const serial = request.headers['wechatpay-serial'];
  if (serial === undefined && !(required && merchant.mode === 'public_key')) return null;
  const known = [
    merchant.platformPublicKey()?.serial,
    ...merchant.certificates().map((certificate) => certificate.serial),
  ];
  if (typeof serial === 'string' && known.includes(serial)) return null;
  return refuse(400, 'PARAM_ERROR', 'Wechatpay-Serial 缺失或不正确', {
    field: 'Wechatpay-Serial',
    issue: 'must name the platform public key in use',
    location: 'header',
  });
}

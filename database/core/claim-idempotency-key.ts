// Claims an Idempotency-Key, so that a repeated request finds its first result.
import type { DatabaseContext, Tx } from './context';

/** The caller's Idempotency-Key. Without one, the order's fingerprint finds repeated requests. */
export interface IdempotencyGuard {
  readonly client: string;
  readonly route: string;
  readonly key: string;
  /** The canonical text of the request's body. */
  readonly body: string;
}

/** The result of a claim. */
export type KeyClaim =
  /** The key is unused. Other requests with it wait until this transaction ends. */
  | { readonly kind: 'new' }
  /** An earlier request with the same body made this order. */
  | { readonly kind: 'replay'; readonly outTradeNo: string }
  /** An earlier request used the key with another body. */
  | { readonly kind: 'key_reused' };

/** Claims the key. When another transaction holds it, waits and returns the result of that one. */
export async function claimKey(
  tx: Tx,
  guard: IdempotencyGuard,
  bodyHash: string,
): Promise<KeyClaim> {
  const [row] = await tx.$queryRaw<{ bodyHash: string; outTradeNo: string | null }[]>`
    INSERT INTO idempotency_keys (api_key_name, route, key, body_hash)
    VALUES (${guard.client}, ${guard.route}, ${guard.key}, ${bodyHash})
    ON CONFLICT (api_key_name, route, key) DO UPDATE SET key = excluded.key
    RETURNING body_hash AS "bodyHash", out_trade_no AS "outTradeNo"`;
  if (!row || row.outTradeNo === null) return { kind: 'new' };
  if (row.bodyHash !== bodyHash) return { kind: 'key_reused' };
  return { kind: 'replay', outTradeNo: row.outTradeNo };
}

/**
 * Records which order the key has made. The body is recorded again: an earlier request with this
 * key may have had another one, which was refused and made nothing.
 */
export async function recordKey(
  { hash }: DatabaseContext,
  tx: Tx,
  { client, route, key, body }: IdempotencyGuard,
  outTradeNo: string,
): Promise<void> {
  await tx.idempotencyKey.updateMany({
    where: { client, route, key },
    data: { outTradeNo, bodyHash: hash.hex('body', body) },
  });
}

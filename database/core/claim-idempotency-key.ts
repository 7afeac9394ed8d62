import type { DatabaseContext, Tx } from './context';

/** A caller's own guard against asking twice; without one the fingerprint guards. */
export interface IdempotencyGuard {
  readonly apiKeyName: string;
  readonly route: string;
  readonly key: string;
  /** The canonical text of the request's body. */
  readonly body: string;
}

export type KeyClaim =
  /** Nobody has used it; whoever asks meanwhile waits for this transaction. */
  | { readonly kind: 'new' }
  /** The same body made this. */
  | { readonly kind: 'replay'; readonly outTradeNo: string }
  | { readonly kind: 'key_reused' };

/** Takes the key, or waits for whoever has it and tells what it made. */
export async function claimKey(
  tx: Tx,
  guard: IdempotencyGuard,
  bodyHash: string,
): Promise<KeyClaim> {
  const [row] = await tx.$queryRaw<{ bodyHash: string; outTradeNo: string | null }[]>`
    INSERT INTO idempotency_keys (api_key_name, route, key, body_hash)
    VALUES (${guard.apiKeyName}, ${guard.route}, ${guard.key}, ${bodyHash})
    ON CONFLICT (api_key_name, route, key) DO UPDATE SET key = excluded.key
    RETURNING body_hash AS "bodyHash", out_trade_no AS "outTradeNo"`;
  if (!row || row.outTradeNo === null) return { kind: 'new' };
  if (row.bodyHash !== bodyHash) return { kind: 'key_reused' };
  return { kind: 'replay', outTradeNo: row.outTradeNo };
}

/** What the key has made. With its body: what an earlier one asked for was refused, and left nothing. */
export async function recordKey(
  { hash }: DatabaseContext,
  tx: Tx,
  { apiKeyName, route, key, body }: IdempotencyGuard,
  outTradeNo: string,
): Promise<void> {
  await tx.idempotencyKey.updateMany({
    where: { apiKeyName, route, key },
    data: { outTradeNo, bodyHash: hash.hex('body', body) },
  });
}

// The fingerprint of an order: finds a repeated request that has no `Idempotency-Key`.
// Sandbox: deterministic only.
import type { Fen } from '../money';
import type { Channel } from './channels';

/** The properties in which two requests without an `Idempotency-Key` must agree to be one order. */
export interface FingerprintInput {
  readonly channel: Channel;
  readonly userId: string;
  readonly openid: string | null;
  readonly items: readonly { sku: string; quantity: number; unitPriceFen: Fen }[];
  readonly totalFen: Fen;
  readonly currency: string;
  readonly shopOrderNo: string | null;
  readonly profitSharing: boolean;
}

/** A fingerprint counts for so long after the order was made, or after its last match. */
export const FINGERPRINT_WINDOW_MS = 5 * 60_000;

/**
 * The text whose keyed hash is the order's fingerprint. It does not depend on the order of the
 * items, and it adds up lines of one sku at one price, so `2 × A` and `A, A` are the same.
 */
export function fingerprintText(input: FingerprintInput): string {
  const lines = new Map<string, { sku: string; unitPriceFen: Fen; quantity: number }>();
  for (const { sku, unitPriceFen, quantity } of input.items) {
    const key = JSON.stringify([sku, unitPriceFen]);
    const line = lines.get(key);
    if (line) line.quantity += quantity;
    else lines.set(key, { sku, unitPriceFen, quantity });
  }
  const items = [...lines]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, line]) => [line.sku, line.unitPriceFen, line.quantity]);
  return JSON.stringify([
    'order',
    1,
    input.userId,
    input.channel,
    items,
    input.totalFen,
    input.currency,
    input.shopOrderNo,
    input.profitSharing,
    input.openid,
  ]);
}

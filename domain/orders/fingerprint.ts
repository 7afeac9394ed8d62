import type { Channel } from './channels';

/** What makes two orders the same order when the caller sent no `Idempotency-Key`. */
export interface FingerprintInput {
  readonly channel: Channel;
  readonly userId: string;
  readonly openid: string | null;
  readonly items: readonly { sku: string; quantity: number; unitPriceFen: number }[];
  readonly totalFen: number;
  readonly currency: string;
  readonly shopOrderNo: string | null;
  readonly profitSharing: boolean;
}

/** How long a fingerprint holds after the order, or after its last match. */
export const FINGERPRINT_WINDOW_MS = 5 * 60_000;

/**
 * The text whose keyed hash is the order's fingerprint: the order, normalised, items in any order.
 * Lines of one sku at one price are added up, so `2 × A` and `A, A` are the same.
 */
export function fingerprintText(input: FingerprintInput): string {
  const lines = new Map<string, { sku: string; unitPriceFen: number; quantity: number }>();
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

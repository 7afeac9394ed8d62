// The fingerprint of an order: finds a repeated request that has no `Idempotency-Key`.
// Sandbox: deterministic only.
import type { Fen } from '../money';
import type { Channel } from './channels';

/** All that the shop says of a purchase: without a key, requests that agree are one order. */
export interface FingerprintInput {
  readonly channel: Channel;
  readonly userId: string;
  readonly openid: string | null;
  readonly items: readonly { sku: string; quantity: number; unitPriceFen: Fen }[];
  readonly totalFen: Fen;
  readonly currency: string;
  readonly shopOrderNo: string | null;
  readonly profitSharing: boolean;
  readonly description: string;
  /** As JSON; null for none. */
  readonly metadata: unknown;
}

/** A fingerprint counts for so long after the order was made, or after its last match. */
export const FINGERPRINT_WINDOW_MS = 5 * 60_000;

/**
 * The text whose keyed hash is the order's fingerprint. It does not depend on the order of the
 * items or of the keys in `metadata`, and it adds up lines of one sku at one price, so `2 × A` and
 * `A, A` are the same.
 */
export function fingerprintText(input: FingerprintInput): string {
  const { description, metadata } = input;
  return JSON.stringify(['order', 2, ...purchaseOf(input), description, sortedJson(metadata)]);
}

/**
 * The text of versions before 0.4.0, which left description and metadata out: it finds the orders
 * that such a version creates beside this one. May be dropped with the release after 0.4.0.
 */
export function formerFingerprintText(input: FingerprintInput): string {
  return JSON.stringify(['order', 1, ...purchaseOf(input)]);
}

/** True when the shop says the same of both purchases, beyond what the former fingerprint has. */
export function isSamePurchase(
  a: Pick<FingerprintInput, 'description' | 'metadata'>,
  b: Pick<FingerprintInput, 'description' | 'metadata'>,
): boolean {
  return a.description === b.description && sortedJson(a.metadata) === sortedJson(b.metadata);
}

/** JSON text that is the same for the same content, in whatever order its keys are. */
function sortedJson(value: unknown): string {
  return JSON.stringify(value ?? null, (_key, entry: unknown) =>
    typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)))
      : entry,
  );
}

function purchaseOf(input: FingerprintInput): unknown[] {
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
  return [
    input.userId,
    input.channel,
    items,
    input.totalFen,
    input.currency,
    input.shopOrderNo,
    input.profitSharing,
    input.openid,
  ];
}

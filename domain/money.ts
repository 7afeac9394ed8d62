// Amounts of money in fen: their type, sums, proportional parts, and text for people.
// Sandbox: deterministic only.

/**
 * An amount in fen (分, 1/100 元): an integer from 0 to {@link MAX_FEN}. {@link fen} and {@link
 * isFen} are the only ways to one. A difference of two amounts can be negative, and is a plain
 * number.
 */
export type Fen = number & { readonly __unit: 'fen' };

/** The largest amount: WeChat's `total` and our columns are 32-bit integers. */
export const MAX_FEN = 2_147_483_647;

/** True for an integer from 0 to {@link MAX_FEN}: parses an amount that comes from outside. */
export function isFen(value: unknown): value is Fen {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_FEN;
}

/**
 * Makes an amount of a number that our own code has computed or written.
 * @throws RangeError when it is not an integer from 0 to {@link MAX_FEN}
 */
export function fen(value: number): Fen {
  if (!isFen(value))
    throw new RangeError(`an amount in fen must be an integer from 0 to ${MAX_FEN}, not ${value}`);
  return value;
}

/**
 * The sum of `quantity × unitPriceFen` over the items, exact for any integers.
 * @returns null when the sum is below 0 or above {@link MAX_FEN}
 * @throws RangeError when a quantity or a price is not an integer
 */
export function sumOfItems(
  items: readonly { quantity: number; unitPriceFen: number }[],
): Fen | null {
  let total = 0n;
  for (const item of items) total += BigInt(item.quantity) * BigInt(item.unitPriceFen);
  return total >= 0n && total <= BigInt(MAX_FEN) ? fen(Number(total)) : null;
}

/**
 * The part of a whole that belongs to the refunded part of a payment, rounded half up. Exact for
 * any integers; the whole itself when the whole payment is refunded.
 * @param whole fen, points or pieces
 */
export function proportion(whole: number, refundedFen: number, paidFen: number): number {
  const paid = BigInt(paidFen);
  return Number((2n * BigInt(whole) * BigInt(refundedFen) + paid) / (2n * paid));
}

/**
 * {@link proportion} for each part of a whole, so that the results add up to the proportion of the
 * whole: each is the difference of two proportions of the running sum.
 */
export function proportions(
  parts: readonly number[],
  refundedFen: number,
  paidFen: number,
): number[] {
  let sum = 0;
  return parts.map((part) => {
    const before = proportion(sum, refundedFen, paidFen);
    sum += part;
    return proportion(sum, refundedFen, paidFen) - before;
  });
}

/** `¥12.30` for 1230 fen. For people only: no program parses it. A difference may be negative. */
export function formatFen(amountFen: number): string {
  const sign = amountFen < 0 ? '-' : '';
  const digits = String(Math.abs(amountFen)).padStart(3, '0');
  return `${sign}¥${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** The price of one point. */
export const FEN_PER_POINT = 100;

/** The points that a payment earns: one per full 元. */
export function pointsFor(totalFen: Fen): number {
  return Math.floor(totalFen / FEN_PER_POINT);
}

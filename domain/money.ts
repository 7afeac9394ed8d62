/** Integer 分 (1/100 元). Every amount in Oncepay is one of these; 元 exist only on screens. */
export type Fen = number & { readonly __unit: 'fen' };

/** The largest amount we take: WeChat's `total` and our columns are 32-bit integers. */
export const MAX_FEN = 2_147_483_647;

/** True for an integer number of 分 from 0 to {@link MAX_FEN}. */
export function isFen(value: unknown): value is Fen {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= MAX_FEN;
}

/**
 * Brands a number as 分.
 * @throws RangeError when it is not an integer from 0 to {@link MAX_FEN}.
 */
export function fen(value: number): Fen {
  if (!isFen(value)) throw new RangeError(`not an amount in fen: ${value}`);
  return value;
}

/**
 * The sum of `quantity × unitPriceFen` over the items, exact for any integers.
 * @returns null when it leaves the range of {@link Fen}, below 0 as above
 * @throws RangeError when a quantity or a price is no integer
 */
export function sumOfItems(
  items: readonly { quantity: number; unitPriceFen: number }[],
): Fen | null {
  let total = 0n;
  for (const item of items) total += BigInt(item.quantity) * BigInt(item.unitPriceFen);
  return total >= 0n && total <= BigInt(MAX_FEN) ? fen(Number(total)) : null;
}

/**
 * The share of a whole that belongs to the refunded part of a payment, rounded half up; all of it once
 * all is refunded. Exact for any integers.
 */
export function proportion(whole: number, refundedFen: number, paidFen: number): number {
  const paid = BigInt(paidFen);
  return Number((2n * BigInt(whole) * BigInt(refundedFen) + paid) / (2n * paid));
}

/**
 * The same for parts of a whole, so that what belongs to them adds up: part for part the difference of two
 * shares of the running sum.
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

/** `¥12.30` for 1230 fen; for people only, never parsed back. */
export function formatFen(amount: number): string {
  const sign = amount < 0 ? '-' : '';
  const digits = String(Math.abs(amount)).padStart(3, '0');
  return `${sign}¥${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** What one point is earned with. */
export const FEN_PER_POINT = 100;

/** Points earned by a payment: one per full 元. */
export function pointsFor(totalFen: number): number {
  return Math.floor(totalFen / FEN_PER_POINT);
}

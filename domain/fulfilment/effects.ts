// The names of a payment's effects and of their compensations.
// Sandbox: deterministic only.

/**
 * The effects of a payment inside the database. Each runs once; `fulfilled` waits for all of them.
 */
export const DATABASE_EFFECTS = ['points', 'sales', 'stock', 'delivery'] as const;
export type DatabaseEffect = (typeof DATABASE_EFFECTS)[number];

/** The compensation of an effect is an effect of its own, one per refund. */
export type Compensation = `${DatabaseEffect}_back:${string}`;

/** Stands between the effect's name and the refund's number. */
export const BACK = '_back:';

/** The name of a compensation, like `points_back:<out_refund_no>`. */
export function compensationOf(effect: DatabaseEffect, outRefundNo: string): Compensation {
  return `${effect}${BACK}${outRefundNo}`;
}

/** True for the name of a compensation. */
export function isCompensation(name: string): boolean {
  return name.includes(BACK);
}

/**
 * Parses an effect's name.
 * @returns the effect, and the number of the refund when the name is a compensation's, else null
 * @throws RangeError when it names no effect
 */
export function readEffect(name: string): {
  readonly effect: DatabaseEffect;
  readonly outRefundNo: string | null;
} {
  const at = name.indexOf(BACK);
  const effect = at < 0 ? name : name.slice(0, at);
  const known = DATABASE_EFFECTS.find((one) => one === effect);
  if (known === undefined) throw new RangeError(`not the name of an effect: ${name}`);
  return { effect: known, outRefundNo: at < 0 ? null : name.slice(at + BACK.length) };
}

/** The effects that a refund compensates: points and sales always, goods only on request. */
export function effectsTakenBack(refund: {
  readonly restock: boolean;
  readonly revokeCodes: boolean;
}): DatabaseEffect[] {
  return DATABASE_EFFECTS.filter((effect) => {
    if (effect === 'stock') return refund.restock;
    if (effect === 'delivery') return refund.revokeCodes;
    return true;
  });
}

export const EFFECT_STATUSES = ['pending', 'done', 'failed', 'skipped', 'cancelled'] as const;

/**
 * The database effects of an order. Every order has points and sales; stock applies when some was
 * reserved, delivery when goods come from the pool of codes.
 */
export function effectsFor(order: {
  hasReservations: boolean;
  hasPooledGoods: boolean;
}): DatabaseEffect[] {
  return DATABASE_EFFECTS.filter((effect) => {
    if (effect === 'stock') return order.hasReservations;
    if (effect === 'delivery') return order.hasPooledGoods;
    return true;
  });
}

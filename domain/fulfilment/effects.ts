/** What a payment sets off inside the database; each happens once and holds `fulfilled`. */
export const DATABASE_EFFECTS = ['points', 'sales', 'stock', 'delivery'] as const;
export type DatabaseEffect = (typeof DATABASE_EFFECTS)[number];

/** What a refund takes back of an effect is an effect of its own, one per refund. */
export type Compensation = `${DatabaseEffect}_back:${string}`;

/** Between the effect's name and the refund's number. */
export const BACK = '_back:';

/** `points_back:<out_refund_no>`. */
export function compensationOf(effect: DatabaseEffect, outRefundNo: string): Compensation {
  return `${effect}${BACK}${outRefundNo}`;
}

/** True for the name of something that a refund takes back. */
export function isCompensation(name: string): boolean {
  return name.includes(BACK);
}

/** What an effect's name says: the effect, and of a compensation the refund it belongs to. */
export function readEffect(name: string): {
  readonly effect: DatabaseEffect;
  readonly outRefundNo: string | null;
} {
  const at = name.indexOf(BACK);
  const effect = at < 0 ? name : name.slice(0, at);
  const known = DATABASE_EFFECTS.find((one) => one === effect);
  if (known === undefined) throw new RangeError(`no effect: ${name}`);
  return { effect: known, outRefundNo: at < 0 ? null : name.slice(at + BACK.length) };
}

/** The effects that a refund takes back: points and sales by themselves, goods only where asked for. */
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
 * The database effects of an order. Points and sales apply to every one; stock where some was
 * reserved; delivery where goods come from the pool of codes.
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

/** Events told to the shop (webhook) and, some of them, to the user (message). */
export const ORDER_EVENT_NAMES = [
  'order.paid',
  'order.fulfilled',
  'order.closed',
  'order.paid_late',
] as const;
export type OrderEventName = (typeof ORDER_EVENT_NAMES)[number];

/** All that the shop's webhook is told; `/openapi.json` has the payload of each. */
export const WEBHOOK_EVENT_NAMES = [
  ...ORDER_EVENT_NAMES,
  'refund.succeeded',
  'profit_sharing.finished',
] as const;
export type WebhookEventName = (typeof WEBHOOK_EVENT_NAMES)[number];
export type DeliveryKind = 'webhook' | 'message';

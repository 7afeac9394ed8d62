/** What a payment sets off inside the database; each happens once and holds `fulfilled`. */
export const DATABASE_EFFECTS = ['points', 'sales', 'stock', 'delivery'] as const;
export type DatabaseEffect = (typeof DATABASE_EFFECTS)[number];

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
export type DeliveryKind = 'webhook' | 'message';

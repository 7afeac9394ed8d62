// The state machine of an order.
// Sandbox: deterministic only.

/**
 * The states of an order; the table below is the only place that says how they change (S5). The
 * names are public: they are in the database, in HTTP replies and in Temporal's search attribute.
 */
export const ORDER_STATUSES = [
  'created',
  'awaiting_payment',
  'paid',
  'fulfilled',
  'closed',
  'paid_late',
  'refunded',
] as const;
export type OrderStatus = (typeof ORDER_STATUSES)[number];

export const ORDER_EVENTS = [
  /** WeChat accepted the prepay: the user can pay. */
  'prepaid',
  /** The order's payment has come. */
  'paid',
  /** Every database effect is done or skipped. */
  'fulfilled',
  /** Nobody can pay any more. */
  'closed',
  /** A person accepts a payment that came after the close. */
  'late_payment_accepted',
  /** The whole payment is refunded. */
  'refunded',
] as const;
export type OrderEvent = (typeof ORDER_EVENTS)[number];

type Step = OrderStatus | 'duplicate' | 'refused';

const TRANSITIONS = {
  created: {
    prepaid: 'awaiting_payment',
    paid: 'paid',
    fulfilled: 'refused',
    closed: 'closed',
    late_payment_accepted: 'refused',
    refunded: 'refused',
  },
  awaiting_payment: {
    prepaid: 'duplicate',
    paid: 'paid',
    fulfilled: 'refused',
    closed: 'closed',
    late_payment_accepted: 'refused',
    refunded: 'refused',
  },
  paid: {
    prepaid: 'refused',
    paid: 'duplicate',
    fulfilled: 'fulfilled',
    closed: 'refused',
    late_payment_accepted: 'duplicate',
    refunded: 'refunded',
  },
  fulfilled: {
    prepaid: 'refused',
    paid: 'duplicate',
    fulfilled: 'duplicate',
    closed: 'refused',
    late_payment_accepted: 'duplicate',
    refunded: 'refunded',
  },
  closed: {
    prepaid: 'refused',
    paid: 'paid_late',
    fulfilled: 'refused',
    closed: 'duplicate',
    late_payment_accepted: 'refused',
    refunded: 'refused',
  },
  paid_late: {
    prepaid: 'refused',
    paid: 'duplicate',
    fulfilled: 'refused',
    closed: 'duplicate',
    late_payment_accepted: 'paid',
    refunded: 'refunded',
  },
  refunded: {
    prepaid: 'refused',
    paid: 'duplicate',
    fulfilled: 'duplicate',
    closed: 'refused',
    late_payment_accepted: 'refused',
    refunded: 'duplicate',
  },
} as const satisfies Record<OrderStatus, Record<OrderEvent, Step>>;

export type Transition =
  | { readonly kind: 'moved'; readonly from: OrderStatus; readonly to: OrderStatus }
  | { readonly kind: 'duplicate'; readonly status: OrderStatus }
  | { readonly kind: 'refused'; readonly status: OrderStatus; readonly event: OrderEvent };

/**
 * Says what `event` does to an order in `status`: it moves it, it has happened before, or
 * the status doesn't allow it. The caller has checked the amount and identity of a payment before.
 */
export function transition(status: OrderStatus, event: OrderEvent): Transition {
  const step: Step = TRANSITIONS[status][event];
  if (step === 'duplicate') return { kind: 'duplicate', status };
  if (step === 'refused') return { kind: 'refused', status, event };
  return { kind: 'moved', from: status, to: step };
}

/** True while WeChat may still accept a payment of the order. */
export function canBePaid(status: OrderStatus): status is 'created' | 'awaiting_payment' {
  return status === 'created' || status === 'awaiting_payment';
}

/** True for a string that names a status. */
export function isOrderStatus(value: unknown): value is OrderStatus {
  return ORDER_STATUSES.some((status) => status === value);
}

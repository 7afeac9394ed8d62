// The names of the events that go to the shop's webhook, and the kinds of outbound deliveries.
// Sandbox: deterministic only.

/** Events of an order that go to the shop as webhooks; some go to the user as messages too. */
export const ORDER_EVENT_NAMES = [
  'order.paid',
  'order.fulfilled',
  'order.closed',
  'order.paid_late',
] as const;
export type OrderEventName = (typeof ORDER_EVENT_NAMES)[number];

/** Events of a refund that go to the shop as webhooks. */
export const REFUND_EVENT_NAMES = ['refund.succeeded', 'refund.closed', 'refund.abnormal'] as const;
export type RefundEventName = (typeof REFUND_EVENT_NAMES)[number];

/** All events that go to the shop's webhook. `/openapi.json` has the payload of each. */
export const WEBHOOK_EVENT_NAMES = [
  ...ORDER_EVENT_NAMES,
  ...REFUND_EVENT_NAMES,
  'profit_sharing.finished',
  'reconciliation.done',
] as const;
export type WebhookEventName = (typeof WEBHOOK_EVENT_NAMES)[number];

export type DeliveryKind = 'webhook' | 'message';

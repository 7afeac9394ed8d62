// Schemas and renderings of the fields that several rooms have in their replies.
import { z } from 'zod';
import { ORDER_STATUSES } from '../../domain/orders/order-state';
import { fen } from './fields';

/** A time as RFC 3339 has it, in UTC. */
export const time = z.iso.datetime();

/** The amount of an order. */
export const amount = z.object({
  total: fen,
  currency: z.string(),
  refunded: fen.describe('in 分; how much of the payment that paid the order is refunded'),
});

/** The status of an order. */
export const status = z.enum(ORDER_STATUSES);

/** A time as text; null stays null. */
export const iso = (date: Date | null) => date?.toISOString() ?? null;

/** Renders the amount of an order. */
export const amountOf = (order: { totalFen: number; currency: string; refundedFen: number }) => ({
  total: order.totalFen,
  currency: order.currency,
  refunded: order.refundedFen,
});

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

/** Says of a field when it is null. */
export const NULL_IF_UNREADABLE = 'null when no encryption key decrypts it';

/** Stands beside a field that is null because no encryption key decrypts it. */
export const unreadable = z
  .literal(true)
  .optional()
  .describe('no encryption key decrypts the value; an intervention says which key is missing');

/** Marks a field that is null because no encryption key decrypts it. */
export const markUnreadable = (value: string | null) =>
  value === null ? { unreadable: true as const } : {};

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

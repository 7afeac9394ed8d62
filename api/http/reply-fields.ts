import { ORDER_STATUSES } from '../../domain/orders/order-state';
import { z } from 'zod';
import { fen } from './fields';

export const time = z.iso.datetime();
export const amount = z.object({
  total: fen,
  currency: z.string(),
  refunded: fen.describe('in 分; what is back of the payment that paid the order'),
});
export const status = z.enum(ORDER_STATUSES);
export const iso = (date: Date | null) => date?.toISOString() ?? null;
export const amountOf = (order: { totalFen: number; currency: string; refundedFen: number }) => ({
  total: order.totalFen,
  currency: order.currency,
  refunded: order.refundedFen,
});

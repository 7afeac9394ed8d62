// Schemas and renderings of the replies for products and points.
import { z } from 'zod';
import type { PointsEntry, ProductView } from '../../database/fulfilment/change-products';
import { time } from '../http/reply-fields';

/** A product with its stock. */
export const productReply = z.object({
  sku: z.string(),
  name: z.string(),
  kind: z.enum(['physical', 'virtual']),
  stock: z.int().nullable(),
  reserved: z.int(),
  sold: z.int(),
  codes_left: z.int(),
});

/** Renders a product. */
export function renderProduct({ codesLeft, ...product }: ProductView) {
  return { ...product, codes_left: codesLeft };
}

/** The points of a user: the balance, and a page of the entries. */
export const pointsReply = z.object({
  balance: z.int(),
  entries: z.array(
    z.object({ out_trade_no: z.string(), effect: z.string(), delta: z.int(), at: time }),
  ),
  next_cursor: z.string().nullable(),
});

/** Renders an entry of a user's points. */
export function renderPointsEntry({ outTradeNo, effect, delta, at }: PointsEntry) {
  return { out_trade_no: outTradeNo, effect, delta, at: at.toISOString() };
}

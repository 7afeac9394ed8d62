// Schemas and renderings of the replies for products and points.
import { z } from 'zod';
import type { PointsView, ProductView } from '../../database/fulfilment/change-products';
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

/** The points of a user. */
export const pointsReply = z.object({
  balance: z.int(),
  entries: z.array(
    z.object({ out_trade_no: z.string(), effect: z.string(), delta: z.int(), at: time }),
  ),
});

/** Renders the points of a user. */
export function renderPoints({ balance, entries }: PointsView) {
  return {
    balance,
    entries: entries.map(({ outTradeNo, effect, delta, at }) => ({
      out_trade_no: outTradeNo,
      effect,
      delta,
      at: at.toISOString(),
    })),
  };
}

// Schemas of the requests for products.
import { z } from 'zod';
import { line } from '../http/fields';

/** The largest quantity: the columns are 32-bit integers. */
const MAX_STOCK = 2_147_483_647;

/** `PUT /v1/products/{sku}`. */
export const newProduct = z.strictObject({
  name: line(1, 127),
  kind: z.enum(['physical', 'virtual']),
  stock: z
    .int('must be an integer')
    .min(0, 'must not be negative')
    .max(MAX_STOCK, `must be at most ${MAX_STOCK}`)
    .nullable()
    .optional()
    .describe('the stock at creation, ignored later; null when the stock is not tracked'),
});

/** `POST /v1/products/{sku}/stock`. */
export const stockChange = z.strictObject({
  delta: z
    .int('must be an integer')
    .min(-MAX_STOCK, `must be at least ${-MAX_STOCK}`)
    .max(MAX_STOCK, `must be at most ${MAX_STOCK}`)
    .refine((value) => value !== 0, 'must not be 0'),
  reason: line(1, 255),
});

/** `POST /v1/products/{sku}/codes` and `…/codes/used`. */
export const newCodes = z.strictObject({
  codes: z
    .array(line(1, 255))
    .min(1, 'must not be empty')
    .max(1_000, 'must have at most 1000 entries'),
});

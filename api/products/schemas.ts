import { MAX_FEN } from '../../domain/money';
import { z } from 'zod';
import { line } from '../http/fields';

export const newProduct = z.strictObject({
  name: line(1, 127),
  kind: z.enum(['physical', 'virtual']),
  stock: z
    .int('must be an integer')
    .min(0, 'must not be negative')
    .max(MAX_FEN, 'is too large')
    .nullable()
    .optional()
    .describe('on hand; null is not tracked; counts at creation only'),
});
export const stockChange = z.strictObject({
  delta: z
    .int('must be an integer')
    .min(-MAX_FEN, 'is too small')
    .max(MAX_FEN, 'is too large')
    .refine((value) => value !== 0, 'must not be 0'),
  reason: line(1, 255),
});
export const newCodes = z.strictObject({
  codes: z.array(line(1, 255)).min(1, 'must not be empty').max(1_000, 'must have at most 1000'),
});

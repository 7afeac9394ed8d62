import { z } from 'zod';

export const CONTROL = /\p{Cc}/u;
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };
/** Any JSON, under a name that `/openapi.json` can refer to: a schema that contains itself needs one. */
export const json: z.ZodType<Json> = z
  .lazy(() =>
    z.union([
      z.string(),
      z.number(),
      z.boolean(),
      z.null(),
      z.array(json),
      z.record(z.string(), json),
    ]),
  )
  .meta({ id: 'Json' });
/** One line of text, its length in characters. */
export const line = (min: number, max: number) =>
  z
    .string()
    .refine((text) => {
      const length = Array.from(text).length;
      return length >= min && length <= max;
    }, `must have ${min} to ${max} characters`)
    .refine((text) => !CONTROL.test(text), 'must not have control characters')
    .meta({ minLength: min, maxLength: max });
/** Money in a reply. */
export const fen = z.int().describe('in 分');
export const emptyBody = z.strictObject({});
export const sku = line(1, 64);
export const skuParameter = z.object({ sku });
export const userId = line(1, 64);
export const userParameter = z.object({ user_id: userId });
export const count = (max: number) =>
  z.int('must be an integer').min(1, 'must be at least 1').max(max, `must be at most ${max}`);
export const version = z.int('must be an integer').min(0, 'must not be negative');

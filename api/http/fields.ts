// Schemas of the fields that several rooms have in their requests and replies.
import { z } from 'zod';
import { fen as asFen, MAX_FEN } from '../../domain/money';

const FIRST_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * True for a time in Unix ms whose year has four digits: the years of RFC 3339, and those that the
 * queries of the database accept. An offset can move a valid text out of them.
 */
export function isQueryableTime(ms: number): boolean {
  return ms >= FIRST_MS && ms <= LAST_MS;
}

const CONTROL = /\p{Cc}/u;

/** Any JSON value. */
export type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

/** Any JSON value; its id lets `/openapi.json` refer to it, because the schema contains itself. */
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

/** One line of text without control characters; `min` and `max` count characters, not bytes. */
export const line = (min: number, max: number) =>
  z
    .string()
    .refine((text) => {
      // A character has at most two units: a text of 250 KB need not be taken apart.
      if (text.length > 2 * max) return false;
      const length = Array.from(text).length;
      return length >= min && length <= max;
    }, `must have ${min} to ${max} characters`)
    .refine((text) => !CONTROL.test(text), 'must not have control characters')
    .meta({ minLength: min, maxLength: max });

/** An integer from 1 to `max`. */
export const count = (max: number) =>
  z.int('must be an integer').min(1, 'must be at least 1').max(max, `must be at most ${max}`);

/** An amount of money in a request, in fen: at least 1. */
export const amountFen = count(MAX_FEN).transform(asFen);

/** An amount of money in a reply, in fen. */
export const fen = z.int().describe('in 分');

/** A time in a request, as RFC 3339 has it, with any offset. */
export const timestamp = z.iso
  .datetime({ offset: true, error: 'must be a time in the format of RFC 3339' })
  .refine((text) => isQueryableTime(Date.parse(text)), 'must be a time in the format of RFC 3339');

/** The body of an operation that takes no fields. */
export const emptyBody = z.strictObject({});
/** The sku of a product. */
export const sku = line(1, 64);
/** The shop's id of a user. */
export const userId = line(1, 64);

/** The number of a refund or a sharing in a path: as WeChat Pay allows it. */
export const numberInPath = z
  .string()
  .regex(/^[0-9A-Za-z_\-|*@]{1,64}$/, 'must be 1 to 64 of 0-9 A-Z a-z _ - | * @');

/** The version of a setting or a policy that a change replaces. */
export const version = z.int('must be an integer').min(0, 'must not be negative');

// Schemas of the single fields in WeChat's callbacks and responses.
import { z } from 'zod';
import { isFen, type Fen } from '../../../domain/money';

/** As strict as the database columns that keep these fields. */
export const outTradeNo = z.string().regex(/^[0-9A-Za-z_\-|*]{6,32}$/);
export const wechatNo = z.string().regex(/^[0-9A-Za-z]{1,64}$/);
export const merchantNo = z.string().regex(/^[0-9A-Za-z_\-|*@]{1,64}$/);
/** Currency, appid and the like: short text that a row stores. */
export const shortText = z.string().regex(/^[\x20-\x7e]{1,64}$/);
export const amountFen = z.custom<Fen>(isFen);

/** Null when the field is absent. */
export function optional<T>(schema: z.ZodType<T>) {
  return schema.nullish().transform((value): T | null => value ?? null);
}

/** Null when the field is absent or unreadable. */
export function lenient<T>(schema: z.ZodType<T>) {
  return optional(schema).catch(null);
}

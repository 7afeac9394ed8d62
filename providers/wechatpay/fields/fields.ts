import { z } from 'zod';
import { isFen, type Fen } from '../../../domain/money';

/** Fields of WeChat's callbacks and answers, as strict as what is stored of them needs. */
export const outTradeNo = z.string().regex(/^[0-9A-Za-z_\-|*]{6,32}$/);
export const wechatNo = z.string().regex(/^[0-9A-Za-z]{1,64}$/);
export const merchantNo = z.string().regex(/^[0-9A-Za-z_\-|*@]{1,64}$/);
/** Currency, appid, …: short, and stored in rows. */
export const shortText = z.string().regex(/^[\x20-\x7e]{1,64}$/);
export const amountFen = z.custom<Fen>(isFen);

/** Null when it is absent. */
export function optional<T>(schema: z.ZodType<T>) {
  return schema.nullish().transform((value): T | null => value ?? null);
}

/** Null also when it is unreadable: nothing is decided on it. */
export function lenient<T>(schema: z.ZodType<T>) {
  return optional(schema).catch(null);
}

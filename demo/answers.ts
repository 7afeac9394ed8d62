// What the demo reads of the API's answers, and of the webhooks; the whole of it is in /openapi.json.
import { z } from 'zod';
import { ORDER_STATUSES } from '../domain/order-state';

const status = z.enum(ORDER_STATUSES);

export const placedAnswer = z.object({
  out_trade_no: z.string(),
  status,
  expires_at: z.string(),
  /** WeChat's own names; null when WeChat has not answered. */
  payment: z.record(z.string(), z.string()).nullable(),
});
export type PlacedAnswer = z.infer<typeof placedAnswer>;

export const orderAnswer = z.object({
  out_trade_no: z.string(),
  status,
  amount: z.object({ total: z.int(), refunded: z.int() }),
  expires_at: z.string(),
  closed_at: z.string().nullable(),
  transaction_id: z.string().nullable(),
  attention: z.object({ reason: z.string(), open_count: z.int() }).nullable(),
  history: z.array(z.object({ from: status.nullable(), to: status, cause: z.string() })),
  effects: z.array(z.object({ effect: z.string(), status: z.string() })),
  notices: z.array(z.object({ id: z.string(), verdict: z.string().nullable() })),
  transactions: z.array(z.object({ transaction_id: z.string(), status: z.string() })),
  codes: z.array(z.object({ sku: z.string(), code: z.string() })),
});
export type OrderAnswer = z.infer<typeof orderAnswer>;

export const productAnswer = z.object({
  stock: z.int().nullable(),
  reserved: z.int(),
  sold: z.int(),
  codes_left: z.int(),
});
export type ProductAnswer = z.infer<typeof productAnswer>;

export const pointsAnswer = z.object({
  balance: z.int(),
  entries: z.array(z.object({ out_trade_no: z.string(), delta: z.int() })),
});

export const webhookPayload = z.object({
  type: z.string(),
  data: z.object({ out_trade_no: z.string() }),
});

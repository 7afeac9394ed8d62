// Schemas of the profit sharing requests, as strict as WeChat's.
import { z } from 'zod';
import { MAX_FEN } from '../../../domain/money';
import type { Reply } from '../http/reply';
import { paramErrorOf, text } from '../http/request-fields';
import { RECEIVER_TYPES } from './sharing-store';

const MAX_RECEIVERS = 50;

const merchantNo = z.string().regex(/^[0-9A-Za-z_\-|*@]{1,64}$/);
const fen = z.int().min(1).max(MAX_FEN);
const encrypted = text(1024);
const account = {
  type: z.enum(RECEIVER_TYPES),
  account: text(64),
  name: encrypted.optional(),
};

const receiver = z.strictObject({
  appid: text(32),
  ...account,
  relation_type: z.enum([
    'SERVICE_PROVIDER',
    'STORE',
    'STAFF',
    'STORE_OWNER',
    'PARTNER',
    'HEADQUARTER',
    'BRAND',
    'DISTRIBUTOR',
    'USER',
    'SUPPLIER',
    'CUSTOM',
  ]),
  custom_relation: text(10).optional(),
});
export type ReceiverBody = z.output<typeof receiver>;

const share = z.strictObject({
  appid: text(32),
  transaction_id: text(32),
  out_order_no: merchantNo,
  receivers: z
    .array(z.strictObject({ ...account, amount: fen, description: text(80) }))
    .min(1)
    .max(MAX_RECEIVERS)
    .refine(
      (all) => new Set(all.map((one) => `${one.type}/${one.account}`)).size === all.length,
      'a receiver comes twice',
    ),
  unfreeze_unsplit: z.boolean(),
});
export type ShareBody = z.output<typeof share>;

const unfreeze = z.strictObject({
  transaction_id: text(32),
  out_order_no: merchantNo,
  description: text(80),
});
export type UnfreezeBody = z.output<typeof unfreeze>;

const returning = z.strictObject({
  out_order_no: merchantNo,
  out_return_no: merchantNo,
  return_mchid: text(32),
  amount: fen,
  description: text(80),
});
export type ReturnBody = z.output<typeof returning>;

type Parsed<T> =
  | { readonly kind: 'parsed'; readonly body: T }
  | { readonly kind: 'refused'; readonly reply: Reply };

/** As strict as WeChat v3. */
const parser =
  <T>(schema: z.ZodType<T>) =>
  (body: unknown): Parsed<T> => {
    const result = schema.safeParse(body);
    return result.success
      ? { kind: 'parsed', body: result.data }
      : { kind: 'refused', reply: paramErrorOf(result.error) };
  };

/** https://pay.weixin.qq.com/doc/v3/merchant/4012528995 */
export const parseReceiver = parser(receiver);
/** https://pay.weixin.qq.com/doc/v3/merchant/4012524936 */
export const parseShare = parser(share);
/** https://pay.weixin.qq.com/doc/v3/merchant/4012526374 */
export const parseUnfreeze = parser(unfreeze);
/** https://pay.weixin.qq.com/doc/v3/merchant/4012525287 */
export const parseReturn = parser(returning);

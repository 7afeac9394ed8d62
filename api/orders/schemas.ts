import { z } from 'zod';
import { CHANNELS, CHANNEL_NAMES } from '../../domain/orders/channels';
import { INTERVENTION_REASONS, isInterventionReason } from '../../domain/interventions/reasons';
import { MAX_FEN, sumOfItems } from '../../domain/money';
import { ORDER_STATUSES } from '../../domain/orders/order-state';
import { OWN_PREFIX } from '../../domain/refunds/refund-number';
import { isAskableTime } from '../http/times';

/** The input of the API; `/openapi.json` is made from these same schemas. */

type Json = string | number | boolean | null | Json[] | { [name: string]: Json };

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

const CONTROL = /\p{Cc}/u;

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

const count = (max: number) =>
  z.int('must be an integer').min(1, 'must be at least 1').max(max, `must be at most ${max}`);

const sku = line(1, 64);
const userId = line(1, 64);

const item = z.strictObject({
  sku,
  quantity: count(MAX_FEN),
  unit_price: count(MAX_FEN).describe('in 分'),
  kind: z.enum(['physical', 'virtual']).optional(),
});

const METADATA_BYTES = 4_096;

export const newOrder = z
  .strictObject({
    channel: z.enum(CHANNEL_NAMES),
    user_id: userId,
    openid: line(1, 128).optional().describe('required for miniprogram and official_account'),
    description: line(1, 127),
    items: z.array(item).min(1, 'must not be empty').max(200, 'must have at most 200 entries'),
    amount: z.strictObject({
      total: count(MAX_FEN).describe('in 分; the sum over the items'),
      currency: z.literal('CNY', 'must be CNY'),
    }),
    client_ip: z
      .union([z.ipv4(), z.ipv6()], 'must be an IP address')
      .optional()
      .describe('required for h5'),
    expires_in_seconds: z
      .int('must be an integer')
      .min(60, 'must be at least 60')
      .max(604_800, 'must be at most 604800')
      .optional(),
    shop_order_no: line(1, 64).optional(),
    profit_sharing: z.boolean().optional(),
    metadata: z
      .record(z.string(), json)
      .refine(
        (value) => Buffer.byteLength(JSON.stringify(value)) <= METADATA_BYTES,
        `must have at most ${METADATA_BYTES} bytes`,
      )
      .optional(),
  })
  .superRefine((order, context) => {
    const { needsOpenid, needsClientIp } = CHANNELS[order.channel];
    const missing = (field: string) =>
      context.addIssue({
        code: 'custom',
        path: [field],
        message: `is required for the channel ${order.channel}`,
      });
    if (needsOpenid && order.openid === undefined) missing('openid');
    if (needsClientIp && order.client_ip === undefined) missing('client_ip');
    const sum = sumOfItems(
      order.items.map(({ quantity, unit_price }) => ({ quantity, unitPriceFen: unit_price })),
    );
    if (sum !== order.amount.total) {
      context.addIssue({
        code: 'custom',
        path: ['amount', 'total'],
        message: sum === null ? 'is larger than we take' : `must be the sum over the items, ${sum}`,
      });
    }
  });

export type NewOrderBody = z.output<typeof newOrder>;

const flag = z
  .string()
  .transform((text, context): boolean | string => {
    if (text === 'true' || text === 'false') return text === 'true';
    if (isInterventionReason(text)) return text;
    context.addIssue({ code: 'custom', message: 'must be true, false or a reason' });
    return z.NEVER;
  })
  .describe('true, false, or the reason of an open intervention');

export const orderListQuery = z.strictObject({
  status: z.enum(ORDER_STATUSES).optional(),
  attention: flag.optional(),
  user_id: userId.optional(),
  created_after: z.iso
    .datetime({ offset: true, error: 'must be a time as RFC 3339 says' })
    .refine((text) => isAskableTime(Date.parse(text)), 'must be a time as RFC 3339 says')
    .optional(),
  cursor: z.string().min(1).max(256).optional(),
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'must be 1 to 200')
    .transform(Number)
    .refine((value) => value >= 1 && value <= 200, 'must be 1 to 200')
    .optional(),
});

export const interventionListQuery = z.strictObject({
  status: z.enum(['open', 'resolved']).optional(),
  reason: z.enum(INTERVENTION_REASONS).optional(),
  out_trade_no: line(1, 64).optional(),
  cursor: orderListQuery.shape.cursor,
  limit: orderListQuery.shape.limit,
});

export const callbackDeliveryListQuery = z.strictObject({
  out_trade_no: line(1, 64).optional(),
  outcome: line(1, 64).optional().describe('added, duplicate, conflicting, or why it was refused'),
  cursor: orderListQuery.shape.cursor,
  limit: orderListQuery.shape.limit,
});

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

const REASON_LENGTH = 80;

export const newRefund = z.strictObject({
  out_refund_no: z
    .string()
    .regex(/^[0-9A-Za-z_\-|*@]{1,64}$/, 'must be 1 to 64 of 0-9 A-Z a-z _ - | * @')
    .refine((text) => !text.startsWith(OWN_PREFIX), `must not begin with ${OWN_PREFIX}`)
    .optional()
    .describe(
      `yours; needed without an Idempotency-Key. A repeat keeps it. Must not begin with ${OWN_PREFIX}: such numbers are Oncepay's`,
    ),
  amount: count(MAX_FEN).describe('in 分; at most what is left of the payment'),
  reason: line(1, REASON_LENGTH).optional().describe('shown to the user'),
  restock: z.boolean().optional().describe('physical goods are on hand again'),
  revoke_codes: z.boolean().optional().describe('codes not yet used are taken back'),
});

export type NewRefundBody = z.output<typeof newRefund>;

const idempotencyKey = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters');

export const emptyBody = z.strictObject({});

export const idempotencyKeyHeader = z.object({ 'Idempotency-Key': idempotencyKey });
export const skuParameter = z.object({ sku });
export const userParameter = z.object({ user_id: userId });

// Schemas of the requests for orders.
import { z } from 'zod';
import { CHANNELS, CHANNEL_NAMES } from '../../domain/orders/channels';
import { isInterventionReason } from '../../domain/interventions/reasons';
import { MAX_FEN, sumOfItems } from '../../domain/money';
import { ORDER_STATUSES } from '../../domain/orders/order-state';
import { amountFen, count, json, line, sku, timestamp, userId } from '../http/fields';
import { pageQuery } from '../http/page';

const item = z.strictObject({
  sku,
  quantity: count(MAX_FEN),
  unit_price: amountFen.describe('in 分'),
  kind: z.enum(['physical', 'virtual']).optional(),
});

/** `POST /v1/orders`. */
export const newOrder = z
  .strictObject({
    channel: z.enum(CHANNEL_NAMES),
    user_id: userId,
    openid: line(1, 128).optional().describe('required for miniprogram and official_account'),
    description: line(1, 127),
    items: z.array(item).min(1, 'must not be empty').max(200, 'must have at most 200 entries'),
    amount: z.strictObject({
      total: amountFen.describe('in 分; the sum over the items'),
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
      .optional()
      .describe('at most 16 KiB of text and 200 values'),
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
        message:
          sum === null ? `must be at most ${MAX_FEN}` : `must be the sum over the items, ${sum}`,
      });
    }
  });

export type NewOrderBody = z.output<typeof newOrder>;

/** Filters by open interventions: any, none, or those with one reason. */
const attention = z
  .string()
  .transform((text, context): boolean | string => {
    if (text === 'true' || text === 'false') return text === 'true';
    if (isInterventionReason(text)) return text;
    context.addIssue({
      code: 'custom',
      message: 'must be true, false or the reason of an intervention',
    });
    return z.NEVER;
  })
  .describe('true, false, or the reason of an open intervention');

/** `GET /v1/orders`. */
export const orderListQuery = z.strictObject({
  status: z.enum(ORDER_STATUSES).optional(),
  attention: attention.optional(),
  user_id: userId.optional(),
  created_after: timestamp.optional(),
  ...pageQuery,
});

// Places orders through the api, as a shop does.
import { z } from 'zod';
import type { Oncepay } from '../../stack/oncepay';

/** The amount of each order, in fen. */
export const TOTAL_FEN = 4_200;
const SKU = 'bench';

const placed = z.object({ out_trade_no: z.string() });

/** Puts the one product on sale, with stock for more than `orders` orders. */
export async function stockProduct(oncepay: Pick<Oncepay, 'call'>, orders: number): Promise<void> {
  const product = { name: 'Mug', kind: 'physical', stock: 2 * orders };
  await oncepay.call('PUT', `/v1/products/${SKU}`, { body: product });
}

/**
 * Places an order of {@link TOTAL_FEN}.
 * @returns its number
 * @throws when the api does not create it
 */
export async function placeOrder(oncepay: Pick<Oncepay, 'call'>, user: string): Promise<string> {
  const body = {
    channel: 'admin',
    user_id: user,
    description: 'A mug',
    items: [{ sku: SKU, quantity: 1, unit_price: TOTAL_FEN }],
    amount: { total: TOTAL_FEN, currency: 'CNY' },
  };
  const reply = await oncepay.call('POST', '/v1/orders', { body });
  if (reply.status !== 201)
    throw new Error(`POST /v1/orders got ${reply.status}: ${JSON.stringify(reply.body)}`);
  return placed.parse(reply.body).out_trade_no;
}

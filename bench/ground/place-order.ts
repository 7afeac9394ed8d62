// Places orders through the api, as a shop does.
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Oncepay } from '../../stack/oncepay';

/** The amount of each order, in fen. */
export const TOTAL_FEN = 4_200;
const SKU = 'bench';
/** The pause before the same request again, after a 503. */
const REPEAT_AFTER_MS = 1_000;

const placed = z.object({ out_trade_no: z.string() });

/** Puts the one product on sale, with stock for more than `orders` orders. */
export async function stockProduct(oncepay: Pick<Oncepay, 'call'>, orders: number): Promise<void> {
  const product = { name: 'Mug', kind: 'physical', stock: 2 * orders };
  await oncepay.call('PUT', `/v1/products/${SKU}`, { body: product });
}

/**
 * Places an order of {@link TOTAL_FEN}. A user has one order only: a repeat gets the first one.
 * @param patienceMs for so long a 503 is followed by the same request, as a shop would send it
 * @returns its number
 * @throws when the api does not create it
 */
export async function placeOrder(
  oncepay: Pick<Oncepay, 'call'>,
  user: string,
  patienceMs = 0,
): Promise<string> {
  const endsAt = performance.now() + patienceMs;
  const body = {
    channel: 'admin',
    user_id: user,
    description: 'A mug',
    items: [{ sku: SKU, quantity: 1, unit_price: TOTAL_FEN }],
    amount: { total: TOTAL_FEN, currency: 'CNY' },
  };
  let reply = await oncepay.call('POST', '/v1/orders', { body });
  while (reply.status === 503 && performance.now() < endsAt) {
    await delay(REPEAT_AFTER_MS);
    reply = await oncepay.call('POST', '/v1/orders', { body });
  }
  if (reply.status !== 201 && reply.status !== 200)
    throw new Error(`POST /v1/orders got ${reply.status}: ${JSON.stringify(reply.body)}`);
  return placed.parse(reply.body).out_trade_no;
}

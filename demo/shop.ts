// The merchant's shop: calls the API as its backend would, with the merchant's key.
import { CHANNELS, type Channel } from '../domain/orders/channels';
import type { OrderStatus } from '../domain/orders/order-state';
import type { Oncepay } from '../stack/oncepay';
import {
  orderReply,
  placedReply,
  pointsReply,
  productReply,
  refusalReply,
  type OrderReply,
  type PlacedReply,
  type ProductReply,
} from './replies';
import { createCall, expectSuccess } from './call-api';
import { SOON_MS, waitUntil } from './wait-until';

/** An order of one product for one user. */
export interface OrderWish {
  readonly channel?: Channel;
  readonly user: string;
  readonly sku: string;
  readonly quantity?: number;
  readonly unitFen: number;
  /** Makes an order different from one that is otherwise the same. */
  readonly shopOrderNo?: string;
  /** The payment is frozen, so that it can be shared. */
  readonly profitSharing?: boolean;
}

export interface PlacedOrder extends PlacedReply {
  readonly httpStatus: number;
}

/** The calls of the shop's backend. */
export interface Shop {
  /**
   * `POST /v1/orders`. @param port the port of another api process. @throws unless it gets 200 or
   * 201
   */
  order(wish: OrderWish, port?: number): Promise<PlacedOrder>;
  read(outTradeNo: string): Promise<OrderReply>;
  /** `POST /v1/orders/{no}/close`. @throws unless the order is closed at once */
  close(outTradeNo: string): Promise<void>;
  /**
   * Waits until the order is in the wanted state. @throws with its last status when that takes too
   * long
   */
  waitFor(
    outTradeNo: string,
    wanted: OrderStatus | 'with attention' | 'with money back',
    deadlineMs?: number,
  ): Promise<OrderReply>;
  /** `POST /v1/orders/{no}/refunds`. @returns `202`, `409 <code>` … */
  refund(outTradeNo: string, body: RefundWish): Promise<string>;
  /** `POST /v1/orders/{no}/profit-sharing`. @returns `202`, `409 <code>` … */
  share(outTradeNo: string, body: object): Promise<string>;
  /** Waits until a refund has succeeded. @throws when that takes too long */
  waitForRefund(outTradeNo: string, outRefundNo: string): Promise<void>;
  putProduct(
    sku: string,
    product: { readonly name: string; readonly stock?: number; readonly codes?: readonly string[] },
  ): Promise<ProductReply>;
  product(sku: string): Promise<ProductReply>;
  /** The user's balance of points. */
  points(user: string): Promise<number>;
}

/** The body of `POST /v1/orders/{no}/refunds`. */
export interface RefundWish {
  readonly out_refund_no: string;
  readonly amount: number;
  readonly restock?: boolean;
}

/** The body of `POST /v1/orders` for a wish. */
export function orderBody(wish: OrderWish): object {
  const { channel = 'miniprogram', quantity = 1 } = wish;
  const { needsOpenid, needsClientIp } = CHANNELS[channel];
  return {
    channel,
    user_id: wish.user,
    ...(needsOpenid ? { openid: `openid-of-${wish.user}` } : {}),
    ...(needsClientIp ? { client_ip: '203.0.113.7' } : {}),
    description: `${quantity} × ${wish.sku}`,
    items: [{ sku: wish.sku, quantity, unit_price: wish.unitFen }],
    amount: { total: quantity * wish.unitFen, currency: 'CNY' },
    ...(wish.profitSharing === true ? { profit_sharing: true } : {}),
    ...(wish.shopOrderNo === undefined ? {} : { shop_order_no: wish.shopOrderNo }),
  };
}

/**
 * Creates the shop. @throws from its calls: an error that names the call unless it gets 200 or 201
 */
export function createShop(oncepay: Pick<Oncepay, 'call'>): Shop {
  const call = createCall(oncepay, 'merchant');
  const read = (outTradeNo: string) => call(orderReply, 'GET', `/v1/orders/${outTradeNo}`);

  const post = async (path: string, body: object) => {
    const { status, body: reply } = await oncepay.call('POST', path, { as: 'merchant', body });
    const { code } = refusalReply.parse(reply);
    return code === undefined ? `${status}` : `${status} ${code}`;
  };

  return {
    async order(wish, port) {
      const path = '/v1/orders';
      const other = port === undefined ? {} : { port };
      const body = orderBody(wish);
      const reply = await oncepay.call('POST', path, { as: 'merchant', body, ...other });
      const placed = placedReply.parse(expectSuccess(reply, `POST ${path}`).body);
      return { ...placed, httpStatus: reply.status };
    },
    read,
    async close(outTradeNo) {
      await call(placedReply.pick({ status: true }), 'POST', `/v1/orders/${outTradeNo}/close`);
    },
    async waitFor(outTradeNo, wanted, deadlineMs = SOON_MS) {
      let last = 'unknown';
      const isReached = ({ status, attention, refunds }: OrderReply) => {
        if (wanted === 'with attention') return attention !== null;
        if (wanted !== 'with money back') return status === wanted;
        return refunds.some((refund) => refund.status === 'succeeded');
      };
      return waitUntil(`order ${outTradeNo} ${wanted}`, deadlineMs, async () => {
        const order = await read(outTradeNo);
        last = order.status;
        return isReached(order) ? order : undefined;
      }).catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        throw new Error(`${message} (its last status: ${last})`);
      });
    },
    refund: (outTradeNo, body) => post(`/v1/orders/${outTradeNo}/refunds`, body),
    share: (outTradeNo, body) => post(`/v1/orders/${outTradeNo}/profit-sharing`, body),
    async waitForRefund(outTradeNo, outRefundNo) {
      await waitUntil(`refund ${outRefundNo} succeeded`, SOON_MS, async () => {
        const { refunds } = await read(outTradeNo);
        return refunds.find(
          (refund) => refund.out_refund_no === outRefundNo && refund.status === 'succeeded',
        );
      });
    },
    async putProduct(sku, { name, stock, codes }) {
      const path = `/v1/products/${sku}`;
      const kind = codes === undefined ? 'physical' : 'virtual';
      const body = { name, kind, ...(stock === undefined ? {} : { stock }) };
      const made = await call(productReply, 'PUT', path, { body });
      if (codes === undefined) return made;
      return call(productReply, 'POST', `${path}/codes`, { body: { codes } });
    },
    product: (sku) => call(productReply, 'GET', `/v1/products/${sku}`),
    async points(user) {
      return (await call(pointsReply, 'GET', `/v1/users/${user}/points`)).balance;
    },
  };
}

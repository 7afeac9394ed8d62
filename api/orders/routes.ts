// The routes under /v1/orders: create, list, read, pay and close orders.
import type { z } from 'zod';
import type { Settings } from '../../config/settings';
import type { Cached } from '../../database/core/cache-value';
import type { Database } from '../../database/database';
import type { CreationResult, NewOrder } from '../../database/orders/create-order';
import { canBePaid } from '../../domain/orders/order-state';
import type { RuntimeOverrides } from '../../domain/settings/runtime-settings';
import { inTime, type BesideDatabase } from '../http/deadline';
import { emptyBody } from '../http/fields';
import { guardOf, IDEMPOTENCY_KEY } from '../http/idempotency';
import {
  ALL_ROLES,
  CLOSING_ROLES,
  operation,
  SHOP_ROLES,
  type Call,
  type Operation,
  type Reply,
} from '../http/operations';
import { orderPath, type OrderPath } from '../http/order-number';
import { page } from '../http/page';
import { ApiError, invalidField, keyReused, noSuchOrder } from '../http/problem';
import type { OrderRuns } from '../temporal/order-runs';
import type { Payments } from './pay-parameters';
import {
  orderListReply,
  orderReply,
  paymentReply,
  renderOrder,
  renderPayment,
  renderSummary,
} from './replies';
import { fen } from '../../domain/money';
import { newOrder, orderListQuery, type NewOrderBody } from './schemas';

export interface OrderRouteDeps {
  readonly database: Pick<Database, 'orders' | 'closing'>;
  readonly payments: Payments;
  readonly runs: Pick<OrderRuns, 'close'>;
  readonly besideDatabase: BesideDatabase;
  readonly settings: Pick<Settings, 'wechatpay' | 'paymentWindowMs'>;
  /** The settings that operators have overridden. */
  readonly overrides: Pick<Cached<RuntimeOverrides>, 'current'>;
  readonly now: () => number;
}

const ORDER_NUMBER = /^[0-9A-Z]{22}$/;
/** A close replies within 20 s; two look-ups stand around this wait. */
const CLOSE_WAIT_MS = 10_000;
/** WeChat's `time_expire` is a minute after Oncepay's, so that Oncepay closes first. */
const TIME_EXPIRE_MARGIN_MS = 60_000;
const SHANGHAI_OFFSET_MS = 8 * 3_600_000;

/** Makes the operations on orders. */
export function orderOperations(deps: OrderRouteDeps): Operation[] {
  return [
    orderCreation(deps),
    operation({
      id: 'listOrders',
      method: 'get',
      path: '/v1/orders',
      summary: 'Lists orders, newest first',
      roles: ALL_ROLES,
      query: orderListQuery,
      reply: orderListReply,
      replies: { 200: 'A page of orders' },
      handle: (call) => listOrders(deps, call),
    }),
    operation({
      id: 'getOrder',
      method: 'get',
      path: '/v1/orders/:no',
      summary: 'Reads an order with its items, history, effects, notices, refunds and sharings',
      roles: ALL_ROLES,
      params: orderPath,
      reply: orderReply,
      replies: { 200: 'The order', 404: 'There is no order with this number' },
      handle: (call) => getOrder(deps, call),
    }),
    operation({
      id: 'createPayment',
      method: 'post',
      path: '/v1/orders/:no/payment',
      summary: 'Gets the parameters to pay an order, new ones if the earlier ones have expired',
      roles: SHOP_ROLES,
      params: orderPath,
      body: emptyBody,
      bodyOptional: true,
      reply: paymentReply,
      replies: {
        200: 'The order and the parameters to pay it',
        404: 'There is no order with this number',
        409: 'The order is paid, closed or expired: create a new order',
      },
      handle: (call) => createPayment(deps, call),
    }),
    operation({
      id: 'closeOrder',
      method: 'post',
      path: '/v1/orders/:no/close',
      summary: 'Closes an order in Oncepay and at WeChat Pay',
      roles: CLOSING_ROLES,
      params: orderPath,
      body: emptyBody,
      bodyOptional: true,
      reply: paymentReply,
      replies: {
        200: 'The order is closed',
        202: 'The close is in progress: read the order later',
        404: 'There is no order with this number',
        409: 'The order is paid and can only be refunded',
      },
      handle: (call) => closeOrder(deps, call),
    }),
  ];
}

function orderCreation(deps: OrderRouteDeps): Operation {
  return operation({
    id: 'createOrder',
    method: 'post',
    path: '/v1/orders',
    summary: 'Creates an order and gets the parameters to pay it',
    roles: SHOP_ROLES,
    headers: [IDEMPOTENCY_KEY],
    body: newOrder,
    reply: paymentReply,
    replies: {
      200: 'The order of an earlier request with the same content or key',
      201: 'The new order; `payment` is null when WeChat Pay did not respond within 8 s',
      409: 'There is not enough stock: nothing was created',
      422: 'An earlier request had this Idempotency-Key with another body: nothing was created',
      502: 'WeChat Pay refused the order: `wechat_code` and `wechat_message` have the cause',
    },
    handle: (call) => createOrder(deps, call),
  });
}

async function createOrder(
  deps: OrderRouteDeps,
  call: Call<{ body: NewOrderBody }>,
): Promise<Reply> {
  const { body, caller } = call;
  const guard = guardOf(call, 'POST /v1/orders', body);
  const nowMs = deps.now();
  const create = async () => {
    const { payment_window: windowMs = deps.settings.paymentWindowMs } =
      await deps.overrides.current();
    const order = toNewOrder(deps.settings.wechatpay, body, windowMs, nowMs);
    return deps.database.orders.create(order, guard, caller, nowMs);
  };
  const result = await inTime(create());
  const outTradeNo = numberFrom(result, body);
  const created = result.kind === 'created';
  const { order, payment } = await (created
    ? deps.payments.first(outTradeNo)
    : deps.payments.obtain(outTradeNo));
  return { status: created ? 201 : 200, body: renderPayment(order, payment) };
}

/** The number of the order. @throws ApiError for a request that created none */
function numberFrom(result: CreationResult, body: NewOrderBody): string {
  switch (result.kind) {
    case 'created':
    case 'duplicate':
    case 'replay':
      return result.outTradeNo;
    case 'key_reused':
      throw keyReused();
    case 'out_of_stock': {
      const index = body.items.findIndex(({ sku }) => sku === result.sku);
      const field = `items[${index}].quantity`;
      const detail = `There is not enough stock of ${result.sku}; order less or add stock`;
      throw new ApiError('OUT_OF_STOCK', detail, {
        errors: [{ field, message: 'is more than can be sold' }],
      });
    }
    case 'kind_conflict':
      throw invalidField(`items[${result.index}].kind`, 'must be the kind of this product');
  }
}

function toNewOrder(
  wechatpay: Settings['wechatpay'],
  body: NewOrderBody,
  paymentWindowMs: number,
  nowMs: number,
): NewOrder {
  const seconds = body.expires_in_seconds;
  const expiresAtMs = nowMs + (seconds === undefined ? paymentWindowMs : seconds * 1_000);
  return {
    channel: body.channel,
    userId: body.user_id,
    openid: body.openid ?? null,
    clientIp: body.client_ip ?? null,
    description: body.description,
    items: body.items.map(({ sku, quantity, unit_price, kind }) => ({
      sku,
      quantity,
      unitPriceFen: fen(unit_price),
      kind: kind ?? null,
    })),
    totalFen: fen(body.amount.total),
    currency: body.amount.currency,
    shopOrderNo: body.shop_order_no ?? null,
    profitSharing: body.profit_sharing ?? false,
    metadata: body.metadata ?? null,
    appId: wechatpay.appId,
    merchantId: wechatpay.merchantId,
    notifyUrl: wechatpay.notifyUrl,
    timeExpire: shanghaiTime(expiresAtMs + TIME_EXPIRE_MARGIN_MS),
    expiresAtMs,
  };
}

/** RFC 3339 with +08:00 and whole seconds, rounded up, as in WeChat's examples. */
function shanghaiTime(ms: number): string {
  const local = new Date(Math.ceil(ms / 1_000) * 1_000 + SHANGHAI_OFFSET_MS);
  return `${local.toISOString().slice(0, 19)}+08:00`;
}

function listOrders(
  { database }: OrderRouteDeps,
  { query, caller }: Call<{ query: z.output<typeof orderListQuery> }>,
): Promise<Reply> {
  return page({
    query,
    idShape: ORDER_NUMBER,
    read: (after, limit) =>
      database.orders.list({
        status: query.status ?? null,
        attention: query.attention ?? null,
        userId: query.user_id ?? null,
        createdAfter: query.created_after === undefined ? null : new Date(query.created_after),
        after: after && { createdAt: after.at, outTradeNo: after.id },
        limit,
      }),
    placeOf: ({ createdAt, outTradeNo }) => ({ at: createdAt, id: outTradeNo }),
    render: (order) => renderSummary(order, caller.role),
  });
}

async function getOrder(
  deps: OrderRouteDeps,
  { params, caller }: Call<{ params: OrderPath }>,
): Promise<Reply> {
  const isShop = SHOP_ROLES.includes(caller.role);
  const order = await inTime(deps.database.orders.findOrder(params.no, isShop));
  if (!order) throw noSuchOrder(params.no);
  return { status: 200, body: renderOrder(order, caller.role) };
}

async function createPayment(
  { payments }: OrderRouteDeps,
  { params }: Call<{ params: OrderPath }>,
): Promise<Reply> {
  const outTradeNo = params.no;
  const { order, payment } = await payments.obtain(outTradeNo);
  if (payment === null && !payments.mayBePaid(order)) {
    const detail =
      `Order ${outTradeNo} can no longer be paid: its status is ${order.status}, or its close or ` +
      'expiry has begun; create a new order';
    throw new ApiError('ORDER_NOT_PAYABLE', detail, {
      extra: { out_trade_no: outTradeNo, order_status: order.status },
    });
  }
  return { status: 200, body: renderPayment(order, payment) };
}

async function closeOrder(
  deps: OrderRouteDeps,
  { params, caller }: Call<{ params: OrderPath }>,
): Promise<Reply> {
  const outTradeNo = params.no;
  const status = await inTime(deps.database.closing.request(outTradeNo, caller, deps.now()));
  if (status === null) throw noSuchOrder(outTradeNo);
  if (canBePaid(status)) {
    const ended = await inTime(deps.database.orders.wechatFailuresEnded(outTradeNo));
    await deps.besideDatabase(deps.runs.close(outTradeNo, ended, CLOSE_WAIT_MS));
  }
  const order = await deps.payments.find(outTradeNo);
  if (order.status === 'closed' || canBePaid(order.status)) {
    return { status: order.status === 'closed' ? 200 : 202, body: renderPayment(order, null) };
  }
  const detail =
    `Order ${outTradeNo} has the status ${order.status} and can't be closed; ` +
    'a refund returns the money of a paid order';
  throw new ApiError('ORDER_ALREADY_PAID', detail, {
    extra: { out_trade_no: outTradeNo, order_status: order.status },
  });
}

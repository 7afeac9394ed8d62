import type { Settings } from '../../config/settings';
import type { Cached } from '../../database/core/cached';
import type { Database } from '../../database/database';
import type { CreationResult, NewOrder } from '../../database/orders/create-order';
import { canBePaid } from '../../domain/orders/order-state';
import type { RuntimeOverrides } from '../../domain/settings/runtime-settings';
import { readCursor, writeCursor } from '../http/cursor';
import { inTime } from '../http/deadline';
import { guardOf, IDEMPOTENCY_KEY } from '../http/idempotency';
import { ApiError, invalidField } from '../http/problem';
import {
  ALL_ROLES,
  CLOSING_ROLES,
  SHOP_ROLES,
  type Call,
  type Operation,
  type Reply,
} from '../http/operations';
import type { Payments } from './pay-parameters';
import {
  orderListReply,
  orderReply,
  paymentReply,
  renderOrder,
  renderPayment,
  renderSummary,
} from './replies';
import type { NewOrderBody } from './schemas';
import { newOrder, orderListQuery } from './schemas';
import { emptyBody } from '../http/fields';
import type { OrderRuns } from '../temporal/order-runs';
import { numberOf } from '../http/order-number';
import { fen } from '../../domain/money';

export interface OrderRouteDeps {
  readonly database: Pick<Database, 'orders' | 'closing'>;
  readonly payments: Payments;
  readonly runs: Pick<OrderRuns, 'close'>;
  readonly settings: Pick<Settings, 'wechatpay' | 'paymentWindowMs'>;
  /** What operators set in place of the environment. */
  readonly overrides: Pick<Cached<RuntimeOverrides>, 'current'>;
  readonly now: () => number;
}

const DEFAULT_LIMIT = 50;
const ORDER_NUMBER = /^[0-9A-Z]{22}$/;
/** A close answers within 20 s; two look-ups stand around this wait. */
const CLOSE_WAIT_MS = 10_000;
/** WeChat's `time_expire` is a minute after ours, so that our close comes first. */
const TIME_EXPIRE_MARGIN_MS = 60_000;
const SHANGHAI_OFFSET_MS = 8 * 3_600_000;

/** Everything under `/v1/orders`. */
export function orderOperations(deps: OrderRouteDeps): Operation[] {
  return [
    orderCreation(deps),
    {
      id: 'listOrders',
      method: 'get',
      path: '/v1/orders',
      summary: 'Orders, newest first',
      roles: ALL_ROLES,
      query: orderListQuery,
      reply: orderListReply,
      replies: { 200: 'A page' },
      handle: (call) => listOrders(deps, call),
    },
    {
      id: 'getOrder',
      method: 'get',
      path: '/v1/orders/:no',
      summary: 'An order with all that hangs on it',
      roles: ALL_ROLES,
      reply: orderReply,
      replies: { 200: 'The order', 404: 'No such order' },
      handle: (call) => getOrder(deps, call),
    },
    {
      id: 'createPayment',
      method: 'post',
      path: '/v1/orders/:no/payment',
      summary: 'What the user needs to pay an order, made anew when it has died',
      roles: SHOP_ROLES,
      body: emptyBody,
      bodyOptional: true,
      reply: paymentReply,
      replies: {
        200: 'The order and its payment',
        404: 'No such order',
        409: 'Not payable any more',
      },
      handle: (call) => createPayment(deps, call),
    },
    {
      id: 'closeOrder',
      method: 'post',
      path: '/v1/orders/:no/close',
      summary: 'Closes an order, here and at WeChat',
      roles: CLOSING_ROLES,
      body: emptyBody,
      bodyOptional: true,
      reply: paymentReply,
      replies: { 200: 'Closed', 202: 'Under way', 404: 'No such order', 409: 'Paid' },
      handle: (call) => closeOrder(deps, call),
    },
  ];
}

function orderCreation(deps: OrderRouteDeps): Operation {
  return {
    id: 'createOrder',
    method: 'post',
    path: '/v1/orders',
    summary: 'Creates an order and what the user needs to pay it',
    roles: SHOP_ROLES,
    headers: [IDEMPOTENCY_KEY],
    body: newOrder,
    reply: paymentReply,
    replies: {
      200: 'The same order was asked for before',
      201: 'Created; `payment` is null when WeChat has not answered in 8 s',
      409: 'Not enough stock',
      422: 'The Idempotency-Key came with another body',
      502: 'WeChat Pay refused the order',
    },
    handle: (call) => createOrder(deps, call),
  };
}

async function createOrder(deps: OrderRouteDeps, call: Call): Promise<Reply> {
  const body = call.body as NewOrderBody;
  const { caller } = call;
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
  const answer = await (created
    ? deps.payments.first(outTradeNo)
    : deps.payments.obtain(outTradeNo));
  return {
    status: created ? 201 : 200,
    body: renderPayment(answer.order, answer.payment),
  };
}

/** @throws ApiError for a request that made no order */
function numberFrom(result: CreationResult, body: NewOrderBody): string {
  switch (result.kind) {
    case 'created':
    case 'duplicate':
    case 'replay':
      return result.outTradeNo;
    case 'key_reused':
      throw new ApiError(
        'IDEMPOTENCY_KEY_REUSED',
        'This Idempotency-Key was used with another body; nothing was done',
      );
    case 'out_of_stock': {
      const index = body.items.findIndex(({ sku }) => sku === result.sku);
      const field = `items[${index}].quantity`;
      throw new ApiError('OUT_OF_STOCK', `There is not enough of ${result.sku}`, {
        errors: [{ field, message: 'is more than can be sold' }],
      });
    }
    case 'kind_conflict':
      throw invalidField(`items[${result.index}].kind`, 'is not the kind of this product');
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

/** RFC 3339 with +08:00 and whole seconds, rounded up, as WeChat's examples have it. */
function shanghaiTime(ms: number): string {
  const local = new Date(Math.ceil(ms / 1_000) * 1_000 + SHANGHAI_OFFSET_MS);
  return `${local.toISOString().slice(0, 19)}+08:00`;
}

async function listOrders(deps: OrderRouteDeps, call: Call): Promise<Reply> {
  const query = call.query as ReturnType<typeof orderListQuery.parse>;
  const limit = query.limit ?? DEFAULT_LIMIT;
  const place = query.cursor === undefined ? null : readCursor(query.cursor, ORDER_NUMBER);
  const rows = await inTime(
    deps.database.orders.list({
      status: query.status ?? null,
      attention: query.attention ?? null,
      userId: query.user_id ?? null,
      createdAfter: query.created_after === undefined ? null : new Date(query.created_after),
      after: place && { createdAt: place.at, outTradeNo: place.id },
      limit: limit + 1,
    }),
  );
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return {
    status: 200,
    body: {
      data: page.map(renderSummary),
      next_cursor: last ? writeCursor({ at: last.createdAt, id: last.outTradeNo }) : null,
    },
  };
}

async function getOrder(deps: OrderRouteDeps, call: Call): Promise<Reply> {
  const outTradeNo = numberOf(call);
  const isShop = SHOP_ROLES.includes(call.caller.role);
  const order = await inTime(deps.database.orders.findOrder(outTradeNo, isShop));
  if (!order) throw new ApiError('NOT_FOUND', `There is no order ${outTradeNo}`);
  return { status: 200, body: renderOrder(order, isShop) };
}

async function createPayment(deps: OrderRouteDeps, call: Call): Promise<Reply> {
  const { payments } = deps;
  const outTradeNo = numberOf(call);
  const { order, payment } = await payments.obtain(outTradeNo);
  if (payment === null && !payments.mayBePaid(order)) {
    throw new ApiError('ORDER_NOT_PAYABLE', `Order ${outTradeNo} is ${order.status}`, {
      extra: { out_trade_no: outTradeNo, order_status: order.status },
    });
  }
  return { status: 200, body: renderPayment(order, payment) };
}

async function closeOrder(deps: OrderRouteDeps, call: Call): Promise<Reply> {
  const outTradeNo = numberOf(call);
  const status = await inTime(deps.database.closing.request(outTradeNo, call.caller, deps.now()));
  if (status === null) throw new ApiError('NOT_FOUND', `There is no order ${outTradeNo}`);
  if (canBePaid(status)) await deps.runs.close(outTradeNo, CLOSE_WAIT_MS);
  const order = await deps.payments.find(outTradeNo);
  if (order.status === 'closed' || canBePaid(order.status)) {
    return { status: order.status === 'closed' ? 200 : 202, body: renderPayment(order, null) };
  }
  throw new ApiError('ORDER_ALREADY_PAID', `Order ${outTradeNo} is ${order.status}`, {
    extra: { out_trade_no: outTradeNo, order_status: order.status },
  });
}

// Keeps the orders and payments that WeChat knows, with WeChat's rules for prepay and close.
import { isDeepStrictEqual } from 'node:util';
import { PREPAY_LIFE_MS, type PrepayApi } from '../../../domain/orders/channels';
import type { TradeState } from '../../../domain/payments/notices';
import { paramError, refuse, type Reply } from '../http/reply';
import { beijingDay } from '../time/beijing-time';
import { randomDigits, randomToken } from '../keys/crypto';
import type { Merchant } from '../keys/merchants';
import type { PrepayBody } from './prepay-schemas';

const MIN_EXPIRY_AHEAD_MS = 60_000;
/** Far above any benchmark's run; the oldest orders are forgotten beyond it. */
const ORDER_LIMIT = 250_000;
const TOKEN_LIMIT = 20;

export interface Payment {
  readonly transactionId: string;
  readonly merchantId: string;
  readonly appId: string;
  readonly totalFen: number;
  readonly payerTotalFen: number;
  readonly currency: string;
  readonly openid: string;
  readonly successTimeMs: number;
  /** Set by the first refund, also when no refund succeeds. */
  refundRequested: boolean;
}

export interface PrepayToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

export interface SimulatedOrder {
  readonly merchantId: string;
  readonly appId: string;
  readonly outTradeNo: string;
  /** Null for a payment without a prepay. */
  readonly api: PrepayApi | null;
  readonly description: string;
  readonly attach: string;
  readonly totalFen: number;
  readonly openid: string;
  readonly notifyUrl: string;
  readonly profitSharing: boolean;
  readonly timeExpireMs: number | null;
  readonly createdAtMs: number;
  /** The content that must come again with the same number. */
  readonly parameters: unknown;
  state: TradeState;
  /** A query by order number returns the first payment. */
  payments: Payment[];
  /** The latest prepay responses, newest last. */
  tokens: PrepayToken[];
  closes: number;
}

export interface Transactions {
  prepay: (merchant: Merchant, api: PrepayApi, body: PrepayBody) => Reply;
  close: (merchantId: string, outTradeNo: string) => Reply;
  find: (merchantId: string, outTradeNo: string) => SimulatedOrder | null;
  /** Over all merchants: for the control API. */
  findAnywhere: (outTradeNo: string) => SimulatedOrder | null;
  findByTransaction: (transactionId: string) => { order: SimulatedOrder; payment: Payment } | null;
  add: (order: SimulatedOrder) => void;
  addPayment: (order: SimulatedOrder, payment: Payment) => void;
  newTransactionId: () => string;
  all: () => SimulatedOrder[];
  /** Refuses closes that come too early; 0 turns it off. */
  setRefuseCloseWithin: (ms: number) => void;
  clear: () => void;
}

const keyOf = (merchantId: string, outTradeNo: string): string => `${merchantId}/${outTradeNo}`;

function newToken(order: SimulatedOrder, api: PrepayApi, nowMs: number): Reply {
  const id = `wx${beijingDay(nowMs)}${randomDigits(6)}${randomToken(20).toLowerCase()}`;
  const made = (token: string, body: unknown): Reply => {
    order.tokens.push({ token, expiresAtMs: nowMs + PREPAY_LIFE_MS[api] });
    if (order.tokens.length > TOKEN_LIMIT) order.tokens.shift();
    return { status: 200, body };
  };
  switch (api) {
    case 'jsapi':
    case 'app':
      return made(id, { prepay_id: id });
    case 'h5': {
      const page = 'https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb';
      const url = `${page}?prepay_id=${id}&package=${randomDigits(10)}`;
      return made(url, { h5_url: url });
    }
    case 'native': {
      const url = `weixin://wxpay/bizpayurl?pr=${randomToken(9)}`;
      return made(url, { code_url: url });
    }
  }
}

function checkExpiry(body: PrepayBody, aheadMs: number, nowMs: number): Reply | null {
  if (body.time_expire === undefined || Date.parse(body.time_expire) >= nowMs + aheadMs) {
    return null;
  }
  return paramError('订单失效时间 time_expire 必须晚于当前时间一分钟', {
    field: '/time_expire',
    value: body.time_expire,
    issue: 'too early',
    location: 'body',
  });
}

function checkIdentity(merchant: Merchant, body: PrepayBody): Reply | null {
  if (body.mchid !== merchant.merchantId) {
    return paramError('商户号与签名的商户号不一致', {
      field: '/mchid',
      value: body.mchid,
      issue: 'not the mchid that signed',
      location: 'body',
    });
  }
  if (merchant.appIds.has(body.appid)) return null;
  return refuse(400, 'APPID_MCHID_NOT_MATCH', 'appid和mchid不匹配');
}

function again(order: SimulatedOrder, api: PrepayApi, body: PrepayBody, nowMs: number): Reply {
  if (order.payments.length > 0) return refuse(400, 'ORDERPAID', '该订单已支付');
  if (order.state === 'CLOSED') return refuse(400, 'ORDER_CLOSED', '该订单已关闭');
  if (order.api !== api || !isDeepStrictEqual(order.parameters, body)) {
    return refuse(403, 'OUT_TRADE_NO_USED', '商户订单号重复');
  }
  return checkExpiry(body, 0, nowMs) ?? newToken(order, api, nowMs);
}

function newOrder(api: PrepayApi, body: PrepayBody, nowMs: number): SimulatedOrder {
  return {
    merchantId: body.mchid,
    appId: body.appid,
    outTradeNo: body.out_trade_no,
    api,
    description: body.description,
    attach: body.attach ?? '',
    totalFen: body.amount.total,
    openid: body.payer?.openid ?? `o${randomToken(27)}`,
    notifyUrl: body.notify_url,
    profitSharing: body.settle_info?.profit_sharing ?? false,
    timeExpireMs: body.time_expire === undefined ? null : Date.parse(body.time_expire),
    createdAtMs: nowMs,
    parameters: body,
    state: 'NOTPAY',
    payments: [],
    tokens: [],
    closes: 0,
  };
}

function closeOrder(order: SimulatedOrder | null, refuseWithinMs: number, nowMs: number): Reply {
  if (order === null) return refuse(404, 'ORDER_NOT_EXIST', '订单不存在');
  if (order.payments.length > 0) return refuse(400, 'ORDERPAID', '该订单已支付');
  if (order.state !== 'CLOSED' && nowMs - order.createdAtMs < refuseWithinMs) {
    return refuse(400, 'INVALID_REQUEST', '订单生成后时间过短，暂不允许关单');
  }
  order.state = 'CLOSED';
  order.closes++;
  return { status: 204, body: null };
}

/** The orders and payments that WeChat knows. Kept in memory, bounded, nothing on disk. */
export function createTransactions(now: () => number, refuseCloseWithinMs: number): Transactions {
  const orders = new Map<string, SimulatedOrder>();
  const byTransaction = new Map<string, { order: SimulatedOrder; payment: Payment }>();
  const merchantIds = new Set<string>();
  let closeGuardMs = refuseCloseWithinMs;
  let serial = 0;

  const find = (merchantId: string, outTradeNo: string): SimulatedOrder | null =>
    orders.get(keyOf(merchantId, outTradeNo)) ?? null;
  const forgetOldest = (): void => {
    const oldest = orders.values().next().value;
    if (oldest === undefined) return;
    orders.delete(keyOf(oldest.merchantId, oldest.outTradeNo));
    for (const payment of oldest.payments) byTransaction.delete(payment.transactionId);
  };
  const add = (order: SimulatedOrder): void => {
    orders.set(keyOf(order.merchantId, order.outTradeNo), order);
    merchantIds.add(order.merchantId);
    if (orders.size > ORDER_LIMIT) forgetOldest();
  };
  return {
    prepay: (merchant, api, body) => {
      const refusal = checkIdentity(merchant, body);
      if (refusal !== null) return refusal;
      const known = find(merchant.merchantId, body.out_trade_no);
      if (known !== null) return again(known, api, body, now());
      const tooEarly = checkExpiry(body, MIN_EXPIRY_AHEAD_MS, now());
      if (tooEarly !== null) return tooEarly;
      const order = newOrder(api, body, now());
      add(order);
      return newToken(order, api, now());
    },
    close: (merchantId, outTradeNo) =>
      closeOrder(find(merchantId, outTradeNo), closeGuardMs, now()),
    find,
    findAnywhere: (outTradeNo) => {
      for (const merchantId of merchantIds) {
        const order = find(merchantId, outTradeNo);
        if (order !== null) return order;
      }
      return null;
    },
    findByTransaction: (transactionId) => byTransaction.get(transactionId) ?? null,
    add,
    addPayment: (order, payment) => {
      order.payments.push(payment);
      byTransaction.set(payment.transactionId, { order, payment });
    },
    newTransactionId: () =>
      // 28 digits: 4200 + 6 random + the Beijing day + a running number, so each is unique.
      `4200${randomDigits(6)}${beijingDay(now())}${String(serial++ % 1e10).padStart(10, '0')}`,
    all: () => [...orders.values()],
    setRefuseCloseWithin: (ms) => {
      closeGuardMs = ms;
    },
    clear: () => {
      orders.clear();
      byTransaction.clear();
    },
  };
}

// The payer's side of WeChat: pays orders, and sends their callbacks.
import type { TradeState } from '../../../domain/payments/notices';
import { ControlRefusal } from '../http/reply';
import { buildNotification, type Notification } from '../callbacks/callbacks';
import type { CallbackSchedule } from '../callbacks/disturb-callbacks';
import { randomToken } from '../keys/crypto';
import type { Delivery } from '../callbacks/deliveries';
import type { Merchant } from '../keys/merchants';
import { transactionBody } from './transaction-body';
import type { Payment, SimulatedOrder, Transactions } from './transactions';

/** A payment by the payer. Fields that are left out are as they should be. */
export interface PayRequest {
  readonly outTradeNo: string;
  readonly totalFen?: number | undefined;
  readonly payerTotalFen?: number | undefined;
  readonly currency?: string | undefined;
  /** The identity that the payment names, to play mismatches. */
  readonly merchantId?: string | undefined;
  readonly appId?: string | undefined;
  readonly transactionId?: string | undefined;
  /**
   * The token with which the payer's WeChat was opened (`prepay_id`, `h5_url`, `code_url`): it
   * must be valid.
   */
  readonly token?: string | undefined;
  /**
   * True: the payer pays also after the close or the expiry, a second time, or for an unknown
   * number.
   */
  readonly force?: boolean | undefined;
  /** How many callbacks are sent at once, under one id. 0: none, the payment must be queried. */
  readonly callbacks?: number | undefined;
  /**
   * Default SUCCESS. REFUND on a paid order only changes its state; a state without money
   * (NOTPAY, CLOSED, USERPAYING, …) makes no payment and no callback.
   */
  readonly tradeState?: TradeState | undefined;
  /** False: does not wait for the reply to the first callback. */
  readonly wait?: boolean | undefined;
  /** RFC 3339. Default now; an earlier time puts the payment into an earlier bill. */
  readonly successTime?: string | undefined;
  /** The address of the callback; default the order's own notify_url. */
  readonly notifyUrl?: string | undefined;
}

export interface PayResult {
  readonly outTradeNo: string;
  readonly tradeState: TradeState;
  readonly transactionId: string | null;
  readonly notificationId: string | null;
  /** The first try of the callback; null when there is none, or the call did not wait for it. */
  readonly callback: Delivery | null;
}

/** Sends the callback of a payment once more. */
export interface NotifyRequest {
  readonly outTradeNo: string;
  /** Default 1. */
  readonly count?: number | undefined;
  readonly concurrent?: boolean | undefined;
  /**
   * True: each copy has an id of its own, because WeChat can report one payment under several ids.
   */
  readonly newId?: boolean | undefined;
}

export interface PaymentsDeps {
  readonly merchants: ReadonlyMap<string, Merchant>;
  readonly transactions: Transactions;
  readonly schedule: CallbackSchedule;
  readonly now: () => number;
}

const WITHOUT_MONEY: ReadonlySet<TradeState> = new Set([
  'NOTPAY',
  'CLOSED',
  'REVOKED',
  'USERPAYING',
  'PAYERROR',
]);

/** @throws ControlRefusal when there is no such merchant. */
export function merchantOf(
  merchants: ReadonlyMap<string, Merchant>,
  merchantId: string | undefined,
): Merchant {
  const [first] = merchants.values();
  const merchant = merchantId === undefined ? first : merchants.get(merchantId);
  if (merchant === undefined) throw new ControlRefusal(404, 'MCH_NOT_EXISTS', 'no such merchant');
  return merchant;
}

/** The order of a payment without a prepay, as if another system had made it. */
function strangeOrder(deps: PaymentsDeps, request: PayRequest): SimulatedOrder {
  const merchant = merchantOf(deps.merchants, undefined);
  const last = deps.transactions.all().at(-1);
  return {
    merchantId: merchant.merchantId,
    appId: [...merchant.appIds][0] ?? '',
    outTradeNo: request.outTradeNo,
    api: null,
    description: '',
    attach: '',
    totalFen: request.totalFen ?? 1,
    openid: `o${randomToken(27)}`,
    notifyUrl: request.notifyUrl ?? last?.notifyUrl ?? '',
    profitSharing: false,
    timeExpireMs: null,
    createdAtMs: deps.now(),
    parameters: null,
    state: 'NOTPAY',
    payments: [],
    tokens: [],
    closes: 0,
  };
}

function checkPayable(order: SimulatedOrder, request: PayRequest, nowMs: number): void {
  if (order.payments.length > 0) throw new ControlRefusal(409, 'ORDERPAID', 'paid already');
  if (order.state === 'CLOSED') throw new ControlRefusal(409, 'ORDER_CLOSED', 'closed');
  if (order.timeExpireMs !== null && nowMs > order.timeExpireMs) {
    throw new ControlRefusal(409, 'ORDER_EXPIRED', 'the time to pay is over');
  }
  if (request.token === undefined) return;
  const token = order.tokens.find((known) => known.token === request.token);
  if (token === undefined || nowMs > token.expiresAtMs) {
    throw new ControlRefusal(409, 'TOKEN_EXPIRED', 'these payment parameters are not alive');
  }
}

function newPayment(deps: PaymentsDeps, order: SimulatedOrder, request: PayRequest): Payment {
  const totalFen = request.totalFen ?? order.totalFen;
  const transactionId = request.transactionId ?? deps.transactions.newTransactionId();
  if (deps.transactions.findByTransaction(transactionId) !== null) {
    throw new ControlRefusal(409, 'TRANSACTION_ID_USED', 'another payment has this transaction id');
  }
  return {
    transactionId,
    merchantId: request.merchantId ?? order.merchantId,
    appId: request.appId ?? order.appId,
    totalFen,
    payerTotalFen: request.payerTotalFen ?? totalFen,
    currency: request.currency ?? 'CNY',
    openid: order.openid,
    successTimeMs: request.successTime === undefined ? deps.now() : Date.parse(request.successTime),
    refundRequested: false,
  };
}

function paymentNotification(
  deps: PaymentsDeps,
  order: SimulatedOrder,
  payment: Payment,
  target: { url?: string | undefined },
): Notification {
  const merchant = merchantOf(deps.merchants, order.merchantId);
  const content = {
    eventType: 'TRANSACTION.SUCCESS',
    originalType: 'transaction',
    summary: '支付成功',
    plaintext: JSON.stringify(transactionBody(order, payment)),
  };
  const url = target.url ?? order.notifyUrl;
  return buildNotification(merchant, { outTradeNo: order.outTradeNo, url }, content, deps.now());
}

async function announce(
  deps: PaymentsDeps,
  order: SimulatedOrder,
  payment: Payment,
  request: PayRequest,
): Promise<PayResult> {
  const result = {
    outTradeNo: order.outTradeNo,
    tradeState: order.state,
    transactionId: payment.transactionId,
  };
  const callbacks = request.callbacks ?? 1;
  if (callbacks === 0) return { ...result, notificationId: null, callback: null };
  const notification = paymentNotification(deps, order, payment, { url: request.notifyUrl });
  const first = deps.schedule.schedule(notification, callbacks - 1);
  const callback = request.wait === false ? null : await first;
  return { ...result, notificationId: notification.id, callback };
}

export interface Payments {
  /** @throws ControlRefusal when the user could not pay this (and `force` is not set). */
  pay(request: PayRequest): Promise<PayResult>;
  /** @throws ControlRefusal when the order was never paid. */
  notify(request: NotifyRequest): Promise<readonly Delivery[]>;
}

/** The payer's side of WeChat: pays orders, and reports the payments to Oncepay. */
export function createPayments(deps: PaymentsDeps): Payments {
  const orderFor = (request: PayRequest): SimulatedOrder => {
    const known = deps.transactions.findAnywhere(request.outTradeNo);
    if (known !== null) return known;
    if (request.force !== true) throw new ControlRefusal(404, 'ORDER_NOT_EXIST', 'no such order');
    return strangeOrder(deps, request);
  };
  const quiet = (order: SimulatedOrder): PayResult => ({
    outTradeNo: order.outTradeNo,
    tradeState: order.state,
    transactionId: order.payments[0]?.transactionId ?? null,
    notificationId: null,
    callback: null,
  });
  const notificationFor = (request: NotifyRequest): Notification => {
    const latest = deps.schedule.latest(request.outTradeNo);
    if (latest !== null && request.newId !== true) return latest;
    const order = deps.transactions.findAnywhere(request.outTradeNo);
    const payment = order?.payments.at(-1);
    if (!order || !payment) throw new ControlRefusal(404, 'ORDER_NOT_EXIST', 'no such payment');
    return paymentNotification(deps, order, payment, { url: latest?.url });
  };
  return {
    pay: async (request) => {
      const order = orderFor(request);
      const tradeState = request.tradeState ?? 'SUCCESS';
      const alreadyPaid = order.payments.length > 0;
      if (WITHOUT_MONEY.has(tradeState) || (tradeState === 'REFUND' && alreadyPaid)) {
        deps.transactions.add(order);
        order.state = tradeState;
        return quiet(order);
      }
      if (request.force !== true) checkPayable(order, request, deps.now());
      const payment = newPayment(deps, order, request);
      deps.transactions.add(order);
      deps.transactions.addPayment(order, payment);
      order.state = tradeState;
      return announce(deps, order, payment, request);
    },
    notify: async (request) => {
      const count = request.count ?? 1;
      const first = notificationFor(request);
      const send = (index: number): Promise<Delivery> =>
        deps.schedule.resend(index === 0 ? first : notificationFor(request), 'resent');
      if (request.concurrent === true) {
        return Promise.all(Array.from({ length: count }, (_none, index) => send(index)));
      }
      const deliveries: Delivery[] = [];
      for (let index = 0; index < count; index++) deliveries.push(await send(index));
      return deliveries;
    },
  };
}

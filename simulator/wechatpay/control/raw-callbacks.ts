// Sends single callbacks of a chosen kind, such as stale, forged or unreadable ones.
import { ControlRefusal } from '../http/reply';
import { beijingTime } from '../time/beijing-time';
import {
  buildNotification,
  type Notification,
  type NotificationContent,
  type Tamper,
} from '../callbacks/callbacks';
import { randomDigits, randomToken } from '../keys/crypto';
import type { Delivery } from '../callbacks/deliveries';
import type { Merchant } from '../keys/merchants';
import { merchantOf, type PaymentsDeps } from '../payments/payments';
import { transactionBody } from '../payments/transaction-body';
import type { Payment, SimulatedOrder } from '../payments/transactions';

export const RAW_KINDS = [
  'payment',
  'tampered',
  'bad_signature',
  'stale',
  'unknown_serial',
  'signtest',
  'undecryptable',
  'malformed',
  'unknown_shape',
  'refund',
  'profit_sharing',
] as const;

/**
 * Sends one callback, now, outside the schedule. `tampered`: a letter of the ciphertext is changed
 * after signing. `undecryptable`: validly signed, encrypted with another key. `malformed`: validly
 * signed, without an envelope. The last three kinds are valid, but report something other than a
 * payment.
 */
export interface SendRawRequest {
  readonly kind: (typeof RAW_KINDS)[number];
  readonly outTradeNo?: string | undefined;
  /** Default: the order's notify_url, else that of the latest order. */
  readonly notifyUrl?: string | undefined;
  readonly merchantId?: string | undefined;
  /** The notification's id; made up when absent. */
  readonly id?: string | undefined;
  readonly eventType?: string | undefined;
  /** For `stale`: the age in ms; negative for the future. */
  readonly staleSeconds?: number | undefined;
  /** The text to encrypt instead of the kind's own. */
  readonly resource?: string | object | undefined;
  /** The raw body to sign and send instead of an envelope. */
  readonly body?: string | undefined;
}

const TAMPER_OF: Partial<Record<SendRawRequest['kind'], Tamper['kind']>> = {
  tampered: 'ciphertext',
  bad_signature: 'signature',
  stale: 'timestamp',
  unknown_serial: 'unknown_serial',
  signtest: 'signtest',
};
const NOT_AN_ENVELOPE = '{"id":"not-an-envelope"';

interface Subject {
  readonly merchant: Merchant;
  readonly outTradeNo: string;
  readonly url: string;
  readonly order: SimulatedOrder | null;
  readonly payment: Payment | null;
}

function subjectOf(deps: PaymentsDeps, request: SendRawRequest): Subject {
  const { outTradeNo } = request;
  const order =
    outTradeNo === undefined
      ? (deps.transactions.all().at(-1) ?? null)
      : deps.transactions.findAnywhere(outTradeNo);
  const fallback = order ?? deps.transactions.all().at(-1);
  const url = request.notifyUrl ?? fallback?.notifyUrl;
  if (url === undefined) {
    throw new ControlRefusal(400, 'NOTIFY_URL_MISSING', 'no order was seen: give notify_url');
  }
  return {
    merchant: merchantOf(deps.merchants, request.merchantId ?? order?.merchantId),
    outTradeNo: outTradeNo ?? order?.outTradeNo ?? 'unknown_number',
    url,
    order,
    payment: order?.payments[0] ?? null,
  };
}

function paymentText(subject: Subject, transactionId: string, nowMs: number): object {
  const { order, payment, merchant, outTradeNo } = subject;
  if (order !== null && payment !== null) return transactionBody(order, payment);
  const totalFen = order?.totalFen ?? 1;
  return {
    appid: order?.appId ?? [...merchant.appIds][0],
    mchid: merchant.merchantId,
    out_trade_no: outTradeNo,
    transaction_id: transactionId,
    trade_type: 'JSAPI',
    trade_state: 'SUCCESS',
    trade_state_desc: '支付成功',
    bank_type: 'OTHERS',
    attach: '',
    success_time: beijingTime(nowMs),
    payer: { openid: order?.openid ?? `o${randomToken(27)}` },
    amount: { total: totalFen, payer_total: totalFen, currency: 'CNY', payer_currency: 'CNY' },
  };
}

function refundText(subject: Subject, transactionId: string, nowMs: number): object {
  const totalFen = subject.payment?.totalFen ?? subject.order?.totalFen ?? 1;
  return {
    mchid: subject.merchant.merchantId,
    out_trade_no: subject.outTradeNo,
    transaction_id: transactionId,
    out_refund_no: `sim_${randomDigits(12)}`,
    refund_id: `503${randomDigits(25)}`,
    refund_status: 'SUCCESS',
    success_time: beijingTime(nowMs),
    user_received_account: '支付用户零钱',
    amount: { total: totalFen, refund: totalFen, payer_total: totalFen, payer_refund: totalFen },
  };
}

function contentOf(
  kind: SendRawRequest['kind'],
  subject: Subject,
  transactionId: string,
  nowMs: number,
): Omit<NotificationContent, 'plaintext'> & { text: object } {
  switch (kind) {
    case 'refund': {
      const text = refundText(subject, transactionId, nowMs);
      return { eventType: 'REFUND.SUCCESS', originalType: 'refund', summary: '退款成功', text };
    }
    case 'profit_sharing':
      // WeChat sends it under the event type of a payment, as some of its pages show: the shape
      // decides.
      return {
        eventType: 'TRANSACTION.SUCCESS',
        originalType: 'profitsharing',
        summary: '分账成功',
        text: {
          mchid: subject.merchant.merchantId,
          transaction_id: transactionId,
          order_id: `300${randomDigits(25)}`,
          out_order_no: `sim_${randomDigits(12)}`,
          receiver: {
            type: 'MERCHANT_ID',
            account: '1900000001',
            amount: 1,
            description: '分给商户',
          },
          success_time: beijingTime(nowMs),
        },
      };
    case 'unknown_shape':
      return {
        eventType: 'SOMETHING.NEW',
        originalType: 'something',
        summary: '未知通知',
        text: { something: 'that nobody here knows' },
      };
    case 'payment':
    case 'tampered':
    case 'bad_signature':
    case 'stale':
    case 'unknown_serial':
    case 'signtest':
    case 'undecryptable':
    case 'malformed': {
      const text = paymentText(subject, transactionId, nowMs);
      const eventType = 'TRANSACTION.SUCCESS';
      return { eventType, originalType: 'transaction', summary: '支付成功', text };
    }
  }
}

function rawNotification(
  deps: PaymentsDeps,
  request: SendRawRequest,
  subject: Subject,
): Notification {
  const { merchant, outTradeNo, url, payment } = subject;
  const nowMs = deps.now();
  const transactionId = payment?.transactionId ?? deps.transactions.newTransactionId();
  const { text, ...content } = contentOf(request.kind, subject, transactionId, nowMs);
  const resource = request.resource ?? text;
  const apiV3Key = request.kind === 'undecryptable' ? randomToken(32) : merchant.apiV3Key;
  const notification = buildNotification(
    merchant,
    { outTradeNo, url, id: request.id, apiV3Key },
    {
      ...content,
      eventType: request.eventType ?? content.eventType,
      plaintext: typeof resource === 'string' ? resource : JSON.stringify(resource),
    },
    nowMs,
  );
  const body = request.body ?? (request.kind === 'malformed' ? NOT_AN_ENVELOPE : undefined);
  return body === undefined ? notification : { ...notification, body };
}

/**
 * Sends one such callback and returns Oncepay's reply.
 *
 * @throws ControlRefusal when no address is known.
 */
export async function sendRaw(deps: PaymentsDeps, request: SendRawRequest): Promise<Delivery> {
  const notification = rawNotification(deps, request, subjectOf(deps, request));
  const kind = TAMPER_OF[request.kind];
  if (kind === undefined) return deps.schedule.resend(notification, 'raw');
  return deps.schedule.resend(notification, 'raw', { kind, staleSeconds: request.staleSeconds });
}

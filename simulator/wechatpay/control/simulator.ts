import type { TradeState } from '../../../domain/payments/notices';
import type { CallbackBehaviour } from '../callbacks/callback-schedule';
import type { Delivery } from '../callbacks/deliveries';
import type { Fault } from '../http/faults';
import type { NotifyRequest, Payments } from '../payments/payments';
import type { SendRawRequest } from './raw-callbacks';
import type { Numbered, Operation, RequestRecord } from '../http/records';
import type { RefundRules } from '../refunds/refund-limits';
import type {
  RefundOutcome,
  SettledRefund,
  SettleRefundRequest,
} from '../refunds/refund-settlement';
import type { RefundStatus, SimulatedRefund } from '../refunds/refund-store';
import type { ReturnOutcome, SettleReturnRequest } from '../sharing/return-settlement';
import type { PaymentBalance } from '../payments/balance';
import type {
  SettledPart,
  SettleSharingRequest,
  SharingOutcome,
} from '../sharing/sharing-settlement';
import type { ReturnView, SharingView } from '../sharing/sharing-views';
import type { SharingRules } from '../sharing/sharings';
import { tradeStateOf } from '../payments/transaction-body';
import type { Payment, SimulatedOrder } from '../payments/transactions';

/** An order as the simulator's WeChat knows it. */
export interface OrderView {
  readonly outTradeNo: string;
  readonly merchantId: string;
  readonly appId: string;
  readonly api: string | null;
  readonly description: string;
  readonly totalFen: number;
  readonly tradeState: TradeState;
  readonly notifyUrl: string;
  readonly profitSharing: boolean;
  readonly timeExpire: string | null;
  readonly createdAt: string;
  readonly payments: readonly Payment[];
  /** The latest `prepay_id`, `h5_url` or `code_url`. */
  readonly tokens: readonly string[];
  /** How many closes were answered 204. */
  readonly closes: number;
}

/** A refund as the simulator's WeChat knows it. */
export interface RefundView {
  readonly outRefundNo: string;
  readonly refundId: string;
  readonly outTradeNo: string;
  readonly transactionId: string;
  readonly merchantId: string;
  readonly status: RefundStatus;
  readonly refundFen: number;
  /** Of the payment. */
  readonly totalFen: number;
  readonly currency: string;
  readonly reason: string | null;
  readonly notifyUrl: string | null;
  readonly createdAt: string;
  readonly successTime: string | null;
  /** Where an abnormal one was sent, as WeChat reads it; null for the way it came. */
  readonly sentTo: SimulatedRefund['sentTo'];
}

export interface RequestCounts {
  readonly counts: Record<Operation, number>;
  /** By `<operation> <status>`; `cut` for those left without an answer. */
  readonly statuses: Record<string, number>;
}

/** A running WeChat Pay v3. Its methods are what `/_control/…` offers over HTTP. */
export interface Simulator {
  /** `http://127.0.0.1:<port>`: Oncepay's `WECHATPAY_BASE_URL`. */
  readonly url: string;
  readonly port: number;
  /** A user pays. @throws ControlRefusal when that can't be done without `force`. */
  readonly pay: Payments['pay'];
  /** Sends an order's latest callback again. */
  readonly notify: (request: NotifyRequest) => Promise<readonly Delivery[]>;
  /** Sends one callback of a chosen kind now, off the schedule. */
  readonly sendRaw: (request: SendRawRequest) => Promise<Delivery>;
  /** How the callbacks that follow behave; null: normally. */
  readonly setCallbackBehaviour: (behaviour: CallbackBehaviour | null) => void;
  /** How the refunds that follow end. Default: SUCCESS after 300 ms, told by one callback. */
  readonly setRefundOutcome: (outcome: RefundOutcome) => void;
  /** Ends a refund now. @throws ControlRefusal when there is none, or it ended otherwise. */
  readonly settleRefund: (request: SettleRefundRequest) => Promise<SettledRefund>;
  /** Changes those of WeChat's limits on refunds that are named. */
  readonly setRefundRules: (rules: RefundRules) => void;
  readonly refund: (outRefundNo: string) => RefundView | null;
  /** The refunds of one order, or all, the oldest first. */
  readonly refundsOf: (outTradeNo?: string) => RefundView[];
  /** How the parts of sharings that follow end. Default: SUCCESS after 300 ms, one callback each. */
  readonly setSharingOutcome: (outcome: SharingOutcome) => void;
  /** Ends a receiver's part now. @throws ControlRefusal when there is none, or it ended otherwise. */
  readonly settleSharing: (request: SettleSharingRequest) => Promise<SettledPart>;
  /** How the returns that follow end. Default: SUCCESS in the answer. */
  readonly setReturnOutcome: (outcome: ReturnOutcome) => void;
  /** Ends a return now. @throws ControlRefusal when there is none, or it ended otherwise. */
  readonly settleReturn: (request: SettleReturnRequest) => void;
  /** Changes those of WeChat's limits that are named. */
  readonly setSharingRules: (rules: SharingRules) => void;
  /** The sharings and unfreezings of one order, or all, the oldest first. */
  readonly sharingsOf: (outTradeNo?: string) => SharingView[];
  /** The returns to one order, or all, the oldest first. */
  readonly returnsOf: (outTradeNo?: string) => ReturnView[];
  /** Where the money of an order's first payment is; null when it was never paid. */
  readonly balanceOf: (outTradeNo: string) => PaymentBalance | null;
  readonly setFault: (fault: Fault) => void;
  readonly clearFaults: () => void;
  /** Divides the gaps of the retry schedule, also of those already waiting. */
  readonly setClockSpeed: (speed: number) => void;
  /**
   * Lets WeChat's time of business jump ahead until the reset: ages, limits and expiries, and the
   * times WeChat writes. Signatures keep to the real time, and so do callback retries and what ends
   * after a while. A prepay whose `time_expire` is real is refused after the jump: pay before.
   */
  readonly advanceClock: (ms: number) => void;
  /** Closes within so many ms of the order's creation get INVALID_REQUEST; 0: none. */
  readonly setRefuseCloseWithin: (ms: number) => void;
  /** The platform's public key of a merchant (default the first); null in certificate mode. */
  readonly publicKeyOf: (merchantId?: string) => { id: string; pem: string } | null;
  /** A new public key with a new id signs from now on. */
  readonly rotateKey: (merchantId?: string) => Promise<{ id: string; pem: string }>;
  /** A new certificate signs from now on; the old ones stay in `GET /v3/certificates`. */
  readonly rotateCertificate: (merchantId?: string) => Promise<{ serial: string; pem: string }>;
  readonly orders: () => OrderView[];
  readonly order: (outTradeNo: string) => OrderView | null;
  readonly requests: () => RequestCounts;
  /** What was asked about an order, its refunds and sharings, or about one of those. */
  readonly requestsOf: (number: string) => readonly RequestRecord[];
  /** How many different contents came with each number: more than 1, and a retry was changed. */
  readonly contentsOf: (numbered: Numbered) => Record<string, number>;
  readonly deliveries: (outTradeNo?: string) => readonly Delivery[];
  /** How many callbacks wait for another try. */
  readonly pendingCallbacks: () => number;
  /**
   * Forgets orders, refunds, sharings, receivers, faults, records, behaviour and what waits, and
   * sets the clock right; keys and merchants, speeds and limits stay.
   */
  readonly reset: () => void;
  /** Leaves no timer and no socket. */
  readonly close: () => Promise<void>;
}

/** What of an order others may see. */
export function viewOf(order: SimulatedOrder): OrderView {
  return {
    outTradeNo: order.outTradeNo,
    merchantId: order.merchantId,
    appId: order.appId,
    api: order.api,
    description: order.description,
    totalFen: order.totalFen,
    tradeState: tradeStateOf(order, order.payments[0] ?? null),
    notifyUrl: order.notifyUrl,
    profitSharing: order.profitSharing,
    timeExpire: order.timeExpireMs === null ? null : new Date(order.timeExpireMs).toISOString(),
    createdAt: new Date(order.createdAtMs).toISOString(),
    payments: [...order.payments],
    tokens: order.tokens.map(({ token }) => token),
    closes: order.closes,
  };
}

/** What of a refund others may see. */
export function viewOfRefund(refund: SimulatedRefund): RefundView {
  const { order, payment, successTimeMs } = refund;
  return {
    outRefundNo: refund.outRefundNo,
    refundId: refund.refundId,
    outTradeNo: order.outTradeNo,
    transactionId: payment.transactionId,
    merchantId: order.merchantId,
    status: refund.status,
    refundFen: refund.refundFen,
    totalFen: payment.totalFen,
    currency: payment.currency,
    reason: refund.body.reason ?? null,
    notifyUrl: refund.body.notify_url ?? null,
    createdAt: new Date(refund.createdAtMs).toISOString(),
    successTime: successTimeMs === null ? null : new Date(successTimeMs).toISOString(),
    sentTo: refund.sentTo,
  };
}

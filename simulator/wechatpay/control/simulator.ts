// The simulator's public methods: what a payer, a bank or a test can do at WeChat.
import type { TradeState } from '../../../domain/payments/notices';
import type { CallbackBehaviour } from '../callbacks/disturb-callbacks';
import type { Delivery } from '../callbacks/deliveries';
import type { Fault } from '../http/faults';
import type { NotifyRequest, Payments } from '../payments/payments';
import type { SendRawRequest } from './raw-callbacks';
import type { Numbered, Operation, RequestRecord } from '../http/records';
import type { BillFault } from '../bills/bill-faults';
import type { BillRules } from '../bills/bills';
import type { RefundRules } from '../refunds/refund-limits';
import type {
  RefundOutcome,
  SettledRefund,
  SettleRefundRequest,
} from '../refunds/refund-settlement';
import type { ElsewhereRefund } from '../refunds/refunds-elsewhere';
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
  /** How many closes got a 204. */
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
  /** The amount of the payment. */
  readonly totalFen: number;
  readonly currency: string;
  readonly reason: string | null;
  readonly notifyUrl: string | null;
  readonly createdAt: string;
  readonly successTime: string | null;
  /**
   * The account to which an abnormal refund was redirected, as WeChat reads it; null for the
   * payer's own.
   */
  readonly sentTo: SimulatedRefund['sentTo'];
}

export interface RequestCounts {
  readonly counts: Record<Operation, number>;
  /** By `<operation> <status>`; `cut` for requests that got no response. */
  readonly statuses: Record<string, number>;
}

/** A running WeChat Pay v3. `/_control/…` offers its methods over HTTP. */
export interface Simulator {
  /** `http://127.0.0.1:<port>`: Oncepay's `WECHATPAY_BASE_URL`. */
  readonly url: string;
  readonly port: number;
  /**
   * A payer pays.
   *
   * @throws ControlRefusal when that can't be done without `force`.
   */
  readonly pay: Payments['pay'];
  /** Sends an order's latest callback again. */
  readonly notify: (request: NotifyRequest) => Promise<readonly Delivery[]>;
  /** Sends one callback of a chosen kind now, off the schedule. */
  readonly sendRaw: (request: SendRawRequest) => Promise<Delivery>;
  /** Sets the behaviour of the callbacks that follow; null: normal. */
  readonly setCallbackBehaviour: (behaviour: CallbackBehaviour | null) => void;
  /**
   * Sets how the refunds that follow end. Default: SUCCESS after 300 ms, reported by one callback.
   */
  readonly setRefundOutcome: (outcome: RefundOutcome) => void;
  /**
   * Ends a refund now.
   *
   * @throws ControlRefusal when there is none, or it ended otherwise.
   */
  readonly settleRefund: (request: SettleRefundRequest) => Promise<SettledRefund>;
  /** Changes the given limits of WeChat on refunds. */
  readonly setRefundRules: (rules: RefundRules) => void;
  readonly refund: (outRefundNo: string) => RefundView | null;
  /** The refunds of one order, or all, the oldest first. */
  readonly refundsOf: (outTradeNo?: string) => RefundView[];
  /**
   * Sets how the parts of sharings that follow end. Default: SUCCESS after 300 ms, one callback
   * each.
   */
  readonly setSharingOutcome: (outcome: SharingOutcome) => void;
  /**
   * Ends a receiver's part now.
   *
   * @throws ControlRefusal when there is none, or it ended otherwise.
   */
  readonly settleSharing: (request: SettleSharingRequest) => Promise<SettledPart>;
  /** Sets how the share returns that follow end. Default: SUCCESS in the response. */
  readonly setReturnOutcome: (outcome: ReturnOutcome) => void;
  /**
   * Ends a share return now.
   *
   * @throws ControlRefusal when there is none, or it ended otherwise.
   */
  readonly settleReturn: (request: SettleReturnRequest) => void;
  /**
   * Makes a refund that the merchant began elsewhere: WeChat sends no callback. A payment made
   * elsewhere is `pay` with `force`, no callbacks and a `successTime`.
   *
   * @throws ControlRefusal when there is no such payment, or less is left of it.
   */
  readonly refundElsewhere: (request: ElsewhereRefund) => RefundView;
  /**
   * Changes the given rules of bills. `withToday` puts the trades of today into the bill of
   * yesterday, because nobody gets a bill of today.
   */
  readonly setBillRules: (rules: BillRules) => void;
  /** Plays a fault on the requests, files or downloads of bills that follow. */
  readonly addBillFault: (fault: BillFault) => void;
  readonly clearBillFaults: () => void;
  /** Changes the given limits of WeChat on profit sharing. */
  readonly setSharingRules: (rules: SharingRules) => void;
  /** The sharings and unfreezings of one order, or all, the oldest first. */
  readonly sharingsOf: (outTradeNo?: string) => SharingView[];
  /** The share returns to one order, or all, the oldest first. */
  readonly returnsOf: (outTradeNo?: string) => ReturnView[];
  /** The places of the money of an order's first payment; null when it was never paid. */
  readonly balanceOf: (outTradeNo: string) => PaymentBalance | null;
  readonly setFault: (fault: Fault) => void;
  readonly clearFaults: () => void;
  /** Divides the gaps of the retry schedule, also of those already waiting. */
  readonly setClockSpeed: (speed: number) => void;
  /**
   * Moves WeChat's business clock forward until the reset: ages, limits and expiries, and the
   * times that WeChat writes. Signatures keep to the real time, and so do callback repeats and
   * refunds that end after a while. After the jump WeChat refuses a prepay whose `time_expire` is
   * real: pay before.
   */
  readonly advanceClock: (ms: number) => void;
  /** Closes within this time from the order's creation get INVALID_REQUEST; 0: none. */
  readonly setRefuseCloseWithin: (ms: number) => void;
  /** The platform's public key of a merchant (default the first); null in certificate mode. */
  readonly publicKeyOf: (merchantId?: string) => { id: string; pem: string } | null;
  /** Makes a new public key with a new id; it signs from now on. */
  readonly rotateKey: (merchantId?: string) => Promise<{ id: string; pem: string }>;
  /**
   * Makes a new certificate; it signs from now on, and the old ones stay in `GET
   * /v3/certificates`.
   */
  readonly rotateCertificate: (merchantId?: string) => Promise<{ serial: string; pem: string }>;
  readonly orders: () => OrderView[];
  readonly order: (outTradeNo: string) => OrderView | null;
  readonly requests: () => RequestCounts;
  /** The requests about an order with its refunds and sharings, or about one of those. */
  readonly requestsOf: (number: string) => readonly RequestRecord[];
  /**
   * How many different contents came with each number: more than 1 means that a retry was changed.
   */
  readonly contentsOf: (numbered: Numbered) => Record<string, number>;
  readonly deliveries: (outTradeNo?: string) => readonly Delivery[];
  /** How many callbacks wait for another try. */
  readonly pendingCallbacks: () => number;
  /**
   * Forgets orders, refunds, sharings, receivers, bills, faults, records, behaviour and everything
   * that waits, and sets the clock right. Keys, merchants, speeds and limits stay; the rules of
   * bills are as at the start.
   */
  readonly reset: () => void;
  /** Stops every timer and closes every socket. */
  readonly close: () => Promise<void>;
}

/** The part of an order that callers may see. */
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

/** The part of a refund that callers may see. */
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

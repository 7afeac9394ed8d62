// The banks' side of WeChat: ends refunds, and sends their callbacks.
import { ControlRefusal } from '../http/reply';
import { buildNotification, type Notification } from '../callbacks/callbacks';
import type { Delivery } from '../callbacks/deliveries';
import { createOutcomeRules } from '../time/outcome-rules';
import { merchantOf, type PaymentsDeps } from '../payments/payments';
import { refundNoticeBody } from './refund-body';
import type { RefundEnd, RefundStatus, RefundStore, SimulatedRefund } from './refund-store';
import type { Timers } from '../time/timers';

/** WeChat needs days; a shop's developer does not want to wait. */
const SETTLES_AFTER_MS = 300;

/** Says how refunds that follow end. The newest rule that applies to a refund counts. */
export interface RefundOutcome {
  /** PROCESSING: the refund stays so until it is settled by hand. */
  readonly status: RefundStatus;
  readonly afterMs?: number | undefined;
  /** True: the response to the request has this status already, instead of PROCESSING. */
  readonly inAnswer?: boolean | undefined;
  /** Only this refund. */
  readonly outRefundNo?: string | undefined;
  /** Only refunds of this order. */
  readonly outTradeNo?: string | undefined;
  /** How many callbacks are sent at once, under one id. 0: none, the refund must be queried. */
  readonly callbacks?: number | undefined;
  /** How many refunds the rule applies to. Default: all. */
  readonly times?: number | undefined;
}

export interface SettleRefundRequest {
  readonly outRefundNo: string;
  /** The status that the refund has already: it is reported once more, under another id. */
  readonly status: RefundEnd;
  readonly callbacks?: number | undefined;
  /** False: does not wait for the reply to the first callback. */
  readonly wait?: boolean | undefined;
}

export interface SettledRefund {
  readonly outRefundNo: string;
  readonly status: RefundEnd;
  readonly notificationId: string | null;
  /** The first try of the callback; null when there is none, or the call did not wait for it. */
  readonly callback: Delivery | null;
}

export interface RefundSettlement {
  /** Plans the end of a refund that has just become PROCESSING. */
  begin: (refund: SimulatedRefund) => void;
  setOutcome: (outcome: RefundOutcome) => void;
  /** @throws ControlRefusal when there is no such refund, or it ended otherwise. */
  settle: (request: SettleRefundRequest) => Promise<SettledRefund>;
  /** Cancels everything that waits. */
  clear: () => void;
}

const SUMMARIES: Readonly<Record<RefundEnd, string>> = {
  SUCCESS: '退款成功',
  CLOSED: '退款关闭',
  ABNORMAL: '退款异常',
};

/** The statuses that a person or the bank can still change. */
const MAY_BECOME: Readonly<Record<RefundStatus, readonly RefundEnd[]>> = {
  PROCESSING: ['SUCCESS', 'CLOSED', 'ABNORMAL'],
  ABNORMAL: ['ABNORMAL', 'SUCCESS', 'CLOSED'],
  SUCCESS: ['SUCCESS'],
  CLOSED: ['CLOSED'],
};

/** Null when the refund request named no address. */
function notificationOf(
  deps: Pick<PaymentsDeps, 'merchants' | 'now'>,
  refund: SimulatedRefund,
  status: RefundEnd,
): Notification | null {
  const { order, outRefundNo } = refund;
  const url = refund.body.notify_url;
  if (url === undefined) return null;
  return buildNotification(
    merchantOf(deps.merchants, order.merchantId),
    { outTradeNo: order.outTradeNo, outRefundNo, url },
    {
      eventType: `REFUND.${status}`,
      originalType: 'refund',
      summary: SUMMARIES[status],
      plaintext: JSON.stringify(refundNoticeBody(refund)),
    },
    deps.now(),
  );
}

/**
 * The banks' side of WeChat: ends refunds after a while or on request, and reports them to
 * Oncepay.
 */
export function createRefundSettlement(
  deps: Pick<PaymentsDeps, 'merchants' | 'schedule' | 'now'> & {
    readonly store: RefundStore;
    readonly timers: Timers;
  },
): RefundSettlement {
  const outcomes = createOutcomeRules<RefundOutcome, 'outRefundNo' | 'outTradeNo'>(
    ['outRefundNo', 'outTradeNo'],
    { status: 'SUCCESS' },
  );
  const waiting = new Map<SimulatedRefund, () => void>();

  const end = (
    refund: SimulatedRefund,
    status: RefundEnd,
    callbacks = 1,
  ): { notification: Notification | null; first: Promise<Delivery> | null } => {
    waiting.get(refund)?.();
    waiting.delete(refund);
    refund.status = status;
    if (status === 'SUCCESS') refund.successTimeMs ??= deps.now();
    const notification = callbacks === 0 ? null : notificationOf(deps, refund, status);
    if (notification === null) return { notification, first: null };
    return { notification, first: deps.schedule.schedule(notification, callbacks - 1) };
  };
  return {
    begin: (refund) => {
      const { outRefundNo, order } = refund;
      const rule = outcomes.take({ outRefundNo, outTradeNo: order.outTradeNo });
      const { status, afterMs = SETTLES_AFTER_MS, inAnswer, callbacks } = rule;
      if (status === 'PROCESSING') return;
      const finish = (): void => {
        end(refund, status, callbacks);
      };
      if (inAnswer === true) finish();
      else waiting.set(refund, deps.timers.after(afterMs, finish));
    },
    setOutcome: outcomes.set,
    settle: async ({ outRefundNo, status, callbacks, wait }) => {
      const refund = deps.store.findAnywhere(outRefundNo);
      if (refund === null) throw new ControlRefusal(404, 'RESOURCE_NOT_EXISTS', 'no such refund');
      if (!MAY_BECOME[refund.status].includes(status)) {
        throw new ControlRefusal(409, 'REFUND_ENDED', `the refund is ${refund.status}`);
      }
      const { notification, first } = end(refund, status, callbacks);
      const callback = wait === false ? null : await first;
      return { outRefundNo, status, notificationId: notification?.id ?? null, callback };
    },
    clear: () => {
      for (const cancel of waiting.values()) cancel();
      waiting.clear();
      outcomes.clear();
    },
  };
}

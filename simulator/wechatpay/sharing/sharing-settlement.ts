// Ends the parts of sharings, and sends their callbacks.
import { ControlRefusal } from '../http/reply';
import { buildNotification, type Notification } from '../callbacks/callbacks';
import type { Delivery } from '../callbacks/deliveries';
import { createOutcomeRules } from '../time/outcome-rules';
import { merchantOf, type PaymentsDeps } from '../payments/payments';
import { sharingNoticeBody } from './sharing-body';
import type {
  ReceiverEnd,
  ReceiverResult,
  SharedPart,
  SharingStore,
  SimulatedSharing,
} from './sharing-store';
import type { Timers } from '../time/timers';

/** WeChat needs seconds to days; a shop's developer does not want to wait. */
const SETTLES_AFTER_MS = 300;
const DEFAULT_FAIL_REASON = 'ACCOUNT_ABNORMAL';

/** WeChat's pages disagree about the event type of this callback. */
export const SHARING_EVENT_TYPES = ['TRANSACTION.SUCCESS', 'PROFITSHARING.SUCCESS'] as const;

/** Says how the parts of sharings that follow end. The newest rule that applies counts. */
export interface SharingOutcome {
  /** PENDING: the part stays so until it is settled by hand. */
  readonly result: ReceiverResult;
  /** For CLOSED. Default ACCOUNT_ABNORMAL. */
  readonly failReason?: string | undefined;
  readonly afterMs?: number | undefined;
  /** Only parts of this receiver. */
  readonly account?: string | undefined;
  /** Only this sharing. */
  readonly outOrderNo?: string | undefined;
  /** Only sharings of this order. */
  readonly outTradeNo?: string | undefined;
  /** How many callbacks are sent at once, under one id. 0: none, the sharing must be queried. */
  readonly callbacks?: number | undefined;
  /** Default TRANSACTION.SUCCESS. */
  readonly eventType?: (typeof SHARING_EVENT_TYPES)[number] | undefined;
  /** How many parts the rule applies to. Default: all. */
  readonly times?: number | undefined;
}

export interface SettleSharingRequest {
  readonly outOrderNo: string;
  readonly account: string;
  /** The result that the part has already: it is reported once more, under another id. */
  readonly result: ReceiverEnd;
  readonly failReason?: string | undefined;
  readonly callbacks?: number | undefined;
  readonly eventType?: SharingOutcome['eventType'];
  /** False: does not wait for the reply to the first callback. */
  readonly wait?: boolean | undefined;
}

export interface SettledPart {
  readonly outOrderNo: string;
  readonly account: string;
  readonly result: ReceiverEnd;
  readonly notificationId: string | null;
  /** The first try of the callback; null when there is none, or the call did not wait for it. */
  readonly callback: Delivery | null;
}

export interface SharingSettlement {
  /** Plans the end of the parts that have just become PENDING. */
  begin: (sharing: SimulatedSharing) => void;
  setOutcome: (outcome: SharingOutcome) => void;
  /** @throws ControlRefusal when there is no such part, or it ended otherwise. */
  settle: (request: SettleSharingRequest) => Promise<SettledPart>;
  /** Cancels everything that waits. */
  clear: () => void;
}

type End = Pick<SettleSharingRequest, 'failReason' | 'callbacks' | 'eventType'> & {
  readonly result: ReceiverEnd;
};

function notificationOf(
  deps: Pick<PaymentsDeps, 'merchants' | 'now'>,
  sharing: SimulatedSharing,
  part: SharedPart,
  eventType: SharingOutcome['eventType'] = 'TRANSACTION.SUCCESS',
): Notification {
  const { order, outOrderNo } = sharing;
  return buildNotification(
    merchantOf(deps.merchants, order.merchantId),
    { outTradeNo: order.outTradeNo, outOrderNo, url: order.notifyUrl },
    {
      eventType,
      originalType: 'profitsharing',
      summary: '分账',
      plaintext: JSON.stringify(sharingNoticeBody(sharing, part)),
    },
    deps.now(),
  );
}

/**
 * Ends the parts of sharings after a while or on request, and reports the successful ones to
 * Oncepay.
 */
export function createSharingSettlement(
  deps: Pick<PaymentsDeps, 'merchants' | 'schedule' | 'now'> & {
    readonly store: SharingStore;
    readonly timers: Timers;
  },
): SharingSettlement {
  const outcomes = createOutcomeRules<SharingOutcome, 'account' | 'outOrderNo' | 'outTradeNo'>(
    ['account', 'outOrderNo', 'outTradeNo'],
    { result: 'SUCCESS' },
  );
  const waiting = new Map<SharedPart, () => void>();

  const finish = (
    sharing: SimulatedSharing,
    part: SharedPart,
    { result, failReason, callbacks = 1, eventType }: End,
  ): { notification: Notification | null; first: Promise<Delivery> | null } => {
    waiting.get(part)?.();
    waiting.delete(part);
    part.result = result;
    part.failReason = result === 'CLOSED' ? (failReason ?? DEFAULT_FAIL_REASON) : null;
    part.finishedAtMs ??= deps.now();
    if (result === 'CLOSED' || callbacks === 0) return { notification: null, first: null };
    const notification = notificationOf(deps, sharing, part, eventType);
    return { notification, first: deps.schedule.schedule(notification, callbacks - 1) };
  };
  return {
    begin: (sharing) => {
      const { outOrderNo, order } = sharing;
      for (const part of sharing.parts) {
        const { account } = part;
        const rule = outcomes.take({ account, outOrderNo, outTradeNo: order.outTradeNo });
        const { result, afterMs = SETTLES_AFTER_MS } = rule;
        if (result === 'PENDING') continue;
        const end = (): void => {
          finish(sharing, part, { ...rule, result });
        };
        waiting.set(part, deps.timers.after(afterMs, end));
      }
    },
    setOutcome: outcomes.set,
    settle: async ({ outOrderNo, account, wait, ...end }) => {
      const sharing = deps.store.sharings.findAnywhere(outOrderNo);
      const part = sharing?.parts.find((one) => one.account === account);
      if (!sharing || !part) throw new ControlRefusal(404, 'RESOURCE_NOT_EXISTS', 'no such part');
      if (part.result !== 'PENDING' && part.result !== end.result) {
        throw new ControlRefusal(409, 'SHARING_ENDED', `the part is ${part.result}`);
      }
      const { notification, first } = finish(sharing, part, end);
      const callback = wait === false ? null : await first;
      const { result } = end;
      return { outOrderNo, account, result, notificationId: notification?.id ?? null, callback };
    },
    clear: () => {
      for (const cancel of waiting.values()) cancel();
      waiting.clear();
      outcomes.clear();
    },
  };
}

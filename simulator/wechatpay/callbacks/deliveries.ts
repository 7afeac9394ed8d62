// Keeps a bounded log of every try to deliver a callback.
import type { CallbackSender, Notification, Tamper, TryResult } from './callbacks';
import { createKeyedLog } from '../http/records';

const DELIVERY_LIMIT = 200_000;

/** One try to deliver a callback. */
export interface Delivery {
  /** The time at which it ended. */
  readonly at: string;
  readonly outTradeNo: string;
  /** The refund of a refund's callback. */
  readonly outRefundNo: string | null;
  /** The sharing of a sharing's callback. */
  readonly outOrderNo: string | null;
  readonly notificationId: string;
  /** 1 for the first try. */
  readonly attempt: number;
  readonly kind: 'scheduled' | 'duplicate' | 'resent' | 'raw';
  /**
   * `accepted`: 200 or 204. `failed`: any other response, or none. `dropped` and `held`: not sent
   * (yet).
   */
  readonly outcome: 'accepted' | 'refused' | 'failed' | 'dropped' | 'held';
  readonly status: number | null;
  readonly error: string | null;
  readonly durationMs: number;
}

export interface Try {
  readonly notification: Notification;
  readonly attempt: number;
  readonly tamper: Tamper | null;
  readonly kind: Delivery['kind'];
}

export interface Deliveries {
  /** Posts once and records how it ended. */
  send: (trial: Try) => Promise<Delivery>;
  /** Records a try that was not sent. */
  skip: (trial: Try, outcome: 'dropped' | 'held') => Delivery;
  /** The tries for one order, or for all. */
  list: (outTradeNo?: string) => readonly Delivery[];
  clear: () => void;
}

const NOT_SENT: TryResult = { status: null, error: null, durationMs: 0 };

/** Sends callbacks and keeps a bounded log of every try. */
export function createDeliveries(sender: CallbackSender, now: () => number): Deliveries {
  const log = createKeyedLog<Delivery>(DELIVERY_LIMIT);
  const note = (trial: Try, outcome: Delivery['outcome'], result: TryResult): Delivery => {
    const { outTradeNo, outRefundNo, outOrderNo, id: notificationId } = trial.notification;
    const { attempt, kind } = trial;
    const at = new Date(now()).toISOString();
    const about = { outTradeNo, outRefundNo, outOrderNo, notificationId };
    const delivery = { at, ...about, attempt, kind, outcome, ...result };
    log.add(outTradeNo, delivery);
    return delivery;
  };
  return {
    send: async (trial) => {
      const result = await sender.transmit(trial.notification, trial.tamper);
      const accepted = result.status === 200 || result.status === 204;
      const missed = result.status === null ? 'failed' : 'refused';
      return note(trial, accepted ? 'accepted' : missed, result);
    },
    skip: (trial, outcome) => note(trial, outcome, NOT_SENT),
    list: (outTradeNo) => (outTradeNo === undefined ? log.all() : log.of(outTradeNo)),
    clear: () => log.clear(),
  };
}

// Sends each notification, and applies the behaviour that a test or the demo asked for.
import type { CallbackRetries, Running } from './repeat-callbacks';
import type { Notification, Tamper } from './callbacks';
import type { Deliveries, Delivery } from './deliveries';
import type { Timers } from '../time/timers';

const REMEMBERED_NOTIFICATIONS = 100_000;

/** The behaviour of the notifications that follow, until it is changed. */
export interface CallbackBehaviour {
  /** True: no try is ever delivered; a number: that many tries of each are lost on the way. */
  readonly drop?: boolean | number | undefined;
  /** Waits before the first try. */
  readonly delayMs?: number | undefined;
  /** Holds notifications until so many wait, then sends them in reverse order. */
  readonly reorder?: number | undefined;
  /** This many more copies of the first try, at the same moment. */
  readonly duplicate?: number | undefined;
  /** Applied to every try. */
  readonly tamper?: Tamper | undefined;
  /** How many notifications the behaviour applies to. Default: all. */
  readonly times?: number | undefined;
}

export interface CallbackSchedule {
  /**
   * Sends a notification and repeats it on WeChat's schedule. Resolves when the first try has
   * ended.
   */
  schedule: (notification: Notification, copies: number) => Promise<Delivery>;
  /** Sends a notification once more, outside the schedule. */
  resend: (
    notification: Notification,
    kind: 'resent' | 'raw',
    tamper?: Tamper,
  ) => Promise<Delivery>;
  /** The latest notification of an order's payment. */
  latest: (outTradeNo: string) => Notification | null;
  /** Null: back to normal. Notifications held for reordering go out. */
  setBehaviour: (behaviour: CallbackBehaviour | null) => void;
  clear: () => void;
}

/** Returns the behaviour for the next notification, and counts it down. */
function createBehaviours(): {
  set: (rule: CallbackBehaviour | null) => void;
  take: () => CallbackBehaviour;
  isOver: () => boolean;
} {
  let current: { rule: CallbackBehaviour; left: number } | null = null;
  return {
    set: (rule) => {
      current = rule === null ? null : { rule, left: rule.times ?? Infinity };
    },
    take: () => {
      if (current === null) return {};
      const { rule } = current;
      current.left--;
      if (current.left <= 0) current = null;
      return rule;
    },
    isOver: () => current === null,
  };
}

/** Keeps the latest payment notification of each order, and forgets the oldest beyond the bound. */
function createMemory(): {
  keep: (notification: Notification) => void;
  of: (outTradeNo: string) => Notification | null;
  clear: () => void;
} {
  const latest = new Map<string, Notification>();
  return {
    keep: (notification) => {
      if (notification.outRefundNo !== null || notification.outOrderNo !== null) return;
      latest.set(notification.outTradeNo, notification);
      if (latest.size <= REMEMBERED_NOTIFICATIONS) return;
      const oldest = latest.keys().next().value;
      if (oldest !== undefined) latest.delete(oldest);
    },
    of: (outTradeNo) => latest.get(outTradeNo) ?? null,
    clear: () => latest.clear(),
  };
}

/** Sends callbacks on WeChat's schedule, with duplicates, losses, delays and disorder on demand. */
export function createCallbackSchedule(
  deliveries: Deliveries,
  retries: CallbackRetries,
  timers: Timers,
): CallbackSchedule {
  const behaviours = createBehaviours();
  const memory = createMemory();
  let held: (() => void)[] = [];
  const releaseHeld = (): void => {
    const releasing = held.reverse();
    held = [];
    for (const release of releasing) release();
  };
  const first = async (running: Running, copies: number): Promise<Delivery> => {
    const { notification, tamper } = running;
    const duplicate = { notification, tamper, attempt: 1, kind: 'duplicate' } as const;
    const duplicates = Array.from({ length: copies }, () => deliveries.send(duplicate));
    const [delivery] = await Promise.all([retries.attempt(running), ...duplicates]);
    return delivery;
  };
  return {
    schedule: async (notification, copies) => {
      memory.keep(notification);
      const rule = behaviours.take();
      const tamper = rule.tamper ?? null;
      const running = { notification, drop: rule.drop ?? false, tamper, attempt: 0 };
      const allCopies = rule.drop === true ? 0 : copies + (rule.duplicate ?? 0);
      if (rule.delayMs !== undefined) await timers.wait(rule.delayMs);
      if (rule.reorder === undefined) return first(running, allCopies);
      const trial = { notification, tamper, attempt: 0, kind: 'scheduled' } as const;
      const delivery = deliveries.skip(trial, 'held');
      held.push(() => void first(running, allCopies));
      if (held.length >= rule.reorder || behaviours.isOver()) releaseHeld();
      return delivery;
    },
    resend: (notification, kind, tamper) =>
      deliveries.send({ notification, tamper: tamper ?? null, attempt: 1, kind }),
    latest: (outTradeNo) => memory.of(outTradeNo),
    setBehaviour: (rule) => {
      behaviours.set(rule);
      releaseHeld();
    },
    clear: () => {
      held = [];
      behaviours.set(null);
      memory.clear();
    },
  };
}

import type { Logger } from '../../config/logger';
import type { Metrics } from '../metrics';
import type { OrderRuns } from '../temporal/order-runs';

/** Ids that wait in memory; the rows of all others wait in the database for the sweep (P3). */
const MAX_WAITING = 1_000;
/** Signals under way at once. */
const CONCURRENCY = 24;
/** After a failure nothing is sent for this long: the sweep takes over what was missed. */
const PAUSE_MS = 2_000;

export interface Dispatcher {
  /** Tells an order's run of its inbox row; never waits, never throws. */
  offer(inboxId: string, outTradeNo: string): void;
  /** Takes nothing more and waits for what is under way. */
  stop(): Promise<void>;
}

/** After the answer: from the inbox to the runs, at the speed Temporal takes it. */
export function createDispatcher(deps: {
  runs: Pick<OrderRuns, 'notify'>;
  metrics: Pick<Metrics, 'signals' | 'waiting'>;
  logger: Logger;
  now: () => number;
}): Dispatcher {
  const waiting: { inboxId: string; outTradeNo: string }[] = [];
  const underWay = new Set<Promise<void>>();
  let pausedUntil = 0;
  let stopped = false;

  async function tell(inboxId: string, outTradeNo: string): Promise<void> {
    try {
      await deps.runs.notify(outTradeNo, inboxId);
      deps.metrics.signals.inc({ outcome: 'told' });
    } catch (error) {
      if (deps.now() >= pausedUntil) {
        deps.logger.warn({ err: error, outTradeNo }, 'dispatcher.paused');
      }
      pausedUntil = deps.now() + PAUSE_MS;
      deps.metrics.signals.inc({ outcome: 'left_to_sweep' });
    }
  }

  function pump(): void {
    while (underWay.size < CONCURRENCY && !stopped) {
      const next = waiting.shift();
      if (!next) break;
      if (deps.now() < pausedUntil) {
        deps.metrics.signals.inc({ outcome: 'left_to_sweep' });
        continue;
      }
      const told = tell(next.inboxId, next.outTradeNo).finally(() => {
        underWay.delete(told);
        pump();
      });
      underWay.add(told);
    }
    deps.metrics.waiting.set(waiting.length);
  }

  return {
    offer(inboxId, outTradeNo) {
      if (stopped || waiting.length >= MAX_WAITING) {
        deps.metrics.signals.inc({ outcome: 'left_to_sweep' });
        return;
      }
      waiting.push({ inboxId, outTradeNo });
      pump();
    },
    async stop() {
      stopped = true;
      waiting.length = 0;
      await Promise.allSettled(underWay);
    },
  };
}

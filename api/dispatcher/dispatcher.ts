// Wakes the runs of stored callbacks, right after the reply to WeChat.
import type { Logger } from '../../config/logger';
import type { Metrics } from '../health/metrics';
import { isTemporalAway } from '../temporal/errors';
import type { OrderRuns } from '../temporal/order-runs';
import type { Breaker } from './breaker';
import type { Sweep } from './sweep';

/** Wakes that wait in memory; the rows of all others wait in the database for the sweep (P3). */
const MAX_WAITING = 1_000;
/** Calls to Temporal at the same time. */
const CONCURRENCY = 24;

interface Wake {
  /** The number of the order or the sharing. */
  readonly number: string;
  readonly send: () => Promise<void>;
}

/** The dispatcher. */
export interface Dispatcher {
  /** Wakes an order's run for its inbox row; never waits, never throws. */
  wakeOrder(inboxId: string, outTradeNo: string): void;
  /** Wakes the run of a profit sharing to query WeChat; dropped when too many wakes wait. */
  wakeSharing(outOrderNo: string): void;
  /** Accepts no more wakes and waits for the calls to Temporal that have begun. */
  stop(): Promise<void>;
}

/**
 * Makes the dispatcher. It wakes runs as fast as Temporal accepts it. When that is too slow, or
 * Temporal is away, it leaves everything that waits to the sweep, and also everything that arrives
 * until the sweep has caught up: so the oldest rows come first.
 */
export function createDispatcher(deps: {
  runs: Pick<OrderRuns, 'wakeForNotice' | 'wakeSharing'>;
  breaker: Pick<Breaker, 'call'>;
  sweep: Pick<Sweep, 'hasBacklog' | 'takeOver'>;
  metrics: Pick<Metrics, 'signals' | 'waiting'>;
  logger: Logger;
}): Dispatcher {
  const { runs, breaker, sweep, metrics, logger } = deps;
  const waiting: Wake[] = [];
  const underWay = new Set<Promise<void>>();
  let stopped = false;

  const leaveToSweep = (rows: number) => metrics.signals.inc({ outcome: 'left_to_sweep' }, rows);

  function handOver(why: 'overflow' | 'temporal_away'): void {
    // One more for the wake that failed or did not fit.
    leaveToSweep(1 + waiting.splice(0).length);
    sweep.takeOver(why);
  }

  async function wake({ number, send }: Wake): Promise<void> {
    try {
      await breaker.call(send);
      metrics.signals.inc({ outcome: 'told' });
    } catch (error) {
      if (isTemporalAway(error)) {
        handOver('temporal_away');
        return;
      }
      logger.warn({ err: error, number }, 'dispatcher.refused');
      metrics.signals.inc({ outcome: 'refused' });
    }
  }

  function pump(): void {
    while (underWay.size < CONCURRENCY && !stopped) {
      const next = waiting.shift();
      if (!next) break;
      const woken = wake(next).finally(() => {
        underWay.delete(woken);
        pump();
      });
      underWay.add(woken);
    }
    metrics.waiting.set(waiting.length);
  }

  return {
    wakeOrder(inboxId, outTradeNo) {
      if (stopped || sweep.hasBacklog()) leaveToSweep(1);
      else if (waiting.length >= MAX_WAITING) handOver('overflow');
      else
        waiting.push({ number: outTradeNo, send: () => runs.wakeForNotice(outTradeNo, inboxId) });
      pump();
    },
    wakeSharing(outOrderNo) {
      if (stopped || sweep.hasBacklog() || waiting.length >= MAX_WAITING) return;
      waiting.push({ number: outOrderNo, send: () => runs.wakeSharing(outOrderNo) });
      pump();
    },
    async stop() {
      stopped = true;
      waiting.length = 0;
      await Promise.allSettled(underWay);
    },
  };
}

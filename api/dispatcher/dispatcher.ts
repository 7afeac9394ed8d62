import type { Logger } from '../../config/logger';
import type { Metrics } from '../health/metrics';
import { isTemporalAway } from '../temporal/errors';
import type { OrderRuns } from '../temporal/order-runs';
import type { Breaker } from './breaker';
import type { Sweep } from './sweep';

/** Ids that wait in memory; the rows of all others wait in the database for the sweep (P3). */
const MAX_WAITING = 1_000;
/** Signals under way at once. */
const CONCURRENCY = 24;

interface Message {
  /** Of the order or the sharing. */
  readonly number: string;
  readonly send: () => Promise<void>;
}

export interface Dispatcher {
  /** Tells an order's run of its inbox row; never waits, never throws. */
  wakeOrder(inboxId: string, outTradeNo: string): void;
  /** Tells the run of a profit sharing to look; dropped when there is too much to tell. */
  wakeSharing(outOrderNo: string): void;
  /** Takes nothing more and waits for what is under way. */
  stop(): Promise<void>;
}

/**
 * After the answer: from the inbox to the runs, at the speed Temporal takes it. When that is too slow,
 * or Temporal is away, all that waits is left to the sweep, and so is what comes until the sweep has told
 * it: one line, the oldest first.
 */
export function createDispatcher(deps: {
  runs: Pick<OrderRuns, 'wakeForNotice' | 'wakeSharing'>;
  breaker: Pick<Breaker, 'call'>;
  sweep: Pick<Sweep, 'hasBacklog' | 'takeOver'>;
  metrics: Pick<Metrics, 'signals' | 'waiting'>;
  logger: Logger;
}): Dispatcher {
  const { runs, breaker, sweep, metrics, logger } = deps;
  const waiting: Message[] = [];
  const underWay = new Set<Promise<void>>();
  let stopped = false;

  const leave = (rows: number) => metrics.signals.inc({ outcome: 'left_to_sweep' }, rows);

  function handOver(why: 'overflow' | 'temporal_away'): void {
    // The one in question, too.
    leave(1 + waiting.splice(0).length);
    sweep.takeOver(why);
  }

  async function tell({ number, send }: Message): Promise<void> {
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
      const told = tell(next).finally(() => {
        underWay.delete(told);
        pump();
      });
      underWay.add(told);
    }
    metrics.waiting.set(waiting.length);
  }

  return {
    wakeOrder(inboxId, outTradeNo) {
      if (stopped || sweep.hasBacklog()) leave(1);
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

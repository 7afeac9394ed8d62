import type { Logger } from '../../config/logger';
import type { DependencyState } from '../../domain/retries/dependencies';
import { isTemporalAway } from '../temporal/errors';

/** Calls in a row that found nobody. One can be a connection that broke, three at different times can't. */
const OPENS_AFTER = 3;
/** Then one call finds out whether Temporal is back. */
const PAUSE_MS = 2_000;
/** gRPC's UNAVAILABLE, as if the call had been made. */
const UNAVAILABLE = 14;

/** Temporal was not asked: it did not answer a moment ago. */
export class TemporalAwayError extends Error {
  override readonly name = 'TemporalAwayError';
  readonly code = UNAVAILABLE;
}

export interface BreakerDeps {
  readonly now: () => number;
  readonly logger: Logger;
  /** Hears `down` while Temporal is away, at each probe, and `up` at the first answer after it or of all. */
  readonly onState: (state: DependencyState) => void;
}

export interface Breaker {
  /**
   * Makes a call, unless Temporal is known to be away.
   * @throws TemporalAwayError when it was not made; else what the call throws
   */
  call<T>(work: () => Promise<T>): Promise<T>;
  /** `half_open`: the next call, or the one under way, finds out. */
  state(): 'closed' | 'open' | 'half_open';
  /** Until it is worth to call again, ms. */
  waitMs(): number;
}

/**
 * What the dispatcher and the sweep know together about Temporal: after some failures nobody is asked,
 * after a pause one call is let through, and its end decides. A refusal is an answer too. It keeps no
 * timer, and says once that Temporal is away and once that it is back.
 */
export function createBreaker({ now, logger, onState }: BreakerDeps): Breaker {
  let failures = 0;
  let lastFailureAt = -Infinity;
  let openedAt: number | null = null;
  let askAgainAt = 0;
  let probing = false;
  let hasAnswered = false;

  function answered(): void {
    failures = 0;
    if (!hasAnswered || openedAt !== null) onState('up');
    hasAnswered = true;
    if (openedAt === null) return;
    logger.info({ awayMs: now() - openedAt }, 'temporal.back');
    openedAt = null;
    probing = false;
  }

  function failed(startedAt: number, error: unknown): void {
    // Calls that were under way when one failed say the same as that one.
    if (openedAt !== null || startedAt <= lastFailureAt) return;
    failures += 1;
    lastFailureAt = now();
    if (failures < OPENS_AFTER) return;
    openedAt = now();
    askAgainAt = openedAt + PAUSE_MS;
    logger.error({ err: error }, 'temporal.away');
    onState('down');
  }

  return {
    async call(work) {
      const isProbe = openedAt !== null;
      if (isProbe && (probing || now() < askAgainAt)) throw new TemporalAwayError();
      probing = isProbe;
      const startedAt = now();
      try {
        const result = await work();
        answered();
        return result;
      } catch (error) {
        if (!isTemporalAway(error)) answered();
        else if (isProbe) {
          probing = false;
          askAgainAt = now() + PAUSE_MS;
          onState('down');
        } else failed(startedAt, error);
        throw error;
      }
    },
    state() {
      if (openedAt === null) return 'closed';
      return probing || now() >= askAgainAt ? 'half_open' : 'open';
    },
    waitMs: () => (openedAt === null ? 0 : Math.max(0, askAgainAt - now())),
  };
}

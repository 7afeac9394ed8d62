// A circuit breaker for Temporal: stops calls during an outage and finds out when it ends.
import type { Logger } from '../../config/logger';
import type { DependencyState } from '../../domain/retries/dependencies';
import { isTemporalAway } from '../temporal/errors';

/**
 * Failed calls in a row that open it: one can be a broken connection, three in a row are an outage.
 */
const OPENS_AFTER = 3;
/** After this pause one call finds out whether Temporal is back. */
const PAUSE_MS = 2_000;
/** The code of gRPC that a real call would fail with. */
const UNAVAILABLE = 14;

/** The call was not made, because Temporal did not respond a moment ago. */
export class TemporalAwayError extends Error {
  override readonly name = 'TemporalAwayError';
  readonly code = UNAVAILABLE;
}

export interface BreakerDeps {
  readonly now: () => number;
  readonly logger: Logger;
  /**
   * Called with `down` when Temporal goes away and at each failed probe, and with `up` at the first
   * response of the process and at the first after an outage.
   */
  readonly onState: (state: DependencyState) => void;
}

/** Guards all calls of the dispatcher and the sweep to Temporal. */
export interface Breaker {
  /**
   * Makes a call, unless Temporal is known to be away.
   * @throws TemporalAwayError when the call was not made; else what the call throws
   */
  call<T>(work: () => Promise<T>): Promise<T>;
  /** `half_open`: the next call, or the current one, finds out whether Temporal is back. */
  state(): 'closed' | 'open' | 'half_open';
  /** How long until the next call can be made, in ms. */
  waitMs(): number;
}

/**
 * Makes the breaker that the dispatcher and the sweep share. After three failures it makes no
 * calls; after a pause it makes one, whose result decides. A refusal by Temporal counts as a
 * response. The breaker keeps no timer; it logs once that Temporal is away and once that Temporal
 * is back.
 */
export function createBreaker({ now, logger, onState }: BreakerDeps): Breaker {
  let failures = 0;
  let lastFailureAt = -Infinity;
  let openedAt: number | null = null;
  let probeAt = 0;
  let probing = false;
  let hasResponded = false;

  function responded(): void {
    failures = 0;
    if (!hasResponded || openedAt !== null) onState('up');
    hasResponded = true;
    if (openedAt === null) return;
    logger.info({ awayMs: now() - openedAt }, 'temporal.back');
    openedAt = null;
    probing = false;
  }

  function failed(startedAt: number, error: unknown): void {
    // Calls that began before the last failure count as the same failure.
    if (openedAt !== null || startedAt <= lastFailureAt) return;
    failures += 1;
    lastFailureAt = now();
    if (failures < OPENS_AFTER) return;
    openedAt = now();
    probeAt = openedAt + PAUSE_MS;
    logger.error({ err: error }, 'temporal.away');
    onState('down');
  }

  return {
    async call(work) {
      const isProbe = openedAt !== null;
      if (isProbe && (probing || now() < probeAt)) throw new TemporalAwayError();
      probing = isProbe;
      const startedAt = now();
      try {
        const result = await work();
        responded();
        return result;
      } catch (error) {
        if (!isTemporalAway(error)) responded();
        else if (isProbe) {
          probing = false;
          probeAt = now() + PAUSE_MS;
          onState('down');
        } else failed(startedAt, error);
        throw error;
      }
    },
    state() {
      if (openedAt === null) return 'closed';
      return probing || now() >= probeAt ? 'half_open' : 'open';
    },
    waitMs: () => (openedAt === null ? 0 : Math.max(0, probeAt - now())),
  };
}

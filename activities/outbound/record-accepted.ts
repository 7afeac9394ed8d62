// Records an accepted delivery, also while the database is away for a moment.
import { setTimeout as sleep } from 'node:timers/promises';
import { isUnavailable } from '../../database/core/classify-errors';
import { DELIVERY_TIMES_MS } from '../../domain/outbound/delivery-times';

const PAUSE_MS = 250;

/**
 * Tries to record until it works: the receiver has the delivery, and would get it again if the
 * record were left to the next attempt.
 * @throws the error of the last try, when the database stays away longer
 */
export async function recordAccepted(
  record: () => Promise<void>,
  now: () => number,
): Promise<void> {
  const lastTryAtMs = now() + DELIVERY_TIMES_MS.record;
  for (;;) {
    try {
      await record();
      return;
    } catch (error) {
      if (!isUnavailable(error) || now() >= lastTryAtMs) throw error;
      await sleep(PAUSE_MS);
    }
  }
}

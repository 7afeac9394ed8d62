// Wakes a run where a lost signal does no harm, because the sweep wakes it later.
import { Context } from '@temporalio/activity';

/**
 * Waits until a signal was sent. A signal that gets lost is logged and does not fail the activity:
 * the row is due, so the sweep wakes the run.
 */
export async function wakeOrLeaveToSweep(signal: Promise<void>): Promise<void> {
  try {
    await signal;
  } catch (error) {
    Context.current().log.warn('wake.left_to_sweep', { error: String(error) });
  }
}

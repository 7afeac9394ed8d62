// Runs the workers of a process until they have ended, also when one of them can't end.
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Worker } from '@temporalio/worker';
import { SHUTDOWN_FORCE_MS } from './create-workers';

/** A worker that has failed is seen within this. */
const STATE_CHECK_MS = 1_000;
/** The workers end within this after the first has failed; those that don't are left behind. */
const END_MS = SHUTDOWN_FORCE_MS + 5_000;

/** The part of a Temporal worker that is needed here. */
type Runnable = Pick<Worker, 'run' | 'shutdown' | 'getState'>;

/** A worker has failed and doesn't end. It still holds its connection. */
export class WorkerHangsError extends Error {
  override readonly name = 'WorkerHangsError';
}

/**
 * Runs the workers until all have ended. When one fails, the others stop too, because the process
 * makes all of them anew. When Temporal refuses a poll for good, as after a loss of its data, the
 * SDK's worker (1.24) is in state FAILED, but its `run` may never end: so the states are watched.
 * @throws the error of the worker that failed; WorkerHangsError when a worker has not ended in time
 */
export async function runWorkers(
  workers: readonly Runnable[],
  stopping: AbortSignal,
  { checkMs = STATE_CHECK_MS, endMs = END_MS } = {},
): Promise<void> {
  const stop = () => {
    for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
  };
  // The first failure is the reason of the abort.
  const failed = new AbortController();
  const fail = (error: unknown) => failed.abort(error);
  failed.signal.addEventListener('abort', stop);
  stopping.addEventListener('abort', stop);
  const check = setInterval(() => {
    const hangs = workers.some((worker) => worker.getState() === 'FAILED');
    if (hangs) fail(new WorkerHangsError('A worker has failed and does not end'));
  }, checkMs);
  const overdue = once(failed.signal, 'abort').then(() =>
    sleep(endMs, 'overdue' as const, { ref: false }),
  );
  const runs = Promise.all(workers.map((worker) => worker.run().catch(fail)));
  if (stopping.aborted) stop();
  const end = await Promise.race([runs, overdue]);
  clearInterval(check);
  stopping.removeEventListener('abort', stop);
  if (end === 'overdue') {
    throw new WorkerHangsError('A worker did not end', { cause: failed.signal.reason });
  }
  failed.signal.throwIfAborted();
}

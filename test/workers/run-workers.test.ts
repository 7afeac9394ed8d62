// The workers of a process end together, also when one of them fails and never ends by itself.
import type { State } from '@temporalio/worker';
import { runWorkers, WorkerHangsError } from '../../workers/run-workers';

const QUICK = { checkMs: 5, endMs: 50 };
const never = new AbortController().signal;

/** A worker whose run ends when it is shut down, or as the test says. */
function worker({ endsOnShutdown = true } = {}) {
  let state: State = 'RUNNING';
  let end: () => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const run = new Promise<void>((resolve, rejectRun) => {
    [end, reject] = [resolve, rejectRun];
  });
  return {
    run: () => run,
    getState: () => state,
    shutdown() {
      state = 'STOPPING';
      if (endsOnShutdown) end();
    },
    failsWithoutEnd() {
      state = 'FAILED';
    },
    fails(error: Error) {
      state = 'FAILED';
      reject(error);
    },
  };
}

test('the workers end when the process has to stop', async () => {
  const stopping = new AbortController();
  const workers = [worker(), worker()];
  const running = runWorkers(workers, stopping.signal, QUICK);
  stopping.abort();
  await expect(running).resolves.toBeUndefined();
  expect(workers.map((one) => one.getState())).toEqual(['STOPPING', 'STOPPING']);
});

test('workers that start after the process has to stop end at once', async () => {
  await expect(runWorkers([worker()], AbortSignal.abort(), QUICK)).resolves.toBeUndefined();
});

test('the failure of one worker stops the others, and is the result', async () => {
  const [one, other] = [worker(), worker()];
  const running = runWorkers([one, other], never, QUICK);
  one.fails(new Error('first'));
  await expect(running).rejects.toThrow('first');
  expect(other.getState()).toBe('STOPPING');
});

test('a failed worker whose run never ends is left behind, and the others stop', async () => {
  const [one, other] = [worker(), worker()];
  const running = runWorkers([one, other], never, QUICK);
  one.failsWithoutEnd();
  await expect(running).rejects.toThrow(WorkerHangsError);
  expect(other.getState()).toBe('STOPPING');
});

test('a worker that does not end after the failure of another one is left behind', async () => {
  const [one, other] = [worker(), worker({ endsOnShutdown: false })];
  const running = runWorkers([one, other], never, QUICK);
  one.fails(new Error('first'));
  await expect(running).rejects.toMatchObject({
    name: 'WorkerHangsError',
    cause: { message: 'first' },
  });
});

// Tests which signals stop a process in order, which end it at once, and which are ignored.
import { EventEmitter } from 'node:events';
import { onStopSignals, STOP_GRACE_MS, type StopSignal } from '../../config/stop-signals';

afterEach(() => {
  jest.useRealTimers();
});

/** A target of signals that notes what is done with it. */
function start() {
  const signals = new EventEmitter();
  const done: string[] = [];
  let nowMs = 5_000;
  const target = {
    on: (name: string, listener: (signal: string) => void) => signals.on(name, listener),
    exit: (code: number) => done.push(`exit ${code}`),
  } as unknown as Pick<NodeJS.Process, 'on' | 'exit'>;
  onStopSignals(
    {
      signals: ['SIGTERM', 'SIGINT', 'SIGHUP'],
      stop: (signal) => done.push(`stop ${signal}`),
      onOverdue: () => done.push('overdue'),
    },
    { target, now: () => nowMs },
  );
  return {
    done,
    send(signal: StopSignal, afterMs: number) {
      nowMs += afterMs;
      signals.emit(signal, signal);
    },
  };
}

test.each<[string, [StopSignal, number][], string[]]>([
  ['SIGTERM', [['SIGTERM', 0]], ['stop SIGTERM']],
  [
    'SIGTERM twice at once',
    [
      ['SIGTERM', 0],
      ['SIGTERM', 1],
    ],
    ['stop SIGTERM'],
  ],
  [
    'SIGTERM again and again',
    [
      ['SIGTERM', 0],
      ['SIGTERM', 2_000],
      ['SIGTERM', 9_000],
    ],
    ['stop SIGTERM'],
  ],
  [
    'SIGHUP twice',
    [
      ['SIGHUP', 0],
      ['SIGHUP', 3_000],
    ],
    ['stop SIGHUP'],
  ],
  [
    'SIGINT twice at once',
    [
      ['SIGINT', 0],
      ['SIGINT', 30],
    ],
    ['stop SIGINT'],
  ],
  [
    'SIGINT twice within a second',
    [
      ['SIGINT', 0],
      ['SIGINT', 1_000],
    ],
    ['stop SIGINT'],
  ],
  [
    'SIGINT, and again after more than a second',
    [
      ['SIGINT', 0],
      ['SIGINT', 1_001],
    ],
    ['stop SIGINT', 'exit 130'],
  ],
  [
    'SIGINT three times, the last after a second',
    [
      ['SIGINT', 0],
      ['SIGINT', 600],
      ['SIGINT', 600],
    ],
    ['stop SIGINT', 'exit 130'],
  ],
  [
    'SIGINT, then SIGTERM',
    [
      ['SIGINT', 0],
      ['SIGTERM', 5_000],
    ],
    ['stop SIGINT'],
  ],
  [
    'SIGTERM, then the first SIGINT',
    [
      ['SIGTERM', 0],
      ['SIGINT', 5_000],
    ],
    ['stop SIGTERM'],
  ],
  [
    'SIGTERM, then SIGINT twice',
    [
      ['SIGTERM', 0],
      ['SIGINT', 100],
      ['SIGINT', 1_500],
    ],
    ['stop SIGTERM', 'exit 130'],
  ],
])('%s: a repeat stops nothing twice, only a second Ctrl-C ends at once', (_what, sent, done) => {
  jest.useFakeTimers();
  const stopped = start();
  for (const [signal, afterMs] of sent) stopped.send(signal, afterMs);
  expect(stopped.done).toEqual(done);
});

test('a stop that hangs ends with 1 when the grace time is over', () => {
  jest.useFakeTimers();
  const stopped = start();
  const { done } = stopped;
  stopped.send('SIGTERM', 0);
  jest.advanceTimersByTime(STOP_GRACE_MS - 1);
  expect(done).toEqual(['stop SIGTERM']);
  jest.advanceTimersByTime(1);
  expect(done).toEqual(['stop SIGTERM', 'overdue', 'exit 1']);
});

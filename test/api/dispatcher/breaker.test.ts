// The circuit breaker for Temporal.
import { createBreaker } from '../../../api/dispatcher/breaker';
import { createTestLog } from '../support/log';

const PAUSE_MS = 2_000;

/** gRPC's UNAVAILABLE and INVALID_ARGUMENT, as the client throws them. */
const failure = (code: number) => Object.assign(new Error(`code ${code}`), { code });

/** A call with this result, or time that passes, in ms. */
type Step = 'taken' | 'away' | 'refused' | number;

async function play(steps: readonly Step[]) {
  const log = createTestLog();
  let now = 1_000_000;
  let made = 0;
  const states: string[] = [];
  const breaker = createBreaker({
    now: () => now,
    logger: log.logger,
    onState: (state) => states.push(state),
  });
  for (const step of steps) {
    if (typeof step === 'number') {
      now += step;
      continue;
    }
    await breaker
      .call(() => {
        made += 1;
        if (step === 'taken') return Promise.resolve();
        return Promise.reject(failure(step === 'away' ? 14 : 3));
      })
      .catch(() => undefined);
    now += 1;
  }
  return { state: breaker.state(), made, events: log.events(), states };
}

const AWAY = 'error temporal.away';
const BACK = 'info temporal.back';

test.each<[string, Step[], string, number, string[]]>([
  ['nothing happened', [], 'closed', 0, []],
  ['two calls failed', ['away', 'away'], 'closed', 2, []],
  ['a success came between failures', ['away', 'away', 'taken', 'away', 'away'], 'closed', 5, []],
  ['a refusal came between failures', ['away', 'away', 'refused', 'away', 'away'], 'closed', 5, []],
  ['three calls failed', ['away', 'away', 'away'], 'open', 3, [AWAY]],
  ['a call follows while it is open', ['away', 'away', 'away', 'taken'], 'open', 3, [AWAY]],
  ['the pause is over', ['away', 'away', 'away', PAUSE_MS], 'half_open', 3, [AWAY]],
  ['the probe fails', ['away', 'away', 'away', PAUSE_MS, 'away', 'taken'], 'open', 4, [AWAY]],
  ['the probe is accepted', ['away', 'away', 'away', PAUSE_MS, 'taken'], 'closed', 4, [AWAY, BACK]],
  [
    'the probe is refused',
    ['away', 'away', 'away', PAUSE_MS, 'refused'],
    'closed',
    4,
    [AWAY, BACK],
  ],
  [
    'many probes failed',
    ['away', 'away', 'away', PAUSE_MS, 'away', PAUSE_MS, 'away', PAUSE_MS, 'away'],
    'open',
    6,
    [AWAY],
  ],
  [
    'it has closed and two calls fail',
    ['away', 'away', 'away', PAUSE_MS, 'taken', 'away', 'away'],
    'closed',
    6,
    [AWAY, BACK],
  ],
])(
  'a breaker where %s has the expected state, calls and log',
  async (_what, steps, state, made, events) => {
    expect(await play(steps)).toMatchObject({ state, made, events });
  },
);

test.each<[string, Step[], string[]]>([
  ['the first call of a process is accepted', ['taken'], ['up']],
  ['later calls are accepted, fail or are refused', ['taken', 'away', 'taken', 'refused'], ['up']],
  ['a probe fails', ['away', 'away', 'away', PAUSE_MS, 'away'], ['down', 'down']],
  ['an outage ends', ['taken', 'away', 'away', 'away', PAUSE_MS, 'taken'], ['up', 'down', 'up']],
])('a breaker where %s reports the expected states', async (_what, steps, states) => {
  expect((await play(steps)).states).toEqual(states);
});

test('calls that fail at the same time count as one failure', async () => {
  const log = createTestLog();
  let now = 1_000;
  const breaker = createBreaker({ now: () => now, logger: log.logger, onState: () => undefined });
  const fail: (() => void)[] = [];
  const calls = Array.from({ length: 24 }, () =>
    breaker
      .call(() => new Promise((_resolve, reject) => fail.push(() => reject(failure(14)))))
      .catch(() => undefined),
  );
  now += 5_000;
  for (const end of fail) end();
  await Promise.all(calls);
  expect(breaker.state()).toBe('closed');
});

test('calls after the pause make one probe at a time', async () => {
  const log = createTestLog();
  let now = 1_000;
  const breaker = createBreaker({ now: () => now, logger: log.logger, onState: () => undefined });
  for (let n = 0; n < 3; n += 1) {
    now += 1;
    await expect(breaker.call(() => Promise.reject(failure(14)))).rejects.toThrow();
  }
  now += PAUSE_MS;
  let taken = (): void => undefined;
  const probe = breaker.call(() => new Promise<void>((resolve) => (taken = resolve)));
  await expect(breaker.call(() => Promise.resolve())).rejects.toMatchObject({
    name: 'TemporalAwayError',
  });
  taken();
  await probe;
  expect(breaker.state()).toBe('closed');
});

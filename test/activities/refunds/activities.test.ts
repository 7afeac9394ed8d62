// The activity of a refund's run does what the row's turn says, and reports how the refund stands.
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import {
  createMoneyActivities,
  type MoneyActivityDeps,
} from '../../../activities/refunds/activities';

/** Temporal would write each lost wake to the output of the tests. */
const QUIET = new DefaultLogger('ERROR', () => undefined);
const NOW_MS = 1_000_000;

interface Limits {
  readonly spacingMs: number;
  readonly busyMs: number;
}

/** Settles the refund `r` once, with this turn in its row. */
function settling(turn: object, attempt = 1, random = 0.5) {
  const limits: Limits[] = [];
  const due: [string, number][] = [];
  const refunds = {
    turn: (_outRefundNo: string, given: Limits) => {
      limits.push(given);
      return Promise.resolve(turn);
    },
    dueAgain: (outRefundNo: string, atMs: number) => {
      due.push([outRefundNo, atMs]);
      return Promise.resolve();
    },
  };
  const activities = createMoneyActivities({
    database: { refunds, shareReturns: {} } as unknown as MoneyActivityDeps['database'],
    wechatpay: {} as MoneyActivityDeps['wechatpay'],
    refundSpacingMs: () => Promise.resolve(60_000),
    now: () => NOW_MS,
    random: () => random,
  });
  const environment = new MockActivityEnvironment({ attempt }, { logger: QUIET });
  return { settle: () => environment.run(() => activities.settleRefund('r')), limits, due };
}

test.each([
  ['succeeded', 'succeeded'],
  ['closed', 'closed'],
  ['unknown_refund', 'unknown_refund'],
  ['pending', 'person_needed'],
  ['processing', 'person_needed'],
  ['abnormal', 'person_needed'],
])('a turn that is over with the status %s is reported as %s', async (status, standing) => {
  const { settle } = settling({ kind: 'over', status, dueOrder: null });
  expect(await settle()).toBe(standing);
});

test('an end whose wake of the order is lost still ends: the sweep wakes that run', async () => {
  const { settle } = settling({ kind: 'over', status: 'succeeded', dueOrder: 'no' });
  expect(await settle()).toBe('succeeded');
});

test('a turn that needs a person is reported so, and nothing is sent', async () => {
  const { settle } = settling({ kind: 'person_needed', outTradeNo: 'no' });
  expect(await settle()).toBe('person_needed');
});

test('a turn that waits writes when the run comes back, and ends the attempt', async () => {
  const { settle, due } = settling({ kind: 'wait', delayMs: 4_000 });
  await expect(settle()).rejects.toMatchObject({ type: 'NOT_YET', nextRetryDelay: 4_000 });
  expect(due).toEqual([['r', NOW_MS + 4_000]]);
});

// Attempt, random → the wait for a token: half a second at least, five and a half at most.
test.each([
  [1, 0, 500],
  [1, 1, 1_500],
  [3, 1, 4_500],
  [9, 1, 5_500],
  [1_000, 1, 5_500],
])('attempt %i with the random number %d waits %i ms for a token', async (attempt, random, ms) => {
  const { settle, limits } = settling({ kind: 'wait', delayMs: 1 }, attempt, random);
  await expect(settle()).rejects.toMatchObject({ type: 'NOT_YET' });
  expect(limits).toEqual([expect.objectContaining({ spacingMs: 60_000, busyMs: ms })]);
});

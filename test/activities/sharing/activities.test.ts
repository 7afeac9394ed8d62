// The activities of a sharing's run do what the row's turn says, and report how the sharing stands.
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import {
  createSharingActivities,
  type SharingActivityDeps,
} from '../../../activities/sharing/activities';

/** Temporal would write each lost wake to the output of the tests. */
const QUIET = new DefaultLogger('ERROR', () => undefined);

const request = {
  outOrderNo: 's',
  outTradeNo: 'no',
  kind: 'share',
  merchantId: 'm',
  appId: 'a',
  transactionId: 't',
  description: '',
  receivers: [],
};

const register = (line: number) => ({
  kind: 'register',
  attemptId: `attempt-${line}`,
  request,
  receiver: { id: `receiver-${line}`, line, type: 'MERCHANT_ID', account: '19', name: null },
});

/** The activities over a row that gives these turns, one after the other. */
function running(turns: readonly object[], underWay: object = {}) {
  const registered: unknown[] = [];
  const left = [...turns];
  let clockMs = 0;
  const sharings = {
    turn: () => Promise.resolve(left.shift()),
    registered: (id: string, attempt: object) => {
      registered.push([id, attempt]);
      return Promise.resolve();
    },
    underWay: () => Promise.resolve(underWay),
    dueAgain: () => Promise.resolve(),
    endAttempt: () => Promise.resolve(),
  };
  const wechatpay = {
    addReceiver: () => Promise.resolve({ kind: 'ok', value: null, requestId: 'q' }),
    querySharing: () =>
      Promise.resolve({ kind: 'unknown', code: 'TIMEOUT', detail: '', status: null }),
  };
  const activities = createSharingActivities({
    database: { sharings } as unknown as SharingActivityDeps['database'],
    wechatpay: wechatpay as unknown as SharingActivityDeps['wechatpay'],
    now: () => (clockMs += 1_000),
  });
  const environment = new MockActivityEnvironment({}, { logger: QUIET });
  return {
    settle: () => environment.run(() => activities.settleSharing('s')),
    look: () => environment.run(() => activities.lookAtSharing('s')),
    registered,
    left,
  };
}

test.each([
  ['finished', 'finished'],
  ['closed', 'closed'],
  ['unknown_sharing', 'unknown_sharing'],
  ['pending', 'person_needed'],
  ['processing', 'person_needed'],
])('a turn that is over with the status %s is reported as %s', async (status, standing) => {
  expect(await running([{ kind: 'over', status }]).settle()).toBe(standing);
});

test('receivers are made known one after the other in one attempt, each recorded', async () => {
  const run = running([register(1), register(2), { kind: 'over', status: 'finished' }]);
  expect(await run.settle()).toBe('finished');
  expect(run.registered).toEqual([
    ['receiver-1', { id: 'attempt-1', requestId: 'q' }],
    ['receiver-2', { id: 'attempt-2', requestId: 'q' }],
  ]);
});

test('an attempt ends after its time; the next one takes the other receivers', async () => {
  const run = running(Array.from({ length: 50 }, (_, index) => register(index)));
  await expect(run.settle()).rejects.toMatchObject({ type: 'NOT_YET' });
  expect(run.registered.length).toBeGreaterThan(0);
  expect(run.left.length).toBeGreaterThan(0);
});

test('a look at a sharing that WeChat does not work on queries nothing', async () => {
  const underWay = { status: 'pending', request: null, acceptedAtMs: null };
  expect(await running([], underWay).look()).toBe('under_way');
});

test('a look whose query fails leaves the sharing to its activity', async () => {
  const underWay = { status: 'processing', request, acceptedAtMs: 0 };
  expect(await running([], underWay).look()).toBe('under_way');
});

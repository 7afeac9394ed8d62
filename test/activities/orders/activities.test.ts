// The activities of an order report to its run which refunds and effects need it.
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createOrderActivities } from '../../../activities/orders/activities';
import { OperationFailures } from '../../../activities/retries/failures';

/** Temporal would write each failed attempt to the output of the tests. */
const QUIET = new DefaultLogger('ERROR', () => undefined);

type Deps = Parameters<typeof createOrderActivities>[0];

function activitiesOver(database: object) {
  return createOrderActivities({
    database: database as unknown as Deps['database'],
    parseNotice: () => {
      throw new Error('no notice waits');
    },
    now: () => 0,
  });
}

test.each([
  [null, 'unknown_refund'],
  ['pending', 'under_way'],
  ['processing', 'under_way'],
  ['abnormal', 'person_needed'],
  ['succeeded', 'succeeded'],
  ['closed', 'closed'],
])('a refund whose row says %p is reported to the run as %s', async (status, standing) => {
  const refunds = { status: () => Promise.resolve(status) };
  expect(await activitiesOver({ refunds }).readRefund('r')).toBe(standing);
});

const view = { status: 'paid' };

/** The activity over effects that failed before, and those that fail when they are tried now. */
function finishing(before: readonly string[], now: readonly string[], attempt: number) {
  const tried: number[] = [];
  const failed = (effects: readonly string[]) =>
    effects.map((effect) => ({ effect, code: 'EFFECT_FAILED', attempts: 1, evidence: {} }));
  const effects = {
    undecided: () => Promise.resolve(failed(before)),
    run: (_no: string, nowMs: number) => {
      tried.push(nowMs);
      return Promise.resolve({ view, failed: failed(now) });
    },
  };
  const activities = activitiesOver({ effects });
  const environment = new MockActivityEnvironment({ attempt }, { logger: QUIET });
  return { finish: () => environment.run(() => activities.finishEffects('no')), tried };
}

test('the first attempt only reports what failed a moment ago, and tries nothing', async () => {
  const one = finishing(['points'], [], 1);
  await expect(one.finish()).rejects.toMatchObject({
    failures: [{ operation: 'fulfilment.points', subject: 'points', code: 'EFFECT_FAILED' }],
  });
  expect(one.tried).toEqual([]);
});

test('a later attempt tries the effects again, and ends once all are done', async () => {
  const one = finishing(['points'], [], 2);
  expect(await one.finish()).toEqual(view);
  expect(one.tried).toHaveLength(1);
});

test.each([
  ['stock', 'inventory.stock'],
  ['points_back:r1', 'fulfilment.points'],
  ['sales', 'fulfilment.sales'],
  ['delivery', 'fulfilment.delivery'],
])('an effect %s that fails again goes by the policy of %s', async (effect, operation) => {
  const error: unknown = await finishing([], [effect], 2)
    .finish()
    .catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OperationFailures);
  expect(error).toMatchObject({ failures: [{ operation, subject: effect }] });
});

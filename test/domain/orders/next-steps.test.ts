// Tests the decisions of an order's run: the activities it starts, and whether it waits or ends.
import {
  closeCauseAfterQuery,
  nextMove,
  nextSteps,
  NO_STEPS_YET,
  type NextMove,
  type Step,
  type StepMemory,
} from '../../../domain/orders/next-steps';
import type { CloseCause, QueryFinding, RunView } from '../../../domain/orders/run-view';
import { NOT_PAYABLE, PAYABLE, viewOf } from '../support/run-views';

const BEFORE_EXPIRY_MS = 999;
const prepay = (round: number): Step => ({ kind: 'prepay', round });
const close = (cause: CloseCause): Step => ({ kind: 'close', cause });
const QUERY: Step = { kind: 'query' };

/** Steps and the changed part of the memory, from the changed parts of view and memory. */
function decide(view: Partial<RunView>, memory: Partial<StepMemory>, nowMs = BEFORE_EXPIRY_MS) {
  const before = { ...NO_STEPS_YET, ...memory };
  const next = nextSteps(viewOf(view), before, nowMs);
  const changed = Object.entries(next.memory).filter(
    ([name, value]) => before[name as keyof StepMemory] !== value,
  );
  return { steps: next.steps, changed: Object.fromEntries(changed) as Partial<StepMemory> };
}

type Row = readonly [
  situation: string,
  view: Partial<RunView>,
  memory: Partial<StepMemory>,
  steps: readonly Step[],
  changed: Partial<StepMemory>,
];

describe.each(PAYABLE)('an order that is %s, before its expiry', (status) => {
  test.each<Row>([
    ['a new run', {}, {}, [prepay(1), QUERY], { startedRound: 1 }],
    ['round 1 requested', {}, { requestedRound: 1 }, [prepay(1), QUERY], { startedRound: 1 }],
    ['round 2 requested', {}, { requestedRound: 2 }, [prepay(2), QUERY], { startedRound: 2 }],
    ['round 1 under way', {}, { startedRound: 1 }, [QUERY], {}],
    ['round 1 done', { prepayRounds: 1 }, {}, [QUERY], {}],
    ['round 1 requested again', { prepayRounds: 1 }, { requestedRound: 1 }, [QUERY], {}],
    [
      'round 2 requested after round 1',
      { prepayRounds: 1 },
      { requestedRound: 2, startedRound: 1 },
      [prepay(2), QUERY],
      { startedRound: 2 },
    ],
    ['a lower round than is done', { prepayRounds: 2 }, { requestedRound: 1 }, [QUERY], {}],
    [
      'a retry by a person',
      { retries: 1 },
      { startedRound: 1 },
      [prepay(1), QUERY],
      { startedRetries: 1 },
    ],
    [
      'a retry that was started already',
      { retries: 1 },
      { startedRound: 1, startedRetries: 1 },
      [QUERY],
      {},
    ],
    ['a retry of a done round', { retries: 1, prepayRounds: 1 }, { startedRound: 1 }, [QUERY], {}],
    ['a refused prepay', { refused: true }, { requestedRound: 1 }, [QUERY], {}],
    ['a prepay that needs a person', { prepayFailed: true }, { requestedRound: 1 }, [QUERY], {}],
  ])(
    '%s without a close starts the steps in their order',
    (_name, view, memory, steps, changed) => {
      expect(decide({ ...view, status }, memory)).toEqual({ steps, changed });
    },
  );

  // The close in the row and in the memory → the step, the remembered cause.
  test.each<readonly [requested: boolean, failed: boolean, CloseCause | null, Step, CloseCause]>([
    [true, false, null, close('close_requested'), 'close_requested'],
    [true, true, null, QUERY, 'close_requested'],
    [false, false, 'close_requested', close('close_requested'), 'close_requested'],
    [true, false, 'close_requested', close('close_requested'), 'close_requested'],
    [false, true, 'close_requested', QUERY, 'close_requested'],
    [true, true, 'close_requested', QUERY, 'close_requested'],
    [false, false, 'expired', close('expired'), 'expired'],
    [true, false, 'expired', close('expired'), 'expired'],
    [false, true, 'expired', QUERY, 'expired'],
    [true, true, 'expired', QUERY, 'expired'],
    [false, false, 'prepay_refused', close('prepay_refused'), 'prepay_refused'],
    [true, true, 'prepay_refused', QUERY, 'prepay_refused'],
    [false, false, 'closed_at_wechat', close('closed_at_wechat'), 'close_requested'],
    [true, false, 'closed_at_wechat', close('closed_at_wechat'), 'close_requested'],
    [false, true, 'closed_at_wechat', close('closed_at_wechat'), 'close_requested'],
    [true, true, 'closed_at_wechat', close('closed_at_wechat'), 'close_requested'],
  ])(
    'a close requested in the row %s, failed %s, remembered as %s, starts one step and no prepay',
    (closeRequested, closeFailed, closeCause, step, expected) => {
      const view = viewOf({ status, closeRequested, closeFailed });
      const memory = { ...NO_STEPS_YET, requestedRound: 2, closeCause };
      expect(nextSteps(view, memory, BEFORE_EXPIRY_MS)).toEqual({
        steps: [step],
        memory: { ...memory, closeCause: expected },
      });
    },
  );

  test('an order with a failed close that nobody wants any more is queried and prepaid', () => {
    const { steps, changed } = decide({ status, closeFailed: true }, {});
    expect({ steps, changed }).toEqual({
      steps: [prepay(1), QUERY],
      changed: { startedRound: 1 },
    });
  });

  test.each<readonly [when: string, nowMs: number, steps: readonly Step[]]>([
    ['a moment before the expiry', 999, [prepay(1), QUERY]],
    ['at the expiry', 1_000, [QUERY]],
    ['after the expiry', 1_001, [QUERY]],
  ])('a missing prepay, %s at %d ms, starts the steps in their order', (_when, nowMs, steps) => {
    expect(decide({ status, expiresAtMs: 1_000 }, {}, nowMs).steps).toEqual(steps);
  });

  test('effects and deliveries that are due start after prepay and query', () => {
    const { steps } = decide({ status, effectsDue: 1, deliveriesDue: 1 }, {});
    expect(steps.map(({ kind }) => kind)).toEqual(['prepay', 'query', 'effects', 'deliver']);
  });
});

describe.each(NOT_PAYABLE)('an order that is %s', (status) => {
  // Effects due, deliveries due → steps.
  test.each<readonly [number, number, readonly Step['kind'][]]>([
    [0, 0, []],
    [2, 0, ['effects']],
    [0, 3, ['deliver']],
    [1, 1, ['effects', 'deliver']],
  ])(
    '%d effects and %d deliveries due start only these, whatever was asked for',
    (effectsDue, deliveriesDue, expected) => {
      for (const closeCause of [null, 'closed_at_wechat', 'expired'] as const) {
        const memory = { requestedRound: 3, closeCause };
        const view = { status, effectsDue, deliveriesDue, closeRequested: true, retries: 1 };
        const { steps, changed } = decide(view, memory);
        expect(steps.map(({ kind }) => kind)).toEqual(expected);
        expect(changed).toEqual({});
      }
    },
  );
});

describe('the cause of a close after a query', () => {
  test.each<readonly [QueryFinding, CloseCause | null, CloseCause | null]>([
    ['found', null, null],
    ['found', 'expired', 'expired'],
    ['gone', null, null],
    ['gone', 'close_requested', 'close_requested'],
    ['attention', null, null],
    ['attention', 'expired', 'expired'],
    ['expired', null, 'expired'],
    ['expired', 'close_requested', 'close_requested'],
    ['expired', 'closed_at_wechat', 'closed_at_wechat'],
    ['closed', null, 'closed_at_wechat'],
    ['closed', 'expired', 'closed_at_wechat'],
    ['closed', 'close_requested', 'closed_at_wechat'],
  ])('a query that ends as %s turns the close cause %s into %s', (finding, cause, expected) => {
    expect(closeCauseAfterQuery(finding, cause)).toBe(expected);
  });
});

describe('the move after the steps have started', () => {
  test.each(PAYABLE)('a run whose order is %s waits, whatever else is true', (status) => {
    for (const due of [false, true]) {
      for (const hasNews of [false, true]) {
        expect(nextMove(viewOf({ status, due }), { isBusy: false, hasNews })).toBe('wait');
      }
    }
  });

  // The work left in the rows, `due`, busy, woken → move.
  test.each<readonly [Partial<RunView>, boolean, boolean, boolean, NextMove]>([
    [{}, false, false, false, 'end'],
    [{}, false, false, true, 'decide_again'],
    [{}, false, true, false, 'wait'],
    [{}, false, true, true, 'wait'],
    [{}, true, false, false, 'clear_due'],
    [{}, true, false, true, 'clear_due'],
    [{}, true, true, false, 'wait'],
    [{}, true, true, true, 'wait'],
    [{ openNotices: 1 }, true, false, true, 'wait'],
    [{ effectsDue: 1 }, true, false, true, 'wait'],
    [{ deliveriesDue: 1 }, true, false, true, 'wait'],
    [{ openInterventions: 1 }, false, false, false, 'wait'],
    [{ openInterventions: 1 }, false, false, true, 'decide_again'],
    [{ openInterventions: 1 }, true, false, false, 'clear_due'],
  ])(
    'a run of an ended order with %o left, due %s, busy %s, news %s decides: %s',
    (left, due, isBusy, hasNews, expected) => {
      for (const status of NOT_PAYABLE) {
        expect(nextMove(viewOf({ ...left, status, due }), { isBusy, hasNews })).toBe(expected);
      }
    },
  );
});

import type { OrderStatus } from '../../../domain/orders/order-state';
import {
  isCloseSettled,
  isAtRest,
  isIdle,
  prepayReply,
  wantsPrepay,
  type PrepayReply,
  type RunView,
} from '../../../domain/orders/run-view';

function view(change: Partial<RunView> = {}): RunView {
  return {
    status: 'created',
    channel: 'h5',
    totalFen: 1230,
    prepayRounds: 0,
    refused: false,
    closeRequested: false,
    closeFailed: false,
    expiresAtMs: 0,
    openNotices: 0,
    effectsDue: 0,
    deliveriesDue: 0,
    openInterventions: 0,
    attention: null,
    due: false,
    ...change,
  };
}

const OPEN = ['created', 'awaiting_payment'] as const;
const ENDED = ['paid', 'fulfilled', 'closed', 'paid_late', 'refunded'] as const;

describe('the answer to who waits for prepay round 1', () => {
  test('is unknown_order where there is no row', () => {
    expect(prepayReply(null, 1)).toBe('unknown_order');
  });

  test.each(ENDED)('is the status of an order that nobody can pay: %s', (status) => {
    for (const refused of [false, true]) {
      for (const closeRequested of [false, true]) {
        expect(prepayReply(view({ status, refused, closeRequested }), 1)).toBe(status);
      }
    }
  });

  // Rounds done, refused, close requested → answer.
  test.each<[number, boolean, boolean, PrepayReply | undefined]>([
    [0, false, false, undefined],
    [0, false, true, 'closing'],
    [0, true, false, 'refused'],
    [0, true, true, 'refused'],
    [1, false, false, 'awaiting_payment'],
    [1, false, true, 'awaiting_payment'],
    [1, true, false, 'awaiting_payment'],
    [1, true, true, 'awaiting_payment'],
    [2, false, false, 'awaiting_payment'],
  ])(
    'with %d rounds done, refused %s, close requested %s: %s',
    (prepayRounds, refused, closeRequested, expected) => {
      const seen = view({ status: 'awaiting_payment', prepayRounds, refused, closeRequested });
      expect(prepayReply(seen, 1)).toBe(expected);
    },
  );

  test('comes with the round asked for, not with one before it', () => {
    const seen = view({ status: 'awaiting_payment', prepayRounds: 1 });
    expect(prepayReply(seen, 1)).toBe('awaiting_payment');
    expect(prepayReply(seen, 2)).toBeUndefined();
  });
});

describe('a close', () => {
  test('is answered where there is no row', () => {
    expect(isCloseSettled(null)).toBe(true);
  });

  test.each<[OrderStatus, boolean, boolean]>([
    ['created', false, false],
    ['created', true, true],
    ['awaiting_payment', false, false],
    ['awaiting_payment', true, true],
    ['paid', false, true],
    ['fulfilled', false, true],
    ['closed', false, true],
    ['paid_late', false, true],
    ['refunded', false, true],
  ])(
    'of an order that is %s, close failed %s, is answered: %s',
    (status, closeFailed, expected) => {
      expect(isCloseSettled(view({ status, closeFailed, closeRequested: true }))).toBe(expected);
    },
  );
});

describe('the prepay round to do', () => {
  // Rounds done, round asked for, refused, close requested → round.
  test.each<[number, number, boolean, boolean, number | null]>([
    [0, 0, false, false, 1],
    [0, 1, false, false, 1],
    [0, 2, false, false, 2],
    [1, 0, false, false, null],
    [1, 1, false, false, null],
    [1, 2, false, false, 2],
    [2, 1, false, false, null],
    [0, 1, true, false, null],
    [0, 1, false, true, null],
    [0, 1, true, true, null],
    [1, 2, true, false, null],
    [1, 2, false, true, null],
  ])(
    'with %d done, %d asked for, refused %s, close requested %s: %p',
    (prepayRounds, asked, refused, closeRequested, expected) => {
      const seen = view({ prepayRounds, refused, closeRequested, expiresAtMs: 1_000 });
      expect(wantsPrepay(seen, asked, 999)).toBe(expected);
    },
  );

  test.each([
    ['a moment before it expires', 999, 1],
    ['when it expires', 1_000, null],
    ['after it expired', 1_001, null],
  ])('of an order, %s, at %d ms: %p', (_when, nowMs, expected) => {
    expect(wantsPrepay(view({ expiresAtMs: 1_000 }), 1, nowMs)).toBe(expected);
  });
});

describe('a run', () => {
  test.each(OPEN)('has somebody to wait for while its order is %s', (status) => {
    expect([isIdle(view({ status })), isAtRest(view({ status }))]).toEqual([false, false]);
  });

  test.each(ENDED)('is at rest when its order is %s and nothing is open', (status) => {
    expect([isIdle(view({ status })), isAtRest(view({ status }))]).toEqual([true, true]);
  });

  // Idle by itself, at rest.
  test.each([
    ['openNotices', false, false],
    ['effectsDue', false, false],
    ['deliveriesDue', false, false],
    ['openInterventions', true, false],
  ] as const)('of an ended order with %s is idle: %s, at rest: %s', (what, idle, atRest) => {
    for (const status of ENDED) {
      const seen = view({ status, [what]: 1 });
      expect([isIdle(seen), isAtRest(seen)]).toEqual([idle, atRest]);
    }
  });
});

// Tests the replies to callers who wait for an order's run.
import type { OrderStatus } from '../../../domain/orders/order-state';
import { isCloseSettled, prepayReply } from '../../../domain/orders/reply-to-caller';
import type { PrepayReply } from '../../../domain/orders/run-view';
import { NOT_PAYABLE, viewOf } from '../support/run-views';

describe('the reply to a caller who waits for prepay round 1', () => {
  test('a caller who waits for a prepay round gets unknown_order when there is no row', () => {
    expect(prepayReply(null, 1)).toBe('unknown_order');
  });

  test('a caller gets the reply unsettled when the prepay waits for a person', () => {
    expect(prepayReply(viewOf({ prepayFailed: true, closeRequested: true }), 1)).toBe('unsettled');
  });

  test.each(NOT_PAYABLE)(
    'a caller who waits for a prepay round of an order that is %s gets that status',
    (status) => {
      for (const refused of [false, true]) {
        for (const closeRequested of [false, true]) {
          expect(prepayReply(viewOf({ status, refused, closeRequested }), 1)).toBe(status);
        }
      }
    },
  );

  // Rounds done, refused, close requested → reply.
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
    'prepay round 1 with %d rounds done, refused %s, close requested %s gets the reply: %s',
    (prepayRounds, refused, closeRequested, expected) => {
      const seen = viewOf({ status: 'awaiting_payment', prepayRounds, refused, closeRequested });
      expect(prepayReply(seen, 1)).toBe(expected);
    },
  );

  test('a caller who waits for prepay round 2 gets no reply when only round 1 is done', () => {
    const seen = viewOf({ status: 'awaiting_payment', prepayRounds: 1 });
    expect(prepayReply(seen, 1)).toBe('awaiting_payment');
    expect(prepayReply(seen, 2)).toBeUndefined();
  });
});

test.each<[number, boolean]>([
  [0, true],
  [1, true],
  [2, false],
])('a view after 1 ended failure replies to a caller who has seen %d: %s', (ended, replies) => {
  const seen = { wechatFailuresEnded: 1 };
  const failed = viewOf({ ...seen, prepayFailed: true, closeFailed: true });
  expect([prepayReply(failed, 1, ended), isCloseSettled(failed, ended)]).toEqual([
    replies ? 'unsettled' : undefined,
    replies,
  ]);
  // A status that nothing changes back is a reply at once.
  const paid = viewOf({ ...seen, status: 'paid' });
  expect([prepayReply(paid, 1, ended), isCloseSettled(paid, ended)]).toEqual(['paid', true]);
});

describe('the reply to a caller who waits for a close', () => {
  test('a caller who waits for a close gets a reply when there is no row', () => {
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
    'a close of an order that is %s, close failed %s, can be replied to: %s',
    (status, closeFailed, expected) => {
      expect(isCloseSettled(viewOf({ status, closeFailed, closeRequested: true }))).toBe(expected);
    },
  );
});

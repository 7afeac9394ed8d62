// Tests the state machine of an order over all pairs of status and event.
import fc from 'fast-check';
import {
  canBePaid,
  isOrderStatus,
  ORDER_EVENTS,
  ORDER_STATUSES,
  transition,
  type OrderEvent,
  type OrderStatus,
} from '../../../domain/orders/order-state';

type Result = OrderStatus | 'duplicate' | 'refused';

const TABLE: readonly (readonly [OrderStatus, OrderEvent, Result])[] = [
  ['created', 'prepaid', 'awaiting_payment'],
  ['created', 'paid', 'paid'],
  ['created', 'fulfilled', 'refused'],
  ['created', 'closed', 'closed'],
  ['created', 'late_payment_accepted', 'refused'],
  ['created', 'refunded', 'refused'],
  ['awaiting_payment', 'prepaid', 'duplicate'],
  ['awaiting_payment', 'paid', 'paid'],
  ['awaiting_payment', 'fulfilled', 'refused'],
  ['awaiting_payment', 'closed', 'closed'],
  ['awaiting_payment', 'late_payment_accepted', 'refused'],
  ['awaiting_payment', 'refunded', 'refused'],
  ['paid', 'prepaid', 'refused'],
  ['paid', 'paid', 'duplicate'],
  ['paid', 'fulfilled', 'fulfilled'],
  ['paid', 'closed', 'refused'],
  ['paid', 'late_payment_accepted', 'duplicate'],
  ['paid', 'refunded', 'refunded'],
  ['fulfilled', 'prepaid', 'refused'],
  ['fulfilled', 'paid', 'duplicate'],
  ['fulfilled', 'fulfilled', 'duplicate'],
  ['fulfilled', 'closed', 'refused'],
  ['fulfilled', 'late_payment_accepted', 'duplicate'],
  ['fulfilled', 'refunded', 'refunded'],
  ['closed', 'prepaid', 'refused'],
  ['closed', 'paid', 'paid_late'],
  ['closed', 'fulfilled', 'refused'],
  ['closed', 'closed', 'duplicate'],
  ['closed', 'late_payment_accepted', 'refused'],
  ['closed', 'refunded', 'refused'],
  ['paid_late', 'prepaid', 'refused'],
  ['paid_late', 'paid', 'duplicate'],
  ['paid_late', 'fulfilled', 'refused'],
  ['paid_late', 'closed', 'duplicate'],
  ['paid_late', 'late_payment_accepted', 'paid'],
  ['paid_late', 'refunded', 'refunded'],
  ['refunded', 'prepaid', 'refused'],
  ['refunded', 'paid', 'duplicate'],
  ['refunded', 'fulfilled', 'duplicate'],
  ['refunded', 'closed', 'refused'],
  ['refunded', 'late_payment_accepted', 'refused'],
  ['refunded', 'refunded', 'duplicate'],
];

function expectedTransition(status: OrderStatus, event: OrderEvent, result: Result) {
  if (result === 'duplicate') return { kind: 'duplicate', status };
  if (result === 'refused') return { kind: 'refused', status, event };
  return { kind: 'moved', from: status, to: result };
}

describe("an order's states", () => {
  test.each(TABLE)(
    'an order that is %s and meets the event %s gives: %s',
    (status, event, result) => {
      expect(transition(status, event)).toEqual(expectedTransition(status, event, result));
    },
  );

  test('the table of this test has every pair of status and event once', () => {
    const pairs = TABLE.map(([status, event]) => `${status} ${event}`);
    const all = ORDER_STATUSES.flatMap((status) => ORDER_EVENTS.map((e) => `${status} ${e}`));
    expect(pairs.toSorted()).toEqual(all.toSorted());
  });

  test.each([
    ['created', ['awaiting_payment', 'closed', 'paid']],
    ['awaiting_payment', ['closed', 'paid']],
    ['paid', ['fulfilled', 'refunded']],
    ['fulfilled', ['refunded']],
    ['closed', ['paid_late']],
    ['paid_late', ['paid', 'refunded']],
    ['refunded', []],
  ] as const)('an order that is %s may become exactly %j', (status, next) => {
    const reached = ORDER_EVENTS.flatMap((event) => {
      const step = transition(status, event);
      return step.kind === 'moved' ? [step.to] : [];
    });
    expect(reached.toSorted()).toEqual(next);
  });

  test.each([
    ['created', true],
    ['awaiting_payment', true],
    ['paid', false],
    ['fulfilled', false],
    ['closed', false],
    ['paid_late', false],
    ['refunded', false],
  ] as const)(
    'WeChat may still accept a payment of an order that is %s: %s',
    (status, expected) => {
      expect(canBePaid(status)).toBe(expected);
    },
  );

  test.each([
    ['created', true],
    ['refunded', true],
    ['CREATED', false],
    ['', false],
    ['toString', false],
    [null, false],
    [7, false],
  ])('the text %j is accepted as a status: %s', (value, expected) => {
    expect(isOrderStatus(value)).toBe(expected);
  });
});

describe('any sequence of events', () => {
  const sequences = fc.array(fc.constantFrom(...ORDER_EVENTS), { maxLength: 20 });

  function walk(events: readonly OrderEvent[]): OrderStatus[] {
    let status: OrderStatus = 'created';
    return events.map((event) => {
      const step = transition(status, event);
      if (step.kind === 'moved') status = step.to;
      return status;
    });
  }

  test('no sequence of events closes a paid order or pays it again', () => {
    fc.assert(
      fc.property(sequences, (events) => {
        const statuses = walk(events);
        const firstPaid = statuses.findIndex((s) => s === 'paid' || s === 'paid_late');
        if (firstPaid < 0) return;
        const after = statuses.slice(firstPaid);
        expect(after.filter((s) => canBePaid(s) || s === 'closed')).toEqual([]);
      }),
    );
  });

  test('no sequence of events fulfils an order twice or without a payment', () => {
    fc.assert(
      fc.property(sequences, (events) => {
        const statuses = walk(events);
        const entered = statuses.filter((s, i) => s === 'fulfilled' && statuses[i - 1] !== s);
        expect(entered.length).toBeLessThanOrEqual(1);
        const at = statuses.indexOf('fulfilled');
        if (at >= 0) expect(statuses[at - 1]).toBe('paid');
      }),
    );
  });

  test('the same event twice in a row moves nothing the second time', () => {
    fc.assert(
      fc.property(sequences, fc.constantFrom(...ORDER_EVENTS), (events, event) => {
        const last = walk([...events, event]).at(-1) ?? 'created';
        const again = transition(last, event);
        expect(again.kind).not.toBe('moved');
      }),
    );
  });
});

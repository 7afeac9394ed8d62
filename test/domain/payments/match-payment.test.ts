// Tests of matchPayment: tables of orders and notices, and two properties.
import fc from 'fast-check';
import { fen } from '../../../domain/money';
import { ORDER_STATUSES, transition, type OrderStatus } from '../../../domain/orders/order-state';
import {
  matchPayment,
  type ExpectedPayment,
  type Mismatch,
} from '../../../domain/payments/match-payment';
import { TRADE_STATES, type PaymentNotice } from '../../../domain/payments/notices';

const NOTICE: PaymentNotice = {
  kind: 'payment',
  outTradeNo: '202611230100ZBA1B2C332',
  transactionId: 'T-1',
  tradeState: 'SUCCESS',
  reportedState: 'SUCCESS',
  totalFen: fen(1230),
  payerTotalFen: fen(1230),
  currency: 'CNY',
  appId: 'wx-app',
  merchantId: '1900000001',
  tradeType: 'JSAPI',
  successTime: '2026-11-23T20:00:00+08:00',
  unreadable: [],
};

function orderIn(status: OrderStatus, appliedTransactionId: string | null): ExpectedPayment {
  return {
    status,
    totalFen: fen(1230),
    currency: 'CNY',
    appId: 'wx-app',
    merchantId: '1900000001',
    appliedTransactionId,
  };
}

/** The notices, each next to one that fits. */
const NOTICES = {
  'the right payment': {},
  'another amount': { totalFen: fen(1229) },
  'no amount': { totalFen: null },
  'another currency': { currency: 'USD' },
  'another appid': { appId: 'wx-other' },
  'another mchid': { merchantId: '1900000002' },
  'another appid and amount': { appId: 'wx-other', totalFen: fen(1) },
  'a coupon taken off': { payerTotalFen: fen(1000) },
  'a refund asked for': { tradeState: 'REFUND' },
  'a refund of another amount': { tradeState: 'REFUND', totalFen: fen(1) },
  'no transaction': { transactionId: null },
  'a state that nobody knows': { tradeState: null, reportedState: 'PAID' },
} as const satisfies Record<string, Partial<PaymentNotice>>;
type What = keyof typeof NOTICES;

/** A decision in a few words, so that a table can be read. */
function inWords(order: ExpectedPayment | null, change: Partial<PaymentNotice>): string {
  const decision = matchPayment(order, { ...NOTICE, ...change });
  switch (decision.kind) {
    case 'no_money':
    case 'already_applied':
      return decision.kind;
    case 'fits':
      return `${decision.to}, ${decision.attention ?? 'no attention'}`;
    case 'unclear':
      return `unclear, lacks ${decision.lacks}`;
    case 'unfit':
      return `${decision.transactionStatus}, ${decision.reason}`;
  }
}

const WAITING: readonly (readonly [What, string])[] = [
  ['the right payment', 'paid, no attention'],
  ['another amount', 'rejected, amount_mismatch'],
  ['no amount', 'rejected, amount_mismatch'],
  ['another currency', 'rejected, amount_mismatch'],
  ['another appid', 'rejected, identity_mismatch'],
  ['another mchid', 'rejected, identity_mismatch'],
  ['another appid and amount', 'rejected, identity_mismatch'],
  ['a coupon taken off', 'paid, no attention'],
  ['a refund asked for', 'paid, reconciliation'],
  ['a refund of another amount', 'rejected, amount_mismatch'],
  ['no transaction', 'unclear, lacks transaction'],
  ['a state that nobody knows', 'unclear, lacks state'],
];

describe.each(['created', 'awaiting_payment'] as const)('for an order that is %s', (status) => {
  test.each(WAITING)('%s means: %s', (what, expected) => {
    expect(inWords(orderIn(status, null), NOTICES[what])).toBe(expected);
  });
});

describe('for an order that was closed', () => {
  test.each<[What, string]>([
    ['the right payment', 'paid_late, late_payment'],
    ['another amount', 'rejected, amount_mismatch'],
    ['no amount', 'rejected, amount_mismatch'],
    ['another currency', 'rejected, amount_mismatch'],
    ['another appid', 'rejected, identity_mismatch'],
    ['another mchid', 'rejected, identity_mismatch'],
    ['another appid and amount', 'rejected, identity_mismatch'],
    ['a coupon taken off', 'paid_late, late_payment'],
    ['a refund asked for', 'paid_late, reconciliation'],
    ['a refund of another amount', 'rejected, amount_mismatch'],
  ])('%s means: %s', (what, expected) => {
    expect(inWords(orderIn('closed', null), NOTICES[what])).toBe(expected);
  });
});

const PAID_STATUSES = ['paid', 'fulfilled', 'paid_late', 'refunded'] as const;

describe.each(PAID_STATUSES)('for an order that is %s', (status) => {
  test.each<[What, string]>([
    ['the right payment', 'already_applied'],
    ['another amount', 'rejected, amount_mismatch'],
    ['no amount', 'rejected, amount_mismatch'],
    ['another currency', 'rejected, amount_mismatch'],
    ['another appid', 'rejected, identity_mismatch'],
    ['another mchid', 'rejected, identity_mismatch'],
    ['another appid and amount', 'rejected, identity_mismatch'],
    ['a coupon taken off', 'already_applied'],
    ['a refund asked for', 'already_applied'],
    ['a refund of another amount', 'rejected, amount_mismatch'],
  ])('the same transaction again as %s means: %s', (what, expected) => {
    expect(inWords(orderIn(status, 'T-1'), NOTICES[what])).toBe(expected);
  });

  test.each<[What, string]>([
    ['the right payment', 'surplus, surplus_payment'],
    ['another amount', 'surplus, surplus_payment'],
    ['no amount', 'surplus, surplus_payment'],
    ['another currency', 'surplus, surplus_payment'],
    ['another appid', 'rejected, identity_mismatch'],
    ['another mchid', 'rejected, identity_mismatch'],
    ['another appid and amount', 'rejected, identity_mismatch'],
    ['a coupon taken off', 'surplus, surplus_payment'],
    ['a refund asked for', 'surplus, surplus_payment'],
    ['a refund of another amount', 'surplus, surplus_payment'],
  ])('a second transaction as %s means: %s', (what, expected) => {
    expect(inWords(orderIn(status, 'T-0'), NOTICES[what])).toBe(expected);
  });

  test('a payment without any transaction in the books is left to a person', () => {
    expect(inWords(orderIn(status, null), {})).toBe('rejected, reconciliation');
  });
});

describe('for a number that is not ours', () => {
  test.each<[What, string]>([
    ['the right payment', 'rejected, unknown_order'],
    ['another mchid', 'rejected, unknown_order'],
    ['a refund asked for', 'rejected, unknown_order'],
  ])('%s means: %s', (what, expected) => {
    expect(inWords(null, NOTICES[what])).toBe(expected);
  });
});

describe('a trade state without money', () => {
  const states = TRADE_STATES.filter((state) => state !== 'SUCCESS' && state !== 'REFUND');
  const orders = [null, ...ORDER_STATUSES.map((status) => orderIn(status, null))];

  test.each(states.flatMap((state) => orders.map((order) => [state, order] as const)))(
    '%s changes nothing for %j, whatever else it says',
    (tradeState, order) => {
      for (const change of Object.values(NOTICES)) {
        expect(inWords(order, { ...change, tradeState })).toBe('no_money');
      }
    },
  );
});

describe('what did not match', () => {
  test.each<[What, Mismatch[]]>([
    ['another amount', [{ field: 'amount', expected: '1230', seen: '1229' }]],
    ['no amount', [{ field: 'amount', expected: '1230', seen: null }]],
    ['another currency', [{ field: 'currency', expected: 'CNY', seen: 'USD' }]],
    ['another appid', [{ field: 'app_id', expected: 'wx-app', seen: 'wx-other' }]],
    ['another mchid', [{ field: 'merchant_id', expected: '1900000001', seen: '1900000002' }]],
    [
      'another appid and amount',
      [
        { field: 'app_id', expected: 'wx-app', seen: 'wx-other' },
        { field: 'amount', expected: '1230', seen: '1' },
      ],
    ],
  ])('is told for %s', (what, mismatches) => {
    const decision = matchPayment(orderIn('created', null), { ...NOTICE, ...NOTICES[what] });
    expect(decision).toMatchObject({ kind: 'unfit', mismatches });
  });

  test('is told of a second transaction, too', () => {
    const second = { ...NOTICE, transactionId: 'T-2', totalFen: fen(5) };
    expect(matchPayment(orderIn('paid', 'T-1'), second)).toEqual({
      kind: 'unfit',
      transactionStatus: 'surplus',
      reason: 'surplus_payment',
      mismatches: [{ field: 'amount', expected: '1230', seen: '5' }],
    });
  });
});

describe('any order and any notice', () => {
  const orders = fc.record({
    status: fc.constantFrom(...ORDER_STATUSES),
    totalFen: fc.constantFrom(fen(1), fen(2)),
    currency: fc.constantFrom('CNY', 'USD'),
    appId: fc.constantFrom('a', 'b'),
    merchantId: fc.constantFrom('1', '2'),
    appliedTransactionId: fc.constantFrom(null, 'T-1', 'T-2'),
  });
  const notices = fc.record({
    ...Object.fromEntries(
      Object.entries(NOTICE).map(([name, value]) => [name, fc.constant(value)]),
    ),
    kind: fc.constant('payment' as const),
    outTradeNo: fc.constant(NOTICE.outTradeNo),
    transactionId: fc.constantFrom(null, 'T-1', 'T-2'),
    tradeState: fc.constantFrom(null, ...TRADE_STATES),
    reportedState: fc.constant(null),
    unreadable: fc.constant([]),
    totalFen: fc.constantFrom(null, fen(1), fen(2)),
    payerTotalFen: fc.constantFrom(null, fen(1), fen(2)),
    currency: fc.constantFrom(null, 'CNY', 'USD'),
    appId: fc.constantFrom(null, 'a', 'b'),
    merchantId: fc.constantFrom(null, '1', '2'),
    tradeType: fc.constant(null),
    successTime: fc.constant(null),
  });

  test('agree with the table of states: what is applied can move the order just there', () => {
    fc.assert(
      fc.property(orders, notices, (order, notice) => {
        const decision = matchPayment(order, notice);
        if (decision.kind !== 'fits') return;
        expect(transition(order.status, 'paid')).toMatchObject({ kind: 'moved', to: decision.to });
      }),
      { numRuns: 5_000 },
    );
  });

  test('apply no money of which the transaction is not named', () => {
    fc.assert(
      fc.property(orders, notices, (order, notice) => {
        const decision = matchPayment(order, notice);
        if (decision.kind !== 'fits' && decision.kind !== 'already_applied') return;
        expect(notice.transactionId).not.toBeNull();
      }),
      { numRuns: 5_000 },
    );
  });

  test('apply money only when all four of amount, currency, appid and mchid are right', () => {
    fc.assert(
      fc.property(orders, notices, (order, notice) => {
        const decision = matchPayment(order, notice);
        if (decision.kind !== 'fits' && decision.kind !== 'already_applied') return;
        const { totalFen, currency, appId, merchantId } = order;
        expect(notice).toMatchObject({ totalFen, currency, appId, merchantId });
      }),
      { numRuns: 5_000 },
    );
  });
});

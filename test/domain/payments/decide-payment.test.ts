// Tests of decidePayment: every order, notice, known transaction, source and setting in tables.
import {
  decidePayment,
  isWhollyHeld,
  type KnownTransaction,
  type NextStep,
  type PaymentFacts,
  type PaymentPlan,
} from '../../../domain/payments/decide-payment';
import { fen } from '../../../domain/money';
import { matchPayment, type ExpectedPayment } from '../../../domain/payments/match-payment';
import { TRADE_STATES, type PaymentNotice } from '../../../domain/payments/notices';
import { ORDER_STATUSES, type OrderStatus } from '../../../domain/orders/order-state';

const NUMBER = '202611230100ZBA1B2C332';
const NOTICE: PaymentNotice = {
  kind: 'payment',
  outTradeNo: NUMBER,
  transactionId: 'T-1',
  tradeState: 'SUCCESS',
  reportedState: 'SUCCESS',
  totalFen: fen(1230),
  payerTotalFen: fen(1230),
  currency: 'CNY',
  appId: 'wx-app',
  merchantId: '1900000001',
  tradeType: 'JSAPI',
  successTime: null,
  unreadable: [],
};

/** The content of the notice; SUCCESS and REFUND of each. */
const CONTENTS = {
  right: {},
  'wrong amount': { totalFen: fen(1229) },
  'wrong app': { appId: 'wx-other' },
} as const satisfies Record<string, Partial<PaymentNotice>>;
type Content = keyof typeof CONTENTS;
const WITH_MONEY = ['SUCCESS', 'REFUND'] as const;

const order = (status: OrderStatus, paidBy: string | null): ExpectedPayment => ({
  status,
  totalFen: fen(1230),
  currency: 'CNY',
  appId: 'wx-app',
  merchantId: '1900000001',
  appliedTransactionId: paidBy,
});

/** Orders that are decided alike. `paid` stands for every status after a payment. */
const ORDERS = {
  unknown: [null],
  open: [order('created', null), order('awaiting_payment', null)],
  closed: [order('closed', null)],
  'paid by this': paidStatuses().map((status) => order(status, 'T-1')),
  'paid by another': paidStatuses().map((status) => order(status, 'T-0')),
  'paid by none': paidStatuses().map((status) => order(status, null)),
} as const;
type OrderCase = keyof typeof ORDERS;

function paidStatuses(): OrderStatus[] {
  const open: readonly OrderStatus[] = ['created', 'awaiting_payment', 'closed'];
  return ORDER_STATUSES.filter((status) => !open.includes(status));
}

interface Situation {
  readonly order: ExpectedPayment | null;
  readonly notice: PaymentNotice;
  readonly known?: KnownTransaction | null;
  readonly source?: string;
  readonly latePayment?: PaymentFacts['latePayment'];
  readonly queried?: PaymentFacts['queried'];
}

function plan(of: Situation): PaymentPlan {
  return decidePayment({
    notice: of.notice,
    outTradeNo: NUMBER,
    source: of.source ?? 'callback',
    match: matchPayment(of.order, of.notice),
    known: of.known ?? null,
    latePayment: of.latePayment ?? null,
    queried: of.queried ?? null,
  });
}

/** A plan in a few words, so that a table can be read. */
function inWords(made: PaymentPlan): string {
  switch (made.kind) {
    case 'change_nothing':
      return made.verdict;
    case 'query_wechat':
      return 'query';
    case 'open_intervention':
      return `open ${made.reason}`;
    case 'keep_order':
      return `keep, ${nextInWords(made.next)}`;
    case 'pay_order':
      return `${made.transaction} ${made.to}, ${nextInWords(made.next)}`;
  }
}

function nextInWords(next: NextStep): string {
  switch (next.kind) {
    case 'apply_reported_refunds':
      return 'refunds';
    case 'refund_payment':
      return `refund ${next.origin} or open ${next.otherwise.reason}`;
    case 'open_intervention':
      return `open ${next.reason}`;
  }
}

/** Order, content, trade state, the setting for late money, the plan for a new transaction. */
type NewCase = readonly [
  OrderCase,
  Content,
  (typeof WITH_MONEY)[number],
  PaymentFacts['latePayment'],
  string,
];
const KEEP_OPEN = (reason: string) => `keep, open ${reason}`;
const SURPLUS = 'keep, refund surplus_payment or open surplus_payment';
const NEW: readonly NewCase[] = [
  ['unknown', 'right', 'SUCCESS', null, KEEP_OPEN('unknown_order')],
  ['unknown', 'right', 'REFUND', null, KEEP_OPEN('unknown_order')],
  ['unknown', 'wrong amount', 'SUCCESS', null, KEEP_OPEN('unknown_order')],
  ['unknown', 'wrong amount', 'REFUND', null, KEEP_OPEN('unknown_order')],
  ['unknown', 'wrong app', 'SUCCESS', null, KEEP_OPEN('unknown_order')],
  ['unknown', 'wrong app', 'REFUND', null, KEEP_OPEN('unknown_order')],
  ['open', 'right', 'SUCCESS', null, 'new paid, refunds'],
  ['open', 'right', 'REFUND', null, 'new paid, open reconciliation'],
  ['open', 'wrong amount', 'SUCCESS', null, KEEP_OPEN('amount_mismatch')],
  ['open', 'wrong amount', 'REFUND', null, KEEP_OPEN('amount_mismatch')],
  ['open', 'wrong app', 'SUCCESS', null, KEEP_OPEN('identity_mismatch')],
  ['open', 'wrong app', 'REFUND', null, KEEP_OPEN('identity_mismatch')],
  [
    'closed',
    'right',
    'SUCCESS',
    'refund',
    'new paid_late, refund late_payment or open late_payment',
  ],
  ['closed', 'right', 'SUCCESS', 'ask', 'new paid_late, open late_payment'],
  ['closed', 'right', 'REFUND', null, 'new paid_late, open reconciliation'],
  ['closed', 'wrong amount', 'SUCCESS', null, KEEP_OPEN('amount_mismatch')],
  ['closed', 'wrong amount', 'REFUND', null, KEEP_OPEN('amount_mismatch')],
  ['closed', 'wrong app', 'SUCCESS', null, KEEP_OPEN('identity_mismatch')],
  ['closed', 'wrong app', 'REFUND', null, KEEP_OPEN('identity_mismatch')],
  ['paid by this', 'right', 'SUCCESS', null, 'already_applied'],
  ['paid by this', 'right', 'REFUND', null, 'already_applied'],
  ['paid by this', 'wrong amount', 'SUCCESS', null, KEEP_OPEN('amount_mismatch')],
  ['paid by this', 'wrong amount', 'REFUND', null, KEEP_OPEN('amount_mismatch')],
  ['paid by this', 'wrong app', 'SUCCESS', null, KEEP_OPEN('identity_mismatch')],
  ['paid by this', 'wrong app', 'REFUND', null, KEEP_OPEN('identity_mismatch')],
  ['paid by another', 'right', 'SUCCESS', null, SURPLUS],
  ['paid by another', 'right', 'REFUND', null, KEEP_OPEN('surplus_payment')],
  ['paid by another', 'wrong amount', 'SUCCESS', null, SURPLUS],
  ['paid by another', 'wrong amount', 'REFUND', null, KEEP_OPEN('surplus_payment')],
  ['paid by another', 'wrong app', 'SUCCESS', null, KEEP_OPEN('identity_mismatch')],
  ['paid by another', 'wrong app', 'REFUND', null, KEEP_OPEN('identity_mismatch')],
  ['paid by none', 'right', 'SUCCESS', null, KEEP_OPEN('reconciliation')],
  ['paid by none', 'right', 'REFUND', null, KEEP_OPEN('reconciliation')],
  ['paid by none', 'wrong amount', 'SUCCESS', null, KEEP_OPEN('amount_mismatch')],
  ['paid by none', 'wrong amount', 'REFUND', null, KEEP_OPEN('amount_mismatch')],
  ['paid by none', 'wrong app', 'SUCCESS', null, KEEP_OPEN('identity_mismatch')],
  ['paid by none', 'wrong app', 'REFUND', null, KEEP_OPEN('identity_mismatch')],
];

const notice = (content: Content, tradeState: PaymentNotice['tradeState']): PaymentNotice => ({
  ...NOTICE,
  ...CONTENTS[content],
  tradeState,
});

describe('a transaction that WeChat reports for the first time', () => {
  test.each(NEW)(
    'order %s, content %s, state %s, setting %s: %s',
    (orders, content, state, latePayment, expected) => {
      for (const source of ['callback', 'query']) {
        for (const one of ORDERS[orders]) {
          const made = plan({ order: one, notice: notice(content, state), source, latePayment });
          expect(inWords(made)).toBe(expected);
        }
      }
    },
  );

  test('the table has every order, content and trade state with money', () => {
    const all = Object.keys(ORDERS).flatMap((orders) =>
      Object.keys(CONTENTS).flatMap((content) =>
        WITH_MONEY.map((state) => `${orders}, ${content}, ${state}`),
      ),
    );
    const tested = NEW.map(([orders, content, state]) => `${orders}, ${content}, ${state}`);
    expect([...new Set(tested)].sort()).toEqual(all.sort());
  });

  test.each([
    ['callback', 'payment_notice'],
    ['query', 'payment_found_by_query'],
  ])('by %s, the order history says %s', (source, cause) => {
    expect(plan({ order: order('created', null), notice: NOTICE, source })).toMatchObject({
      kind: 'pay_order',
      cause,
    });
  });

  test('an intervention about money that does not fit names what differs', () => {
    const made = plan({ order: order('created', null), notice: notice('wrong amount', 'SUCCESS') });
    expect(made).toMatchObject({
      next: { mismatches: [{ field: 'amount', expected: '1230', seen: '1229' }] },
    });
  });
});

/** A row with the content of the notice. */
const rowOf = (of: PaymentNotice, changes: Partial<KnownTransaction>): KnownTransaction => ({
  status: 'rejected',
  outTradeNo: NUMBER,
  totalFen: of.totalFen,
  currency: of.currency,
  appId: of.appId,
  heldFen: fen(0),
  ...changes,
});

/** Rows that the transaction can have already; `same` has the content of the notice. */
const KNOWN = {
  'rejected, same': {},
  'rejected, other amount': { totalFen: fen(7) },
  'rejected, other currency': { currency: 'USD' },
  'rejected, other app': { appId: 'wx-third' },
  'rejected, other number': { outTradeNo: 'other-number' },
  'rejected and held, same': { heldFen: fen(1) },
  'rejected and held, other amount': { heldFen: fen(1), totalFen: fen(7) },
  'surplus, same': { status: 'surplus' },
  'surplus, other amount': { status: 'surplus', totalFen: fen(7) },
  'applied, same': { status: 'applied' },
  'applied, other amount': { status: 'applied', totalFen: fen(7) },
} as const satisfies Record<string, Partial<KnownTransaction>>;
type Known = keyof typeof KNOWN;

/** The row; the plan by callback and by query: of money that fits, and of money that does not. */
const KNOWN_CASES: readonly (readonly [
  Known,
  { readonly fits: readonly [string, string]; readonly unfit: readonly [string, string] },
])[] = [
  ['rejected, same', { fits: ['already_applied', 'reopened'], unfit: ['already_applied', 'open'] }],
  ['rejected, other amount', { fits: ['open', 'reopened'], unfit: ['open', 'open'] }],
  ['rejected, other currency', { fits: ['open', 'reopened'], unfit: ['open', 'open'] }],
  ['rejected, other app', { fits: ['open', 'reopened'], unfit: ['open', 'open'] }],
  ['rejected, other number', { fits: ['open', 'open'], unfit: ['open', 'open'] }],
  [
    'rejected and held, same',
    {
      fits: ['already_applied', 'already_applied'],
      unfit: ['already_applied', 'already_applied'],
    },
  ],
  ['rejected and held, other amount', { fits: ['open', 'open'], unfit: ['open', 'open'] }],
  [
    'surplus, same',
    {
      fits: ['already_applied', 'already_applied'],
      unfit: ['already_applied', 'already_applied'],
    },
  ],
  ['surplus, other amount', { fits: ['open', 'open'], unfit: ['open', 'open'] }],
  [
    'applied, same',
    {
      fits: ['already_applied', 'already_applied'],
      unfit: ['already_applied', 'already_applied'],
    },
  ],
  ['applied, other amount', { fits: ['open', 'open'], unfit: ['open', 'open'] }],
];

/** The reason of an intervention about a transaction that is known with another content. */
function contradictionOf(of: Situation): string {
  const match = matchPayment(of.order, of.notice);
  if (match.kind !== 'unfit') return 'amount_mismatch';
  return match.reason === 'surplus_payment' ? 'amount_mismatch' : match.reason;
}

describe('a transaction that WeChat has reported before', () => {
  const untouched = NEW.filter(([, , , , words]) => words !== 'already_applied');

  test.each(KNOWN_CASES)('known as %s: %j', (known, expected) => {
    for (const [orders, content, state, latePayment, asNew] of untouched) {
      for (const one of ORDERS[orders]) {
        for (const [at, source] of ['callback', 'query'].entries()) {
          const reported = notice(content, state);
          const of = { order: one, notice: reported, source, latePayment };
          const made = plan({ ...of, known: rowOf(reported, KNOWN[known]) });
          const outcome = expected[asNew.startsWith('new') ? 'fits' : 'unfit'][at];
          const inFull = {
            already_applied: 'already_applied',
            reopened: asNew.replace('new', 'reopened'),
            open: `open ${contradictionOf(of)}`,
          };
          expect(inWords(made)).toBe(inFull[outcome as keyof typeof inFull]);
        }
      }
    }
  });

  test('the table has every row that a transaction can have', () => {
    expect(KNOWN_CASES.map(([known]) => known)).toEqual(Object.keys(KNOWN));
  });

  test.each<[OrderCase, Content, string]>([
    ['unknown', 'right', 'unknown_order'],
    ['open', 'right', 'amount_mismatch'],
    ['open', 'wrong amount', 'amount_mismatch'],
    ['open', 'wrong app', 'identity_mismatch'],
    ['closed', 'right', 'amount_mismatch'],
    ['paid by this', 'wrong amount', 'amount_mismatch'],
    ['paid by another', 'right', 'amount_mismatch'],
    ['paid by another', 'wrong app', 'identity_mismatch'],
    ['paid by none', 'right', 'reconciliation'],
  ])('with another content, order %s and content %s: opens %s', (orders, content, reason) => {
    const reported = notice(content, 'SUCCESS');
    const known = rowOf(reported, { currency: 'USD' });
    for (const one of ORDERS[orders]) {
      expect(inWords(plan({ order: one, notice: reported, known }))).toBe(`open ${reason}`);
    }
  });

  test('the transaction that paid the order changes nothing, whatever its row says', () => {
    for (const one of ORDERS['paid by this']) {
      for (const changes of Object.values(KNOWN)) {
        const made = plan({ order: one, notice: NOTICE, known: rowOf(NOTICE, changes) });
        expect(inWords(made)).toBe('already_applied');
      }
    }
  });
});

describe('a trade state without money', () => {
  const states = TRADE_STATES.filter((state) => state !== 'SUCCESS' && state !== 'REFUND');

  test.each(states)('%s is ignored, whatever the order and the known transaction are', (state) => {
    for (const orders of Object.values(ORDERS)) {
      for (const one of orders) {
        for (const known of [null, ...Object.values(KNOWN)]) {
          const reported = notice('right', state);
          const row = known && rowOf(reported, known);
          expect(inWords(plan({ order: one, notice: reported, known: row }))).toBe('ignored');
        }
      }
    }
  });
});

test('every plan that pays an order has the verdict applied, and no other plan has it', () => {
  for (const [orders, content, state, latePayment] of NEW) {
    for (const one of ORDERS[orders]) {
      const made = plan({ order: one, notice: notice(content, state), latePayment });
      expect(made.verdict === 'applied').toBe(made.kind === 'pay_order');
    }
  }
});

describe('a payment of which nothing is left to refund', () => {
  test.each([
    [{ totalFen: 100, heldFen: 100 }, true],
    [{ totalFen: 100, heldFen: 99 }, false],
    [{ totalFen: 100, heldFen: 0 }, false],
    [{ totalFen: 0, heldFen: 0 }, false],
    [{ totalFen: null, heldFen: 0 }, false],
    [{ totalFen: null, heldFen: 1 }, true],
  ])('%j is wholly held: %s', (paid, expected) => {
    expect(isWhollyHeld(paid)).toBe(expected);
  });
});

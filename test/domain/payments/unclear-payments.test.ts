// Tests of decidePayment for reports that lack their transaction or their state.
import { decidePayment, type PaymentFacts } from '../../../domain/payments/decide-payment';
import { fen } from '../../../domain/money';
import { matchPayment, type ExpectedPayment } from '../../../domain/payments/match-payment';
import type { PaymentNotice } from '../../../domain/payments/notices';
import { ORDER_STATUSES, type OrderStatus } from '../../../domain/orders/order-state';

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
  successTime: null,
  unreadable: [],
};

const order = (status: OrderStatus, paidBy: string | null): ExpectedPayment => ({
  status,
  totalFen: fen(1230),
  currency: 'CNY',
  appId: 'wx-app',
  merchantId: '1900000001',
  appliedTransactionId: paidBy,
});

const LACKS = {
  transaction: { transactionId: null },
  'transaction of a refund': { transactionId: null, tradeState: 'REFUND' },
  state: { tradeState: null, reportedState: 'PAID' },
  both: { transactionId: null, tradeState: null, reportedState: null },
} as const satisfies Record<string, Partial<PaymentNotice>>;
const EVERY_ORDER = [
  ...ORDER_STATUSES.map((status) => order(status, null)),
  ...ORDER_STATUSES.map((status) => order(status, 'T-1')),
];

const plan = (
  of: ExpectedPayment | null,
  notice: PaymentNotice,
  { source, queried }: Pick<PaymentFacts, 'source' | 'queried'>,
) =>
  decidePayment({
    notice,
    outTradeNo: NOTICE.outTradeNo,
    source,
    match: matchPayment(of, notice),
    known: null,
    latePayment: null,
    queried,
  });

const QUERY = { kind: 'query_wechat', verdict: null };
const IGNORED = { kind: 'change_nothing', verdict: 'ignored' };
const ASKED = { kind: 'open_intervention', verdict: 'conflict', reason: 'reconciliation' };

test.each([
  ['transaction', 'callback', null, QUERY],
  ['transaction', 'callback', 'found', IGNORED],
  ['transaction', 'callback', 'not_found', ASKED],
  ['transaction', 'query', null, ASKED],
  ['transaction of a refund', 'callback', null, QUERY],
  ['transaction of a refund', 'callback', 'not_found', ASKED],
  ['state', 'callback', null, QUERY],
  ['state', 'callback', 'found', IGNORED],
  ['state', 'callback', 'not_found', IGNORED],
  ['state', 'query', null, IGNORED],
  ['both', 'callback', null, QUERY],
  ['both', 'callback', 'not_found', IGNORED],
] as const)('a report without its %s, by %s, queried: %s', (lacks, source, queried, expected) => {
  const notice = { ...NOTICE, ...LACKS[lacks] };
  for (const one of EVERY_ORDER) {
    expect(plan(one, notice, { source, queried })).toMatchObject(expected);
  }
});

test('no such report is booked, also for a number that is not ours', () => {
  for (const lacks of Object.values(LACKS)) {
    const made = plan(null, { ...NOTICE, ...lacks }, { source: 'callback', queried: null });
    expect(made).toMatchObject({
      kind: 'keep_order',
      next: { kind: 'open_intervention', reason: 'unknown_order' },
    });
  }
});

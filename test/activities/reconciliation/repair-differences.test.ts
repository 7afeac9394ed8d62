// A line of a bill is booked only when WeChat confirms it; everything else is left to a person.
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import {
  repairDifferences,
  type RepairDeps,
} from '../../../activities/reconciliation/repair-differences';
import type { OpenDifference } from '../../../database/reconciliation/settle-day';
import type { BillDate } from '../../../domain/reconciliation/bill-days';
import { DEFAULT_POLICIES } from '../../../domain/retries/retry-policy';

const QUIET = new DefaultLogger('ERROR', () => undefined);
const DAY = '2026-11-29' as BillDate;

const MISSING_PAYMENT: OpenDifference = {
  id: 'd-1',
  billDate: DAY,
  type: 'payment_missing_here',
  outTradeNo: 'NO-1',
  transactionId: '4200',
  outRefundNo: null,
  ours: null,
  theirs: { amount_fen: 300, status: 'SUCCESS', at: null },
};
const MISSING_REFUND: OpenDifference = {
  ...MISSING_PAYMENT,
  type: 'refund_missing_here',
  outRefundNo: 'R-1',
};
const OTHER_STATUS: OpenDifference = {
  ...MISSING_REFUND,
  type: 'refund_status',
  ours: { amount_fen: 100, status: 'succeeded', at: null },
};
const UNKNOWN = {
  kind: 'unknown',
  code: 'TIMEOUT',
  wechatCode: null,
  detail: 'x',
  status: null,
  requestId: null,
} as const;
const REFUSED = {
  kind: 'refused',
  status: 404,
  code: 'RESOURCE_NOT_EXISTS',
  wechatCode: 'RESOURCE_NOT_EXISTS',
  message: 'm',
  requestId: null,
} as const;

const paid = (transactionId: string, tradeState = 'SUCCESS') => ({
  kind: 'ok',
  value: { notice: { outTradeNo: 'NO-1', transactionId, tradeState, merchantId: 'm' }, raw: '{}' },
  requestId: null,
});
const refund = (status: string, transactionId = '4200') => ({
  kind: 'ok',
  value: {
    outRefundNo: 'R-1',
    outTradeNo: 'NO-1',
    refundId: '50',
    transactionId,
    status,
    reportedStatus: status,
    refundFen: 100,
    totalFen: 300,
    currency: 'CNY',
    successTime: null,
  },
  requestId: null,
});

/** Repairs one difference with this outcome of the query. */
async function repair(difference: OpenDifference, outcome: object, attempt = 1) {
  const done: string[] = [];
  const note = (what: string) => () => {
    done.push(what);
    return Promise.resolve(true);
  };
  const deps = {
    database: {
      reconciliations: {
        repairs: { list: () => Promise.resolve([difference]), agree: note('agrees') },
      },
      queries: { keepFound: note('payment stored'), keepBillRefund: note('refund stored') },
      noticeQueries: { openRefunds: () => Promise.resolve([]) },
    },
    wechatpay: {
      queryTransaction: () => Promise.resolve(outcome),
      queryRefund: () => Promise.resolve(outcome),
    },
    runs: { wakeOrder: note('woken') },
    merchantId: 'm',
    billPolicy: () => Promise.resolve(DEFAULT_POLICIES['wechat.bill']),
    now: () => 0,
    random: () => 0.5,
  } as unknown as RepairDeps;
  const environment = new MockActivityEnvironment({ attempt }, { logger: QUIET });
  const batch = await environment.run(() => repairDifferences(deps, DAY, null));
  return { done, batch };
}

test.each([
  ['a payment that WeChat confirms', MISSING_PAYMENT, paid('4200'), ['payment stored', 'woken']],
  ['a payment that is another one at WeChat', MISSING_PAYMENT, paid('4201'), []],
  ['a payment that WeChat calls unpaid', MISSING_PAYMENT, paid('4200', 'NOTPAY'), []],
  ['a payment that WeChat does not know', MISSING_PAYMENT, REFUSED, []],
  ['a refund that WeChat confirms', MISSING_REFUND, refund('SUCCESS'), ['refund stored', 'woken']],
  ['a refund made elsewhere under way', MISSING_REFUND, refund('PROCESSING'), []],
  ['a refund of another payment', MISSING_REFUND, refund('SUCCESS', '4201'), []],
  ['a refund whose status agrees by now', OTHER_STATUS, refund('SUCCESS'), ['agrees']],
  ['a refund whose status differs', OTHER_STATUS, refund('CLOSED'), ['refund stored', 'woken']],
])('%s', async (_title, difference, outcome, expected) => {
  const { done, batch } = await repair(difference, outcome);
  expect(done).toEqual(expected);
  expect(batch).toEqual({ last: null, stored: expected.length === 2 ? 1 : 0 });
});

test('without a usable response it is tried again, and left to a person in the end', async () => {
  await expect(repair(MISSING_PAYMENT, UNKNOWN)).rejects.toMatchObject({ type: 'TIMEOUT' });
  const { maxAttempts } = DEFAULT_POLICIES['wechat.bill'];
  const { done, batch } = await repair(MISSING_PAYMENT, UNKNOWN, maxAttempts);
  expect([done, batch]).toEqual([[], { last: null, stored: 0 }]);
});

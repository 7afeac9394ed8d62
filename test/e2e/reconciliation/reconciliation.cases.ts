// The bill of yesterday, which also has the trades of today: lost ones are booked, odd ones shown.
import { addDays, billDateAt } from '../../../domain/reconciliation/bill-days';
import { sharedOncepay } from '../../support/share-oncepay';
import type { TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { setPolicy, type Intervention } from '../support/interventions';

/** One run waits for several delays of the policy and for the runs of orders. */
const RUN_MS = 60_000;
const DAY = addDays(billDateAt(Date.now()), -1);
const PATH = `/v1/reconciliations/${DAY}`;

interface View {
  readonly status: string;
  readonly error: string | null;
}
interface Difference {
  readonly type: string;
  readonly status: string;
  readonly out_trade_no: string | null;
  readonly intervention_id: string | null;
}

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = sharedOncepay();
  const quick = { base_delay_ms: 100, factor: 1, jitter: 0, max_delay_ms: 100 };
  await setPolicy(oncepay, 'wechat.bill', quick);
  oncepay.simulator.setBillRules({ readyHour: 0, withToday: true });
});
afterEach(() => oncepay.simulator.clearBillFaults());
afterAll(() => oncepay.simulator.setBillRules({ readyHour: 10, withToday: false }));

const ended = () =>
  until(
    `${DAY} is reconciled`,
    async () => {
      const { body } = await oncepay.call('GET', PATH);
      const view = body as unknown as View;
      return ['done', 'failed'].includes(view.status) ? view : null;
    },
    RUN_MS,
  );

async function reconcile(): Promise<View> {
  const { status } = await oncepay.call('POST', '/v1/reconciliations', {
    body: { bill_date: DAY },
    as: 'operator',
  });
  expect(status).toBe(202);
  return ended();
}

async function differencesOf(no: string): Promise<Difference[]> {
  const { body } = await oncepay.call('GET', `${PATH}/differences?limit=200`);
  const { data } = body as unknown as { data: Difference[] };
  return data.filter((one) => one.out_trade_no === no);
}

async function openOnBill(): Promise<Intervention | undefined> {
  const { body } = await oncepay.call('GET', '/v1/interventions?status=open&reason=reconciliation');
  const { data } = body as unknown as { data: Intervention[] };
  return data.find(({ subject }) => subject === `bill:${DAY}`);
}

const resolve = (id: string, action: string) =>
  oncepay.call('POST', `/v1/interventions/${id}/resolution`, {
    body: { action, note: 'x' },
    as: 'operator',
  });

test('a payment and a refund that nobody reported are booked from the bill', async () => {
  const lost = await oncepay.newOrder({ expires_in_seconds: 3_600 });
  await until('the queries of the order have a long pause', async () => {
    const { rows } = await oncepay.sql.query(
      `SELECT 1 FROM orders WHERE out_trade_no = $1
         AND next_query_at > now() + interval '10 minutes'`,
      [lost],
    );
    return rows.length === 1 || null;
  });
  await oncepay.simulator.pay({ outTradeNo: lost, callbacks: 0 });
  const refunded = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: refunded });
  await oncepay.untilStatus(refunded, 'fulfilled');
  oncepay.simulator.refundElsewhere({
    outTradeNo: refunded,
    outRefundNo: `platform-${refunded}`,
    refundFen: 100,
  });
  expect(await reconcile()).toMatchObject({ status: 'done', error: null });
  const order = await oncepay.untilStatus(lost, 'fulfilled');
  expect(order.history.map(({ cause }) => cause)).toContain('payment_found_in_bill');
  expect(await differencesOf(lost)).toMatchObject([
    { type: 'payment_missing_here', status: 'repaired', intervention_id: null },
  ]);
  expect((await oncepay.order(refunded)).refunds).toMatchObject([
    { out_refund_no: `platform-${refunded}`, status: 'succeeded', amount: 100 },
  ]);
  expect(await differencesOf(refunded)).toMatchObject([
    { type: 'refund_missing_here', status: 'repaired', intervention_id: null },
  ]);
});

test('a second payment of an order that only the bill has goes back once', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  await oncepay.simulator.pay({ outTradeNo: no, force: true, callbacks: 0 });
  expect(await reconcile()).toMatchObject({ status: 'done', error: null });
  const { status, refunds, attention } = await oncepay.untilOrder(
    no,
    'the second payment is back',
    ({ refunds: [refund] }) => refund?.status === 'succeeded',
  );
  expect([status, attention]).toEqual(['fulfilled', null]);
  expect(refunds).toMatchObject([{ origin: 'surplus_payment', amount: 300 }]);
  expect(oncepay.simulator.refundsOf(no)).toHaveLength(1);
  expect(await differencesOf(no)).toMatchObject([
    { type: 'payment_missing_here', status: 'repaired', intervention_id: null },
  ]);
});

test.each([
  ['that WeChat is still making', { kind: 'creating', times: 2 }],
  ['with another hash, twice', { kind: 'wrong_hash', times: 2 }],
  ['that breaks off', { kind: 'cut', times: 2 }],
  ['whose URL has expired', { kind: 'expired', times: 2 }],
  ['that is a page of errors', { kind: 'html', times: 2 }],
  ['whose URL leads to another host', { kind: 'other_origin', times: 2 }],
  ['that is not packed', { kind: 'plain', times: 1 }],
] as const)('a bill %s is requested again until it is right', async (_title, fault) => {
  oncepay.simulator.addBillFault(fault);
  expect(await reconcile()).toMatchObject({ status: 'done', error: null });
});

test.each([
  ['three wrong hashes', { kind: 'wrong_hash', times: 3 }],
  ['no right to the bill', { kind: 'no_auth', times: 1 }],
] as const)('after %s the day has failed, and retry reconciles it', async (_title, fault) => {
  oncepay.simulator.addBillFault(fault);
  expect((await reconcile()).status).toBe('failed');
  const open = await openOnBill();
  expect(open).toMatchObject({ out_trade_no: null, actions: ['retry', 'dismiss'] });
  const reply = await resolve(open?.id ?? '', 'retry');
  expect([reply.status, reply.body]).toMatchObject([200, { resolution: { status: 'done' } }]);
  await until('the day is done', async () => ((await ended()).status === 'done' ? true : null));
  expect(await openOnBill()).toBeUndefined();
});

test('another amount is decided by a person, and retry compares a corrected bill', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  oncepay.simulator.addBillFault({ kind: 'changed_amount', outTradeNo: no });
  await reconcile();
  const [difference] = await differencesOf(no);
  expect(difference).toMatchObject({ type: 'payment_amount', status: 'open' });
  oncepay.simulator.clearBillFaults();
  const reply = await resolve(difference?.intervention_id ?? '', 'retry');
  expect(reply.status).toBe(200);
  await until('the difference is repaired', async () => {
    const [now] = await differencesOf(no);
    return now?.status === 'repaired' || null;
  });
  await until('nothing is open on the order', async () => {
    const { attention } = await oncepay.order(no);
    return attention === null || null;
  });
});

test('lines and sums that are wrong share one intervention about the bill', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  oncepay.simulator.addBillFault({ kind: 'duplicate_line', outTradeNo: no });
  oncepay.simulator.addBillFault({ kind: 'wrong_summary' });
  await reconcile();
  const open = await openOnBill();
  expect(open?.evidence['differences']).toMatchObject({ duplicate_line: 1 });
  oncepay.simulator.clearBillFaults();
  await reconcile();
  expect(await openOnBill()).toBeUndefined();
});

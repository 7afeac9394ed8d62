// Payments that don't fit their order: amount, identity, second and late ones.
import { call } from '../../simulator/wechatpay/support/merchant-client';
import { ifThere } from '../../support/if-there';
import { countEffects, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { queryAgain } from '../support/query-again';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

const OTHER_APP = 'wx0000000000000000';
const OTHER = '1900000000';
const MISMATCHES = [
  ['another amount', { totalFen: 299 }, 'amount_mismatch', 'amount', '299'],
  ['another currency', { currency: 'USD' }, 'amount_mismatch', 'currency', 'USD'],
  ['another appid', { appId: OTHER_APP }, 'identity_mismatch', 'app_id', OTHER_APP],
  ['another mchid', { merchantId: OTHER }, 'identity_mismatch', 'merchant_id', OTHER],
] as const;

function expectedOf(field: (typeof MISMATCHES)[number][3]): string {
  const { appId, merchantId } = oncepay.credentials;
  return { amount: '300', currency: 'CNY', app_id: appId, merchant_id: merchantId }[field];
}

test.each(MISMATCHES)(
  'a payment with %s is kept with its evidence, and the order stays as it is',
  async (_what, payment, reason, field, seen) => {
    const no = await oncepay.newOrder();
    const paid = await oncepay.simulator.pay({ outTradeNo: no, ...payment });
    expect(paid.callback?.status).toBe(204);
    const order = await oncepay.untilOrder(no, 'attention', ({ attention }) => attention !== null);
    expect(order).toMatchObject({
      status: 'awaiting_payment',
      attention: { reason, open_count: 1 },
      transactions: [{ transaction_id: paid.transactionId, status: 'rejected' }],
      notices: [{ verdict: 'conflict' }],
      effects: [],
    });
    expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 0, pointsEntries: 0 });
    const list = await oncepay.call('GET', '/v1/interventions?status=open&limit=200');
    const { data } = list.body as { data: { out_trade_no: string; evidence: object }[] };
    expect(data.find(({ out_trade_no }) => out_trade_no === no)?.evidence).toMatchObject({
      transaction_id: paid.transactionId,
      source: 'callback',
      mismatches: [{ field, expected: expectedOf(field), seen }],
    });
  },
);

test('a payment with a coupon is no mismatch: total counts, not payer_total', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no, payerTotalFen: 100 });
  expect((await oncepay.untilStatus(no, 'fulfilled')).attention).toBeNull();
});

test('a payment whose callback never came is found by a query and applied', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  const order = await oncepay.untilStatus(no, 'fulfilled');
  expect(order.notices).toEqual([]);
  expect(order.history.map(({ cause }) => cause)).toContain('payment_found_by_query');
  const [late] = await oncepay.simulator.notify({ outTradeNo: no });
  expect(late?.status).toBe(204);
  await oncepay.untilOrder(no, 'the late callback has its verdict', ({ notices }) =>
    notices.every(({ verdict }) => verdict === 'already_applied'),
  );
  expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
});

test('a mismatch found by a query needs attention and pauses queries and expiry', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: 1, callbacks: 0 });
  const order = await oncepay.untilOrder(no, 'attention', ({ attention }) => attention !== null);
  expect(order).toMatchObject({
    status: 'awaiting_payment',
    attention: { reason: 'amount_mismatch' },
    notices: [],
  });
  const queries = () =>
    oncepay.simulator.requestsOf(no).filter(({ operation }) => operation === 'query').length;
  /** A paused run looks again after 15 s; the next query would be due after one. */
  const untilPaused = async (afterMs: number) =>
    until('the run pauses', async () => {
      const { rows } = await oncepay.sql.query<{ due: Date }>(
        `SELECT due_at AS due FROM orders
         WHERE out_trade_no = $1 AND due_at > now() + interval '20 s'`,
        [no],
      );
      const dueMs = rows[0]?.due.getTime() ?? 0;
      return dueMs > afterMs ? dueMs : null;
    });
  const dueMs = await untilPaused(0);
  const before = queries();
  // Query and expiry are overdue, and the run decides again.
  await oncepay.sql.query(
    `UPDATE orders SET next_query_at = now() - interval '1 minute',
       expires_at = now() - interval '1 minute' WHERE out_trade_no = $1`,
    [no],
  );
  await queryAgain(oncepay, no);
  await untilPaused(dueMs);
  expect(queries()).toBe(before);
  expect((await oncepay.order(no)).status).toBe('awaiting_payment');
});

test('an unknown number becomes a transaction and an intervention; its run ends', async () => {
  const no = `SHOP${process.pid}X1`;
  const paid = await oncepay.simulator.pay({
    outTradeNo: no,
    totalFen: 500,
    force: true,
    notifyUrl: oncepay.notifyUrl,
  });
  expect(paid.callback?.status).toBe(204);
  await until('its run has ended', async () => {
    const described = await ifThere(oncepay.temporal.workflow.getHandle(no).describe());
    return described?.status.name === 'COMPLETED' ? true : null;
  });
  const { rows } = await oncepay.sql.query(
    `SELECT t.status, t.order_no, t.total_fen, i.reason, i.order_no AS about
     FROM payment_transactions t JOIN interventions i USING (out_trade_no) WHERE out_trade_no = $1`,
    [no],
  );
  expect(rows).toEqual([
    { status: 'rejected', order_no: null, total_fen: 500, reason: 'unknown_order', about: null },
  ]);
});

test('a second payment is refunded by its own number, the order stays fulfilled', async () => {
  const no = await oncepay.newOrder();
  const first = await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const second = await oncepay.simulator.pay({ outTradeNo: no, force: true });
  expect(second.transactionId).not.toBe(first.transactionId);
  const order = await oncepay.untilOrder(no, 'the second is back', ({ refunds }) =>
    refunds.some(({ status }) => status === 'succeeded'),
  );
  expect(order).toMatchObject({
    status: 'fulfilled',
    transaction_id: first.transactionId,
    attention: null,
    amount: { total: 300, refunded: 0 },
    refunds: [{ transaction_id: second.transactionId, amount: 300, origin: 'surplus_payment' }],
  });
  expect(order.transactions.map(({ status }) => status)).toEqual(['applied', 'surplus']);
  expect(oncepay.simulator.refundsOf(no)).toMatchObject([
    { transactionId: second.transactionId, status: 'SUCCESS', refundFen: 300 },
  ]);
  expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
});

test('a payment after the close is paid_late, has no effects and is refunded', async () => {
  const no = await oncepay.newOrder();
  expect((await oncepay.call('POST', `/v1/orders/${no}/close`)).status).toBe(200);
  await oncepay.untilStatus(no, 'closed');
  const paid = await oncepay.simulator.pay({ outTradeNo: no, force: true });
  const order = await oncepay.untilStatus(no, 'refunded');
  expect(order).toMatchObject({
    attention: null,
    effects: [],
    amount: { total: 300, refunded: 300 },
    refunds: [
      {
        out_refund_no: `op_${paid.transactionId}`,
        amount: 300,
        status: 'succeeded',
        origin: 'late_payment',
      },
    ],
  });
  expect(order.history.map(({ to }) => to)).toEqual([
    'created',
    'awaiting_payment',
    'closed',
    'paid_late',
    'refunded',
  ]);
  await until('the shop has heard', () => {
    const told = oncepay.webhooks.of(no).some(({ type }) => type === 'refund.succeeded');
    return Promise.resolve(told ? true : null);
  });
  expect(oncepay.simulator.refundsOf(no)).toHaveLength(1);
});

test('a payment that WeChat already reports as refunded waits with its effects', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  await oncepay.simulator.pay({ outTradeNo: no, tradeState: 'REFUND' });
  const order = await oncepay.untilOrder(no, 'attention', ({ attention }) => attention !== null);
  expect(order).toMatchObject({ status: 'paid', attention: { reason: 'reconciliation' } });
  expect(order.effects.map(({ status }) => status)).toEqual(['pending', 'pending']);
});

test.each([
  ['of all, under our own number: it is refunded', 300, 'op_', 'refunded', null],
  ['of a part, under our own number: it is held', 100, 'op_', 'paid', 'reconciliation'],
  ['under another number: an intervention is opened', 300, 'other_', 'paid', 'reconciliation'],
] as const)(
  'a payment found with a refund %s',
  async (_what, refundFen, prefix, status, reason) => {
    // The books are older than the payments, as after a restore from a backup.
    const no = await oncepay.newOrder({ expires_in_seconds: 3_600 });
    const away = { operation: 'query', kind: 'error', status: 500, code: 'SYSTEM_ERROR' } as const;
    oncepay.simulator.setFault({ ...away, times: 1_000 });
    const { transactionId } = await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
    oncepay.simulator.setRefundOutcome({
      status: 'SUCCESS',
      inAnswer: true,
      callbacks: 0,
      times: 1,
    });
    const body = JSON.stringify({
      transaction_id: transactionId,
      out_refund_no: `${prefix}${transactionId}`,
      amount: { refund: refundFen, total: 300, currency: 'CNY' },
    });
    const path = '/v3/refund/domestic/refunds';
    expect((await call(oncepay, { method: 'POST', path, body })).status).toBe(200);
    oncepay.simulator.clearFaults();
    const order = await oncepay.untilOrder(no, status, (seen) => seen.status === status);
    expect(order.attention?.reason ?? null).toBe(reason);
    expect(order.amount.refunded).toBe(prefix === 'op_' ? refundFen : 0);
    const given = order.effects.filter(({ effect }) => !effect.includes('_back:'));
    const done = given.filter((effect) => effect.status === 'done');
    expect(done).toEqual([]);
    const { pointsEntries } = await countEffects(oncepay.sql, no);
    expect(pointsEntries).toBe(0);
    expect(oncepay.simulator.refundsOf(no)).toHaveLength(1);
  },
);

test('a notification id that comes with other content is kept beside the first', async () => {
  const [one, two] = [await oncepay.newOrder(), await oncepay.newOrder()];
  const id = `same-${process.pid}`;
  for (const no of [one, two]) {
    await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
    const sent = await oncepay.simulator.sendRaw({ kind: 'payment', outTradeNo: no, id });
    expect(sent.status).toBe(204);
  }
  await oncepay.untilStatus(one, 'fulfilled');
  await oncepay.untilStatus(two, 'fulfilled');
  const rows = await until('both are stored', async () => {
    const found = await oncepay.sql.query<{ notification_id: string }>(
      `SELECT notification_id FROM notification_inbox WHERE notification_id LIKE $1 ORDER BY 1`,
      [`${id}%`],
    );
    return found.rows.length === 2 ? found.rows : null;
  });
  expect(rows[0]?.notification_id).toBe(id);
  expect(rows[1]?.notification_id).toMatch(new RegExp(`^${id}#[0-9a-f]{16}$`));
});

test('no personal data is stored or shown in clear text', async () => {
  const openid = 'oPERSONAL0123456789';
  const address = '203.0.113.99';
  const no = await oncepay.newOrder({ channel: 'miniprogram', openid, client_ip: address });
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const { rows: tables } = await oncepay.sql.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
  );
  for (const { name } of tables) {
    const { rows } = await oncepay.sql.query<{ found: number }>(
      `SELECT count(*)::int AS found FROM "${name}" t WHERE t::text LIKE ANY($1)`,
      [[`%${openid}%`, `%${address}%`]],
    );
    expect([name, rows[0]?.found]).toEqual([name, 0]);
  }
  const history = await oncepay.temporal.workflow.getHandle(no).fetchHistory();
  const payloads = JSON.stringify(history, (_key, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value,
  );
  expect(payloads).toContain(no);
  expect(payloads).not.toContain(openid);
  expect(payloads).not.toContain(address);
  for (const process of [...oncepay.apis, ...oncepay.workers]) {
    const log = await process.output();
    expect(log).not.toContain(openid);
    expect(log).not.toContain(address);
  }
});

test('a refused close opens an intervention, and the queries go on', async () => {
  oncepay.simulator.setFault({
    operation: 'close',
    kind: 'error',
    status: 403,
    code: 'NO_AUTH',
    message: 'no',
    times: 1_000,
  });
  const no = await oncepay.newOrder();
  const answer = await oncepay.call('POST', `/v1/orders/${no}/close`);
  expect(answer.status).toBe(202);
  expect((await oncepay.order(no)).attention).toMatchObject({ reason: 'wechat_failed' });
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  const order = await oncepay.untilStatus(no, 'fulfilled');
  oncepay.simulator.clearFaults();
  // The order is paid, so whether it could be closed no longer matters.
  expect(order.attention).toBeNull();
  expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
});

// Payments after the close: refunded once, whatever fails meanwhile.
import { countEffects, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { lateOrder, untilOpened, untilRefund } from '../support/interventions';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});
afterEach(() => oncepay.simulator.clearFaults());

/** A repeat by Temporal, on a busy machine. */
const RECOVERY_MS = 75_000;
const LONG = { expires_in_seconds: 3_600 };

/** The refunds that WeChat was asked for, and the refunded sum in fen. */
function atWechat(no: string): { asked: number; backFen: number } {
  const refunds = oncepay.simulator.refundsOf(no);
  const back = refunds.filter(({ status }) => status === 'SUCCESS');
  return {
    asked: refunds.length,
    backFen: back.reduce((sum, { refundFen }) => sum + refundFen, 0),
  };
}

async function closed(): Promise<string> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  await oncepay.untilStatus(no, 'closed');
  return no;
}

async function untilRefunded(no: string): Promise<void> {
  const order = await oncepay.untilStatus(no, 'refunded', RECOVERY_MS);
  expect(order).toMatchObject({ attention: null, effects: [], amount: { refunded: 300 } });
  expect(atWechat(no)).toEqual({ asked: 1, backFen: 300 });
  expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 0 });
}

test('a late payment that is reported many times at once is refunded once', async () => {
  const no = await closed();
  await oncepay.simulator.pay({ outTradeNo: no, force: true, callbacks: 0 });
  await oncepay.simulator.notify({ outTradeNo: no, count: 5, concurrent: true, newId: true });
  await untilRefunded(no);
  await oncepay.simulator.notify({ outTradeNo: no, count: 2, newId: true });
  await oncepay.untilOrder(no, 'each has its verdict', ({ notices }) =>
    notices.every(({ verdict }) => verdict !== null),
  );
  await untilRefunded(no);
});

test('a callback while the close is under way: the order is paid, not late', async () => {
  oncepay.simulator.setFault({ operation: 'query', kind: 'delay', delayMs: 1_500, times: 1 });
  const no = await oncepay.newOrder({ ...LONG });
  const close = oncepay.call('POST', `/v1/orders/${no}/close`);
  await until('the close is wanted', async () => {
    const { rowCount } = await oncepay.sql.query(
      'SELECT 1 FROM orders WHERE out_trade_no = $1 AND close_requested_at IS NOT NULL',
      [no],
    );
    return rowCount === 1 ? true : null;
  });
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  const order = await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
  expect((await close).status).toBe(409);
  expect(order.refunds).toEqual([]);
  expect(atWechat(no)).toEqual({ asked: 0, backFen: 0 });
});

test('a payment between our last query and our close: the order is paid', async () => {
  oncepay.simulator.setFault({ operation: 'close', kind: 'delay', delayMs: 2_000, times: 1 });
  const no = await oncepay.newOrder(LONG);
  const close = oncepay.call('POST', `/v1/orders/${no}/close`);
  await until('the close is sent', async () => {
    const { rowCount } = await oncepay.sql.query(
      `SELECT 1 FROM provider_attempts WHERE out_trade_no = $1 AND operation = 'close'`,
      [no],
    );
    return rowCount === 1 ? true : null;
  });
  await oncepay.simulator.pay({ outTradeNo: no, callbacks: 0 });
  const order = await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
  expect(await close).toMatchObject({ status: 409, body: { code: 'ORDER_ALREADY_PAID' } });
  const attempts = await until('the close has its answer', async () => {
    const { rows } = await oncepay.sql.query<{ outcome: string | null; code: string | null }>(
      `SELECT outcome, code FROM provider_attempts WHERE out_trade_no = $1 AND operation = 'close'`,
      [no],
    );
    return rows.every(({ outcome }) => outcome !== null) ? rows : null;
  });
  expect(attempts).toEqual([{ outcome: 'refused', code: 'ORDERPAID' }]);
  expect(order).toMatchObject({ attention: null, refunds: [], amount: { refunded: 0 } });
  expect(atWechat(no)).toEqual({ asked: 0, backFen: 0 });
  expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, pointsEntries: 1 });
});

test('two payments after the close are both refunded, each by its own number', async () => {
  const no = await closed();
  const one = await oncepay.simulator.pay({ outTradeNo: no, force: true });
  const two = await oncepay.simulator.pay({ outTradeNo: no, force: true });
  const order = await oncepay.untilOrder(
    no,
    'both are back',
    ({ refunds }) => refunds.filter(({ status }) => status === 'succeeded').length === 2,
    RECOVERY_MS,
  );
  expect(order).toMatchObject({ status: 'refunded', amount: { total: 300, refunded: 300 } });
  expect(order.refunds.map(({ transaction_id }) => transaction_id).sort()).toEqual(
    [one.transactionId, two.transactionId].sort(),
  );
  expect(atWechat(no)).toEqual({ asked: 2, backFen: 600 });
});

test('a refund’s callback that comes before the response to the call is booked', async () => {
  oncepay.simulator.setFault({ operation: 'refund', kind: 'timeout_after', times: 1 });
  const no = await lateOrder(oncepay);
  await untilRefunded(no);
  const asked = oncepay.simulator.requestsOf(no).filter(({ operation }) => operation === 'refund');
  expect(asked).toHaveLength(1);
});

test.each([['cut'], ['cut_after']] as const)(
  'a refund whose response is lost (%s) keeps its number and is made once',
  async (kind) => {
    oncepay.simulator.setFault({ operation: 'refund', kind, times: 1 });
    await untilRefunded(await lateOrder(oncepay));
  },
);

test('a refund for which the balance is too low waits with the same number', async () => {
  oncepay.simulator.setFault({
    operation: 'refund',
    kind: 'error',
    status: 403,
    code: 'NOT_ENOUGH',
    times: 2,
  });
  const no = await lateOrder(oncepay);
  await untilRefunded(no);
  const asked = oncepay.simulator.requestsOf(no).filter(({ operation }) => operation === 'refund');
  expect(asked.length).toBeGreaterThanOrEqual(3);
  expect(new Set(asked.map(({ bodySha256 }) => bodySha256)).size).toBe(1);
});

test('a repeated refund report counts once; an impossible one opens an intervention', async () => {
  const no = await lateOrder(oncepay);
  await untilRefunded(no);
  const [refund] = oncepay.simulator.refundsOf(no);
  const outRefundNo = refund?.outRefundNo ?? '';
  await oncepay.simulator.settleRefund({ outRefundNo, status: 'SUCCESS' });
  await oncepay.untilOrder(no, 'both are told', ({ notices }) => {
    const verdicts = notices.filter(({ kind }) => kind === 'refund').map(({ verdict }) => verdict);
    return verdicts.length === 2 && verdicts.includes('already_applied');
  });
  await untilRefunded(no);
  const other = await lateOrder(oncepay);
  await untilRefund(oncepay, other, 'succeeded');
  await oncepay.simulator.sendRaw({ kind: 'refund', outTradeNo: other });
  // WeChat reports more money as refunded than was paid.
  const { evidence } = await untilOpened(oncepay, other, 'invariant');
  expect(evidence).toMatchObject({ source: 'callback', refunded: 300 });
});

// Refunds of shared payments: shares are taken back first.
import { call } from '../../simulator/wechatpay/support/merchant-client';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { resolve, interventionsOf, setPolicy, untilOpened } from '../support/interventions';
import {
  FIRST,
  PERSON,
  receiver,
  refundOf,
  SECOND,
  sharableOrder,
  shared,
  sharingOf,
  untilSharing,
} from '../support/sharing';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = sharedOncepay();
  const quick = { base_delay_ms: 50, max_delay_ms: 500, max_attempts: 3 };
  await setPolicy(oncepay, 'wechat.return', quick);
});
afterEach(() => {
  oncepay.simulator.clearFaults();
  oncepay.simulator.setReturnOutcome({ result: 'SUCCESS' });
});

/** The sweep starts the refund's run within 10 s. */
const SWEPT_MS = 40_000;
/** An order whose payment these receivers hold these parts of. */
async function sharedOrder(parts: readonly [fen: number, account: string][]) {
  const no = await sharableOrder(oncepay);
  const outOrderNo = await shared(
    oncepay,
    no,
    parts.map(([fen, account]) => receiver(fen, account)),
  );
  await untilSharing(oncepay, no, outOrderNo, 'finished');
  return { no, outOrderNo };
}

const untilRefunded = (no: string, status: string, timeoutMs = SWEPT_MS) =>
  oncepay.untilOrder(
    no,
    `the refund is ${status}`,
    ({ refunds }) => refunds.some((one) => one.status === status),
    timeoutMs,
  );

const atWechat = (no: string) => oncepay.simulator.balanceOf(no);

test('a refund first takes back as much shared money as it lacks, then is sent', async () => {
  const { no, outOrderNo } = await sharedOrder([
    [60, FIRST],
    [30, SECOND],
  ]);
  await refundOf(oncepay, no, 250);
  await untilRefunded(no, 'succeeded');
  expect(atWechat(no)).toMatchObject({ refundedFen: 250, sharedFen: 90, returnedFen: 40 });
  expect(oncepay.simulator.returnsOf(no)).toMatchObject([{ returnMerchantId: FIRST }]);
  expect((await sharingOf(oncepay, no, outOrderNo)).receivers).toMatchObject([
    { account: FIRST, returned: 40 },
    { account: SECOND, returned: 0 },
  ]);
});

test('a full refund takes all shares back from all receivers', async () => {
  const { no } = await sharedOrder([
    [60, FIRST],
    [30, SECOND],
  ]);
  await refundOf(oncepay, no, 300);
  await oncepay.untilStatus(no, 'refunded', SWEPT_MS);
  expect(atWechat(no)).toMatchObject({ refundedFen: 300, returnedFen: 90 });
});

test.each([
  ['whose response is lost is not sent again', 'cut_after', 1],
  ['that never arrived is sent again', 'cut', 2],
] as const)(
  'a take-back %s: one number, one content, taken back once',
  async (_what, kind, requests) => {
    const { no } = await sharedOrder([[60, FIRST]]);
    oncepay.simulator.setFault({ operation: 'return', kind });
    await refundOf(oncepay, no, 300);
    await oncepay.untilStatus(no, 'refunded', SWEPT_MS);
    const asked = oncepay.simulator.requestsOf(no).filter((one) => one.operation === 'return');
    expect(asked).toHaveLength(requests);
    const [returned, ...others] = oncepay.simulator.returnsOf(no);
    expect(others).toEqual([]);
    const number = returned?.outReturnNo ?? '';
    expect(asked.map(({ outReturnNo }) => outReturnNo)).toEqual(asked.map(() => number));
    expect(oncepay.simulator.contentsOf('returns')[number]).toBe(1);
    expect(atWechat(no)).toMatchObject({ returnedFen: 60 });
  },
);

test('a refund that the unshared rest covers takes nothing back', async () => {
  const { no } = await sharedOrder([[60, FIRST]]);
  await refundOf(oncepay, no, 240);
  await untilRefunded(no, 'succeeded');
  expect(oncepay.simulator.returnsOf(no)).toEqual([]);
});

describe('a take-back that fails opens an intervention, and the refund is not sent', () => {
  async function failed() {
    const { no } = await sharedOrder([[60, FIRST]]);
    const failing = { result: 'FAILED', failReason: 'BALANCE_NOT_ENOUGH', outTradeNo: no } as const;
    oncepay.simulator.setReturnOutcome({ ...failing, times: 1 });
    const refundNo = await refundOf(oncepay, no, 300);
    const question = await untilOpened(oncepay, no, 'return_failed', SWEPT_MS);
    expect(question).toMatchObject({ subject: refundNo, amount: 300 });
    expect(question.evidence).toMatchObject({ why: 'BALANCE_NOT_ENOUGH' });
    expect(oncepay.simulator.refundsOf(no)).toEqual([]);
    return { no, question };
  }

  test('a failed take-back that is retried succeeds under a new number', async () => {
    const { no, question } = await failed();
    expect((await resolve(oncepay, question.id, 'retry')).status).toBe(200);
    await oncepay.untilStatus(no, 'refunded', SWEPT_MS);
    const returns = oncepay.simulator.returnsOf(no);
    expect(returns.map(({ result }) => result)).toEqual(['FAILED', 'SUCCESS']);
    expect(atWechat(no)).toMatchObject({ refundedFen: 300, returnedFen: 60 });
  });

  test('a failed take-back that is accepted lets WeChat check the refund’s balance', async () => {
    const { no, question } = await failed();
    expect((await resolve(oncepay, question.id, 'accept')).status).toBe(200);
    await until('WeChat was asked to refund', () => {
      const requests = oncepay.simulator.requestsOf(question.subject);
      return Promise.resolve(requests.some((one) => one.operation === 'refund') ? true : null);
    });
    expect(atWechat(no)).toMatchObject({ returnedFen: 0 });
    expect(oncepay.simulator.returnsOf(no)).toHaveLength(1);
  });

  test('a failed take-back that is dismissed closes the refund unsent', async () => {
    const { no, question } = await failed();
    expect((await resolve(oncepay, question.id, 'dismiss')).status).toBe(200);
    const order = await untilRefunded(no, 'closed');
    expect(order).toMatchObject({ status: 'fulfilled', attention: null });
    expect(oncepay.simulator.refundsOf(no)).toEqual([]);
  });
});

test('a share that a person received can’t be taken back: an intervention opens', async () => {
  const { no } = await sharedOrder([[60, PERSON]]);
  const refundNo = await refundOf(oncepay, no, 300);
  const order = await oncepay.untilOrder(
    no,
    'attention',
    ({ attention }) => attention !== null,
    SWEPT_MS,
  );
  expect(order.attention).toMatchObject({ reason: 'return_failed', open_count: 1 });
  const question = await untilOpened(oncepay, no, 'return_failed');
  expect(question.evidence).toMatchObject({ out_refund_no: refundNo, lacking: 60, returnable: 0 });
});

test('a take-back with another amount at WeChat opens an intervention, unbooked', async () => {
  const { no, outOrderNo } = await sharedOrder([[90, FIRST]]);
  const { simulator, sql } = oncepay;
  simulator.setFault({ operation: 'return', kind: 'cut', times: 1 });
  const away = { kind: 'error', status: 500, code: 'SYSTEM_ERROR', times: 1_000 } as const;
  simulator.setFault({ operation: 'return_query', ...away });
  await refundOf(oncepay, no, 300);
  const { id } = await untilOpened(oncepay, no, 'return_failed');
  const { rows } = await sql.query<{ number: string }>(
    'SELECT out_return_no AS number FROM profit_sharing_returns WHERE out_order_no = $1',
    [outOrderNo],
  );
  const body = JSON.stringify({
    out_order_no: outOrderNo,
    out_return_no: rows[0]?.number,
    return_mchid: FIRST,
    amount: 10,
    description: 'refund',
  });
  const path = '/v3/profitsharing/return-orders';
  expect((await call(oncepay, { method: 'POST', path, body })).status).toBe(200);
  simulator.clearFaults();
  expect((await resolve(oncepay, id, 'retry')).status).toBe(200);
  const next = await until('it is asked anew', async () => {
    const open = await interventionsOf(oncepay, no);
    return open.find((one) => one.id !== id);
  });
  expect(next).toMatchObject({
    reason: 'return_failed',
    evidence: { code: 'OUT_TRADE_NO_USED' },
  });
  expect((await sharingOf(oncepay, no, outOrderNo)).receivers).toMatchObject([{ returned: 0 }]);
  expect(simulator.refundsOf(no)).toEqual([]);
  expect(simulator.returnsOf(no)).toHaveLength(1);
});

// Abnormal refunds: redirected by an operator, or handled on WeChat's merchant platform.
import type { OrderView, TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import {
  resolve,
  resolveByTwo,
  lateOrder,
  interventionsOf,
  setPolicy,
  untilOpened,
} from '../support/interventions';
import type { Intervention } from '../support/interventions';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = sharedOncepay();
  for (const operation of ['wechat.refund', 'wechat.refund_query']) {
    await setPolicy(oncepay, operation, { base_delay_ms: 50, max_attempts: 3 });
  }
});
afterEach(() => oncepay.simulator.clearFaults());

const CARD = { bank_type: 'ICBC_DEBIT', bank_account: '6222020000000000000', real_name: '张三' };

/** A refund that WeChat can't carry out the way the money came. */
async function abnormal(): Promise<{ no: string; question: Intervention }> {
  oncepay.simulator.setRefundOutcome({ status: 'ABNORMAL', times: 1 });
  const no = await lateOrder(oncepay);
  return { no, question: await untilOpened(oncepay, no, 'refund_abnormal') };
}

const requestsOf = (no: string, operation: string) =>
  oncepay.simulator.requestsOf(no).filter((request) => request.operation === operation);

/** The requests that WeChat got since the first redirect. */
function since(no: string): string[] {
  const all = oncepay.simulator.requestsOf(no).map(({ operation }) => operation);
  return all.slice(all.indexOf('abnormal_refund'));
}

const isProcessing = ({ refunds }: OrderView) =>
  refunds.some(({ status }) => status === 'processing');

async function succeeds(no: string): Promise<void> {
  const [refund] = oncepay.simulator.refundsOf(no);
  const outRefundNo = refund?.outRefundNo ?? '';
  await oncepay.simulator.settleRefund({ outRefundNo, status: 'SUCCESS' });
  const order = await oncepay.untilStatus(no, 'refunded');
  expect(order).toMatchObject({ attention: null, amount: { refunded: 300 } });
  expect(order.refunds).toHaveLength(1);
}

/** Waits until the next intervention for the same refund is open. */
function untilOpenedAgain(no: string, before: Intervention): Promise<Intervention> {
  return until('it is asked anew', async () => {
    const open = await interventionsOf(oncepay, no);
    return open.find(({ id, reason }) => id !== before.id && reason === before.reason);
  });
}

async function keptTarget(no: string): Promise<string | null | undefined> {
  const { rows } = await oncepay.sql.query<{ abnormal_encrypted: string | null }>(
    'SELECT abnormal_encrypted FROM refunds WHERE out_trade_no = $1',
    [no],
  );
  return rows[0]?.abnormal_encrypted;
}

describe('an abnormal refund was redirected, and WeChat’s response to that was lost', () => {
  test('a redirect whose response is lost is not sent again if it is PROCESSING', async () => {
    const { no, question } = await abnormal();
    oncepay.simulator.setFault({ operation: 'abnormal_refund', kind: 'cut_after', times: 1 });
    oncepay.simulator.setRefundOutcome({ status: 'PROCESSING', times: 1 });
    expect((await resolveByTwo(oncepay, question.id, 'to_user', { params: CARD })).status).toBe(
      200,
    );
    await oncepay.untilOrder(no, 'it is known to be under way', isProcessing);
    expect(since(no)).toEqual(['abnormal_refund', 'refund_query']);
    await succeeds(no);
    expect(requestsOf(no, 'abnormal_refund')).toHaveLength(1);
  });

  test.each([['SUCCESS'], ['CLOSED']] as const)(
    'a redirect whose response is lost is not sent again if it is %s',
    async (status) => {
      const { no, question } = await abnormal();
      oncepay.simulator.setFault({ operation: 'abnormal_refund', kind: 'cut_after', times: 1 });
      oncepay.simulator.setRefundOutcome({ status, inAnswer: true, callbacks: 0, times: 1 });
      expect((await resolveByTwo(oncepay, question.id, 'to_bank_card')).status).toBe(200);
      if (status === 'SUCCESS') await oncepay.untilStatus(no, 'refunded');
      else await untilOpened(oncepay, no, 'refund_closed');
      expect(since(no)).toEqual(['abnormal_refund', 'refund_query']);
    },
  );

  test('a redirect whose response is lost is sent again if it is still ABNORMAL', async () => {
    const { no, question } = await abnormal();
    oncepay.simulator.setFault({ operation: 'abnormal_refund', kind: 'cut', times: 1 });
    expect((await resolveByTwo(oncepay, question.id, 'to_bank_card')).status).toBe(200);
    await oncepay.untilStatus(no, 'refunded');
    const heard = since(no);
    expect(heard.slice(0, 3)).toEqual(['abnormal_refund', 'refund_query', 'abnormal_refund']);
    const sent = requestsOf(no, 'abnormal_refund').map(({ bodySha256 }) => bodySha256);
    expect(sent).toHaveLength(2);
    expect(new Set(sent).size).toBe(1);
  });
});

test.each([
  ['in its response', { inAnswer: true }],
  ['later, in a query', {}],
])(
  'a redirect that WeChat reports as ABNORMAL too, %s, opens a new intervention',
  async (_when, how) => {
    const { no, question } = await abnormal();
    oncepay.simulator.setRefundOutcome({ status: 'ABNORMAL', callbacks: 0, times: 1, ...how });
    expect((await resolveByTwo(oncepay, question.id, 'to_user', { params: CARD })).status).toBe(
      200,
    );
    const next = await untilOpenedAgain(no, question);
    expect(next).toMatchObject({
      previous_id: question.id,
      subject: question.subject,
      amount: 300,
    });
    expect(await keptTarget(no)).toBeNull();
    expect(requestsOf(no, 'abnormal_refund')).toHaveLength(1);
    expect((await resolveByTwo(oncepay, next.id, 'to_bank_card')).status).toBe(200);
    const order = await oncepay.untilStatus(no, 'refunded');
    expect(order.attention).toBeNull();
    expect(requestsOf(no, 'abnormal_refund')).toHaveLength(2);
  },
);

test('a redirect that WeChat refuses opens a new intervention, which can be resolved', async () => {
  const { no, question } = await abnormal();
  oncepay.simulator.setFault({
    operation: 'abnormal_refund',
    kind: 'error',
    status: 400,
    code: 'PARAM_ERROR',
    message: 'no such bank',
    times: 1,
  });
  expect((await resolveByTwo(oncepay, question.id, 'to_user', { params: CARD })).status).toBe(200);
  const next = await untilOpenedAgain(no, question);
  expect(next).toMatchObject({ previous_id: question.id, subject: question.subject, amount: 300 });
  expect(next.evidence).toMatchObject({ wechat_code: 'PARAM_ERROR', message: 'no such bank' });
  expect(await keptTarget(no)).toBeNull();
  expect((await resolveByTwo(oncepay, next.id, 'to_bank_card')).status).toBe(200);
  const order = await oncepay.untilStatus(no, 'refunded');
  expect(order).toMatchObject({ attention: null, amount: { refunded: 300 } });
});

describe('an abnormal refund that a person handles on WeChat’s merchant platform', () => {
  async function dismissed(): Promise<{ no: string; question: Intervention }> {
    const asked = await abnormal();
    expect((await resolve(oncepay, asked.question.id, 'dismiss')).status).toBe(200);
    return asked;
  }

  /** The time of its next query has come. */
  const aDayLater = (no: string) =>
    oncepay.sql.query(
      `UPDATE refunds SET next_query_at = next_query_at - interval '1 day',
         due_at = due_at - interval '1 day'
       WHERE out_trade_no = $1`,
      [no],
    );

  const nextLook = async (no: string) => {
    const { rows } = await oncepay.sql.query<{ ahead: boolean }>(
      `SELECT next_query_at > now() AND due_at > now() AS ahead
       FROM refunds WHERE out_trade_no = $1`,
      [no],
    );
    return rows[0]?.ahead === true ? true : null;
  };

  test('a dismissed abnormal refund whose callback is lost is found by a daily query', async () => {
    const { no } = await dismissed();
    await aDayLater(no);
    await until('it is to be looked at again', () => nextLook(no));
    expect(requestsOf(no, 'refund_query')).toHaveLength(1);
    const [refund] = oncepay.simulator.refundsOf(no);
    const outRefundNo = refund?.outRefundNo ?? '';
    await oncepay.simulator.settleRefund({ outRefundNo, status: 'SUCCESS', callbacks: 0 });
    await aDayLater(no);
    const order = await oncepay.untilStatus(no, 'refunded');
    expect(order).toMatchObject({ attention: null, amount: { refunded: 300 } });
    expect(requestsOf(no, 'refund')).toHaveLength(1);
    expect(requestsOf(no, 'abnormal_refund')).toEqual([]);
  });

  test('a dismissed refund still abnormal after thirty days opens a new intervention', async () => {
    const { no, question } = await dismissed();
    await oncepay.sql.query(
      `UPDATE interventions SET resolved_at = resolved_at - interval '30 days' WHERE id = $1`,
      [question.id],
    );
    await aDayLater(no);
    const next = await untilOpenedAgain(no, question);
    expect(next).toMatchObject({ previous_id: question.id, subject: question.subject });
    expect((await resolveByTwo(oncepay, next.id, 'to_bank_card')).status).toBe(200);
    expect(await oncepay.untilStatus(no, 'refunded')).toMatchObject({ attention: null });
  });
});

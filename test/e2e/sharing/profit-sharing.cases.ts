// Profit sharing end to end: shared, unfrozen, failed, repeated.
import { sharingWorkflowId } from '../../../domain/temporal/workflow-ids';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { resolve, setPolicy, setSetting, untilOpened } from '../support/interventions';
import {
  FIRST,
  PERSON,
  receiver,
  SECOND,
  sharableOrder,
  share,
  shared,
  sharingOf,
  sharingsOf,
  untilSharing,
} from '../support/sharing';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = sharedOncepay();
  for (const operation of ['wechat.sharing', 'wechat.sharing_query']) {
    await setPolicy(oncepay, operation, { base_delay_ms: 50, max_delay_ms: 500, max_attempts: 4 });
  }
});
afterEach(() => {
  oncepay.simulator.clearFaults();
  oncepay.simulator.setSharingOutcome({ result: 'SUCCESS' });
});

/** The sweep starts due work within 10 s. */
const SWEPT_MS = 30_000;

const atWechat = (no: string) => oncepay.simulator.balanceOf(no);
const asked = (number: string, operation: string): number =>
  oncepay.simulator.requestsOf(number).filter((one) => one.operation === operation).length;

test('receivers get their parts once; the rest is unfrozen when all have them', async () => {
  const no = await sharableOrder(oncepay);
  const receivers = [{ ...receiver(40), name: '示例商户' }, receiver(20, PERSON)];
  const outOrderNo = await shared(oncepay, no, receivers, { unfreeze_rest: true });
  const done = await untilSharing(oncepay, no, outOrderNo, 'finished');
  expect(done.receivers).toMatchObject([
    { account: FIRST, amount: 40, result: 'SUCCESS', fail_reason: null, returned: 0 },
    { account: PERSON, amount: 20, result: 'SUCCESS' },
  ]);
  await until('the rest is unfrozen', async () => {
    const [, rest] = await sharingsOf(oncepay, no);
    return rest?.kind === 'unfreeze' && rest.status === 'finished' ? true : null;
  });
  expect(atWechat(no)).toMatchObject({ sharedFen: 60, frozenFen: 0, unfrozenFen: 240 });
  const told = await until('the shop is told', () =>
    Promise.resolve(oncepay.webhooks.of(no).find(({ type }) => type === 'profit_sharing.finished')),
  );
  expect(told).toMatchObject({
    id: `${no}:profit_sharing.finished:${outOrderNo}`,
    data: {
      out_order_no: outOrderNo,
      receivers: [
        { line: 1, amount: 40, result: 'SUCCESS', fail_reason: null },
        { line: 2, amount: 20, result: 'SUCCESS', fail_reason: null },
      ],
    },
  });
  const again = await share(oncepay, no, {
    out_order_no: outOrderNo,
    receivers,
    unfreeze_rest: true,
  });
  expect([again.status, again.body]).toEqual([
    200,
    expect.objectContaining({ status: 'finished' }),
  ]);
  expect((await oncepay.order(no)).attention).toBeNull();
});

test('a receiver who is a person is shown with a masked openid to viewers', async () => {
  const no = await sharableOrder(oncepay);
  const outOrderNo = await shared(oncepay, no, [receiver(10, PERSON), receiver(10)]);
  for (const as of ['viewer', 'operator', 'merchant'] as const) {
    const account = as === 'merchant' ? PERSON : `${PERSON.slice(0, 4)}…`;
    const path = `/v1/orders/${no}/profit-sharing/${outOrderNo}`;
    const one = await oncepay.call('GET', path, { as });
    expect(one.body).toMatchObject({ receivers: [{ account }, { account: FIRST }] });
    const order = await oncepay.call('GET', `/v1/orders/${no}`, { as });
    expect(order.body).toMatchObject({ profit_sharings: [{ receivers: [{ account }, {}] }] });
  }
});

test('a receiver that fails stops no other one and gets its part by a new number', async () => {
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setSharingOutcome({ result: 'CLOSED', account: SECOND, times: 1 });
  const receivers = [receiver(40), receiver(20, SECOND)];
  const outOrderNo = await shared(oncepay, no, receivers, { unfreeze_rest: true });
  const done = await untilSharing(oncepay, no, outOrderNo, 'finished');
  expect(done.receivers).toMatchObject([
    { result: 'SUCCESS' },
    { result: 'CLOSED', fail_reason: 'ACCOUNT_ABNORMAL' },
  ]);
  const question = await untilOpened(oncepay, no, 'sharing_failed');
  expect(question).toMatchObject({ subject: outOrderNo, amount: 20 });
  expect(atWechat(no)).toMatchObject({ sharedFen: 40, frozenFen: 260 });
  expect((await resolve(oncepay, question.id, 'new_number')).status).toBe(200);
  await until('the rest is unfrozen', () =>
    Promise.resolve(atWechat(no)?.frozenFen === 0 ? true : null),
  );
  expect(atWechat(no)).toMatchObject({ sharedFen: 60, unfrozenFen: 240 });
  const [, second] = await sharingsOf(oncepay, no);
  expect(second).toMatchObject({ replaces: outOrderNo, receivers: [{ account: SECOND }] });
});

test.each(['cut_after', 'timeout_after', 'forged', 'unsigned'] as const)(
  'a sharing whose response is lost by %s is queried, and nobody gets anything twice',
  async (kind) => {
    const no = await sharableOrder(oncepay);
    oncepay.simulator.setFault({ operation: 'receiver_add', kind });
    oncepay.simulator.setFault({ operation: 'share', kind });
    const outOrderNo = await shared(oncepay, no, [receiver(40)]);
    await untilSharing(oncepay, no, outOrderNo, 'finished', SWEPT_MS);
    expect(atWechat(no)).toMatchObject({ sharedFen: 40 });
    expect(asked(outOrderNo, 'share')).toBe(1);
    expect(oncepay.simulator.sharingsOf(no)).toHaveLength(1);
  },
);

test('a request that never arrived is sent again with the same number and content', async () => {
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setFault({ operation: 'share', kind: 'cut', times: 2 });
  const outOrderNo = await shared(oncepay, no, [{ ...receiver(40), name: '示例商户' }]);
  await untilSharing(oncepay, no, outOrderNo, 'finished', SWEPT_MS);
  expect(atWechat(no)).toMatchObject({ sharedFen: 40 });
  expect(oncepay.simulator.contentsOf('sharings')[outOrderNo]).toBe(1);
});

test('a sharing that is requested at once reaches WeChat only after the delay', async () => {
  const delayMs = 3_000;
  await setSetting(oncepay, 'sharing_delay', `${delayMs}ms`);
  oncepay.simulator.setSharingRules({ shareableAfterMs: delayMs });
  try {
    const no = await sharableOrder(oncepay);
    const outOrderNo = await shared(oncepay, no, [receiver(40)]);
    await untilSharing(oncepay, no, outOrderNo, 'finished');
    const sent = oncepay.simulator
      .requestsOf(outOrderNo)
      .filter(({ operation }) => operation === 'share');
    // Sooner WeChat would have refused it by its rule.
    expect(sent).toMatchObject([{ status: 200 }]);
    const paidAtMs = oncepay.simulator.order(no)?.payments[0]?.successTimeMs ?? 0;
    expect(Date.parse(sent[0]?.at ?? '') - paidAtMs).toBeGreaterThanOrEqual(delayMs);
  } finally {
    oncepay.simulator.setSharingRules({ shareableAfterMs: 0 });
    await setSetting(oncepay, 'sharing_delay', null);
  }
});

test('a refused sharing that is dismissed shares nothing and frees its amount', async () => {
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setFault({ operation: 'share', kind: 'error', status: 403, code: 'NO_AUTH' });
  const outOrderNo = await shared(oncepay, no, [receiver(90)]);
  const question = await untilOpened(oncepay, no, 'sharing_failed');
  expect(question.evidence).toMatchObject({ wechat_code: 'NO_AUTH', out_order_no: outOrderNo });
  expect((await resolve(oncepay, question.id, 'dismiss')).status).toBe(200);
  await untilSharing(oncepay, no, outOrderNo, 'closed');
  await shared(oncepay, no, [receiver(90)]);
});

test('a refused sharing resolved with new_number is tried with the same number', async () => {
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setFault({
    operation: 'receiver_add',
    kind: 'error',
    status: 403,
    code: 'NO_AUTH',
  });
  const outOrderNo = await shared(oncepay, no, [receiver(90)]);
  const question = await untilOpened(oncepay, no, 'sharing_failed');
  expect((await resolve(oncepay, question.id, 'new_number')).status).toBe(200);
  await untilSharing(oncepay, no, outOrderNo, 'finished');
  expect(oncepay.simulator.sharingsOf(no).map((one) => one.outOrderNo)).toEqual([outOrderNo]);
});

test('the rest is unfrozen on request, also after a lost response', async () => {
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setFault({ operation: 'unfreeze', kind: 'cut_after' });
  const outOrderNo = await shared(oncepay, no, [], { unfreeze_rest: true });
  await untilSharing(oncepay, no, outOrderNo, 'finished', SWEPT_MS);
  expect(atWechat(no)).toMatchObject({ frozenFen: 0, unfrozenFen: 300 });
  const more = await share(oncepay, no, { out_order_no: 'x', receivers: [receiver(1)] });
  expect([more.status, more.body]).toEqual([
    409,
    expect.objectContaining({ code: 'NOTHING_TO_SHARE' }),
  ]);
});

test('a sharing with an unknown receiver is refused until two admins add it', async () => {
  const no = await sharableOrder(oncepay);
  const body = { out_order_no: `new-${no}`, receivers: [receiver(40), receiver(10, 'o-nobody')] };
  expect(await share(oncepay, no, body)).toMatchObject({
    status: 409,
    body: {
      code: 'RECEIVER_UNKNOWN',
      errors: [{ field: 'receivers[1].account', message: 'is not a known receiver' }],
    },
  });
  const added = { type: 'PERSONAL_OPENID', account: 'o-nobody' };
  for (const [as, status] of [
    ['admin', 202],
    ['deputy', 201],
  ] as const) {
    expect((await oncepay.call('POST', '/v1/receivers', { as, body: added })).status).toBe(status);
  }
  expect((await share(oncepay, no, body)).status).toBe(202);
  await untilSharing(oncepay, no, `new-${no}`, 'finished');
});

test('at its deadline the rest is unfrozen by itself', async () => {
  await setSetting(oncepay, 'unfreeze_after', '3s');
  const no = await sharableOrder(oncepay);
  await setSetting(oncepay, 'unfreeze_after', null);
  await until(
    'the rest is unfrozen',
    () => Promise.resolve(atWechat(no)?.frozenFen === 0 ? true : null),
    SWEPT_MS,
  );
  expect(oncepay.simulator.sharingsOf(no)).toMatchObject([{ kind: 'unfreeze' }]);
});

test('an order that was not made for sharing has no deadline', async () => {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  const { rows } = await oncepay.sql.query(
    'SELECT 1 FROM profit_sharings WHERE out_trade_no = $1',
    [no],
  );
  expect(rows).toEqual([]);
});

test('a sharing notice with a payment’s event type only triggers a query', async () => {
  const no = await sharableOrder(oncepay);
  const { history, transactions } = await oncepay.order(no);
  oncepay.simulator.setSharingOutcome({ result: 'PENDING' });
  const outOrderNo = await shared(oncepay, no, [receiver(40)]);
  await untilSharing(oncepay, no, outOrderNo, 'processing');
  const eventType = 'TRANSACTION.SUCCESS' as const;
  await oncepay.simulator.settleSharing({
    outOrderNo,
    account: FIRST,
    result: 'SUCCESS',
    eventType,
  });
  await untilSharing(oncepay, no, outOrderNo, 'finished');
  const handle = oncepay.temporal.workflow.getHandle(sharingWorkflowId(outOrderNo));
  await handle.result();
  const { events } = await handle.fetchHistory();
  const activities = events?.map(
    (event) => event.activityTaskScheduledEventAttributes?.activityType?.name,
  );
  expect(activities).toContain('lookAtSharing');
  expect(await oncepay.order(no)).toMatchObject({ history, transactions, status: 'fulfilled' });
  const { rows } = await oncepay.sql.query<{ verdict: string }>(
    `SELECT DISTINCT verdict FROM notification_inbox WHERE kind = 'profit_sharing'`,
  );
  expect(rows).toEqual([{ verdict: 'ignored' }]);
});

test('a notice that is false changes nothing: the run queries WeChat', async () => {
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setSharingOutcome({ result: 'PENDING' });
  const outOrderNo = await shared(oncepay, no, [receiver(40)]);
  await untilSharing(oncepay, no, outOrderNo, 'processing');
  const sent = await oncepay.simulator.sendRaw({
    kind: 'payment',
    outTradeNo: no,
    resource: { out_order_no: outOrderNo, receiver: { account: FIRST, result: 'SUCCESS' } },
  });
  expect(sent.status).toBe(204);
  await until('WeChat was asked', () =>
    Promise.resolve(asked(outOrderNo, 'share_query') > 0 ? true : null),
  );
  expect(await sharingOf(oncepay, no, outOrderNo)).toMatchObject({
    status: 'processing',
    receivers: [{ result: 'PENDING' }],
  });
});

// Requests that need two persons, over HTTP: 202, the list, approval, withdrawal and bounds.
import type { Reply } from '../../../stack/oncepay';
import { orderBody, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { expectProblem } from '../support/refusals';

const TWENTY_THOUSAND_YUAN = 2_000_000;

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

interface Proposal {
  readonly id: string;
  readonly action: string;
  readonly subject: string;
  readonly amount: number | null;
  readonly proposed_by: string;
  readonly expires_at: string;
}

/** An order of 20,000 元 that was paid. @returns its number */
async function paidOrder(change: object = {}): Promise<string> {
  const items = [{ sku: 'sofa', quantity: 1, unit_price: TWENTY_THOUSAND_YUAN }];
  const amount = { total: TWENTY_THOUSAND_YUAN, currency: 'CNY' };
  const { body } = await oncepay.call('POST', '/v1/orders', {
    body: orderBody({ items, amount, ...change }),
  });
  const { out_trade_no: no } = body as { out_trade_no: string };
  await oncepay.sql.query(
    `INSERT INTO payment_transactions (id, merchant_id, transaction_id, out_trade_no, order_no,
       status, trade_state, total_fen, currency)
     VALUES (gen_random_uuid(), '1900000001', 'tx-' || $1, $1, $1, 'applied', 'SUCCESS', $2,
       'CNY')`,
    [no, TWENTY_THOUSAND_YUAN],
  );
  await oncepay.sql.query(
    `UPDATE orders SET status = 'fulfilled', paid_at = now(), fulfilled_at = now()
     WHERE out_trade_no = $1`,
    [no],
  );
  return no;
}

type Who = 'merchant' | 'operator' | 'admin' | 'deputy' | 'viewer';

const refund = (no: string, amount: number, as: Who, key: string) =>
  oncepay.call('POST', `/v1/orders/${no}/refunds`, {
    as,
    body: { amount },
    headers: { 'idempotency-key': key },
  });
const put = (name: string, value: string | null, as: Who = 'admin') =>
  oncepay.call('PUT', `/v1/settings/${name}`, { as, body: { value } });
const approve = (id: string, as: Who) =>
  oncepay.call('POST', `/v1/proposals/${id}/approval`, { as, body: { note: 'checked by phone' } });

function proposalOf(reply: Reply): Proposal {
  expect([reply.status, reply.body]).toEqual([202, { proposal: expect.anything() as unknown }]);
  return (reply.body as unknown as { proposal: Proposal }).proposal;
}

async function list(status: string): Promise<(Proposal & Record<string, unknown>)[]> {
  const { body } = await oncepay.call('GET', `/v1/proposals?status=${status}&limit=200`, {
    as: 'viewer',
  });
  return (body as unknown as { data: (Proposal & Record<string, unknown>)[] }).data;
}

test('a refund of 20,000 元 by one person is a proposal; a second one carries it out', async () => {
  const no = await paidOrder();
  const reply = await refund(no, TWENTY_THOUSAND_YUAN, 'operator', `a-${no}`);
  const proposal = proposalOf(reply);
  expect(proposal).toEqual({
    id: expect.any(String) as string,
    action: 'refund',
    subject: no,
    amount: TWENTY_THOUSAND_YUAN,
    proposed_by: 'operator',
    expires_at: expect.any(String) as string,
  });
  const hours = (Date.parse(proposal.expires_at) - Date.now()) / 3_600_000;
  expect(Math.round(hours)).toBe(24);
  expect((await oncepay.order(no)).refunds).toEqual([]);
  expect((await list('open')).find(({ id }) => id === proposal.id)).toMatchObject({
    ...proposal,
    status: 'open',
    request: { amount: TWENTY_THOUSAND_YUAN },
  });
  expect(proposalOf(await refund(no, TWENTY_THOUSAND_YUAN, 'operator', `a-${no}`))).toEqual(
    proposal,
  );
  expectProblem(await approve(proposal.id, 'viewer'), 403);
  expectProblem(await approve(proposal.id, 'merchant'), 403);
  expect((await approve(proposal.id, 'operator')).body).toMatchObject({ code: 'SAME_PERSON' });

  const done = await refund(no, TWENTY_THOUSAND_YUAN, 'admin', `b-${no}`);
  expect(done).toMatchObject({ status: 202, body: { amount: TWENTY_THOUSAND_YUAN } });
  const { out_refund_no: refundNo } = done.body as { out_refund_no: string };
  for (const [as, key] of [
    ['operator', `a-${no}`],
    ['admin', `b-${no}`],
  ] as const) {
    const again = await refund(no, TWENTY_THOUSAND_YUAN, as, key);
    expect(again).toMatchObject({ status: 202, body: { out_refund_no: refundNo } });
  }
  expect((await oncepay.order(no)).refunds).toHaveLength(1);
  expect((await approve(proposal.id, 'admin')).body).toMatchObject({ code: 'PROPOSAL_ENDED' });
  expect((await list('done')).find(({ id }) => id === proposal.id)).toMatchObject({
    approved_by: 'admin',
    proposed_by: 'operator',
  });
});

test('a sharing of 1,500 元 by one person is a proposal; a second one carries it out', async () => {
  const receiver = { type: 'MERCHANT_ID', account: '1900000555' };
  for (const as of ['admin', 'deputy'] as const) {
    await oncepay.call('POST', '/v1/receivers', { as, body: receiver });
  }
  const no = await paidOrder({ profit_sharing: true });
  const body = { receivers: [{ ...receiver, amount: 150_000, description: 'commission' }] };
  const share = (as: Who) =>
    oncepay.call('POST', `/v1/orders/${no}/profit-sharing`, {
      as,
      body,
      headers: { 'idempotency-key': `${as}-${no}` },
    });
  const sharings = async () => {
    const { body: order } = await oncepay.call('GET', `/v1/orders/${no}`);
    return (order as unknown as { profit_sharings: unknown[] }).profit_sharings;
  };
  const proposal = proposalOf(await share('admin'));
  expect(proposal).toMatchObject({
    action: 'profit_sharing',
    subject: no,
    amount: 150_000,
    proposed_by: 'admin',
  });
  expect(proposalOf(await share('admin'))).toEqual(proposal);
  expect(await sharings()).toEqual([]);
  const shown = (await list('open')).find(({ id }) => id === proposal.id);
  const { out_order_no: number } = shown?.['request'] as { out_order_no: string };
  expectProblem(await approve(proposal.id, 'operator'), 403);
  expect((await approve(proposal.id, 'admin')).body).toMatchObject({ code: 'SAME_PERSON' });

  // Carried out under the number of the proposer, which both keys name from now on.
  for (const as of ['deputy', 'admin', 'deputy'] as const) {
    expect(await share(as)).toMatchObject({ status: 202, body: { out_order_no: number } });
  }
  expect(await sharings()).toMatchObject([{ out_order_no: number }]);
});

test('the shop’s key refunds until bounds are set, and the reply says what is left', async () => {
  const no = await paidOrder();
  expect((await put('merchant_refund_max_fen', '150000')).status).toBe(200);
  expect((await refund(no, 150_001, 'merchant', `m1-${no}`)).body).toMatchObject({
    code: 'LIMIT_EXCEEDED',
    left: 150_000,
  });
  expect((await refund(no, 150_000, 'merchant', `m2-${no}`)).status).toBe(202);
  // Off again lets more money move.
  const { id } = proposalOf(await put('merchant_refund_max_fen', null));
  expect(await approve(id, 'deputy')).toMatchObject({ status: 200, body: { value: '0' } });
});

test.each([
  ['sharing_ratio', '100%'],
  ['query_schedule', '1ms'],
  ['patrol_interval', '24h'],
  ['keep_idempotency_keys', '1d'],
  ['two_person_fen', '100001'],
  ['two_person_day_fen', '2000001'],
  ['late_payment', 'ask'],
])('one admin proposes %s %s; the deputy’s same request changes it', async (name, value) => {
  await put(name, null);
  const shown = async () => (await oncepay.call('GET', `/v1/settings/${name}`)).body;
  const before = await shown();
  const proposal = proposalOf(await put(name, value));
  expect(proposal).toMatchObject({ action: 'setting', subject: name, amount: null });
  expect(await shown()).toEqual(before);
  expectProblem(await approve(proposal.id, 'operator'), 403);
  expect((await put(name, value, 'deputy')).status).toBe(200);
  expect(await shown()).toMatchObject({ source: 'override', updated_by: 'deputy' });
});

test.each(['wechat.refund', 'wechat.sharing_query'])(
  'any change of the policy %s takes two persons, and reading it back changes nothing',
  async (operation) => {
    const path = `/v1/retry-policies/${operation}`;
    const { body } = await oncepay.call('GET', path);
    const policy = body as object;
    const { id } = proposalOf(
      await oncepay.call('PUT', path, { body: { ...policy, max_attempts: 77 } }),
    );
    expect((await oncepay.call('GET', path)).body).toEqual(body);
    expect(await approve(id, 'deputy')).toMatchObject({ status: 200, body: { max_attempts: 77 } });
    const read = (await oncepay.call('GET', path)).body as object;
    expect((await oncepay.call('PUT', path, { body: read })).status).toBe(200);
  },
);

test('a proposal of an older version is refused when it is approved', async () => {
  const path = '/v1/retry-policies/wechat.refund_query';
  const { body } = await oncepay.call('GET', path);
  const { id } = proposalOf(
    await oncepay.call('PUT', path, { body: { ...(body as object), max_attempts: 55 } }),
  );
  expect((await oncepay.call('PUT', path, { as: 'deputy', body: body as object })).status).toBe(
    200,
  );
  expect((await approve(id, 'deputy')).body).toMatchObject({ code: 'VERSION_CONFLICT' });
});

test('a withdrawn proposal can be approved by nobody', async () => {
  const { id } = proposalOf(await put('two_person_fen', '999999'));
  const withdraw = (as: Who) => oncepay.call('DELETE', `/v1/proposals/${id}`, { as });
  expectProblem(await withdraw('operator'), 403);
  expect((await withdraw('deputy')).status).toBe(204);
  expect((await approve(id, 'deputy')).body).toMatchObject({ code: 'PROPOSAL_ENDED' });
  expectProblem(await withdraw('admin'), 409);
  expect((await list('withdrawn')).map((one) => one.id)).toContain(id);
  expectProblem(await approve('01890a5d-ac96-774b-bcce-b302099a8057', 'admin'), 404);
});

test('a proposed resolution is among the proposals and is approved there', async () => {
  const no = await paidOrder();
  const { rows } = await oncepay.sql.query<{ id: string }>(
    `INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence)
     VALUES (gen_random_uuid(), $1, $1, 'reconciliation', 'tx-' || $1, '{}') RETURNING id`,
    [no],
  );
  const interventionId = rows[0]?.id ?? '';
  const path = `/v1/interventions/${interventionId}/resolution`;
  const body = { action: 'dismiss', note: 'a known difference' };
  const proposed = await oncepay.call('POST', path, { as: 'operator', body });
  const { resolution } = proposed.body as { resolution: { id: string; status: string } };
  expect([proposed.status, resolution.status]).toEqual([202, 'proposed']);
  expect((await list('open')).find(({ id }) => id === resolution.id)).toMatchObject({
    action: 'resolution',
    subject: interventionId,
    amount: TWENTY_THOUSAND_YUAN,
    proposed_by: 'operator',
  });
  expect((await approve(resolution.id, 'operator')).body).toMatchObject({ code: 'SAME_PERSON' });
  const approved = await approve(resolution.id, 'admin');
  expect(approved.body).toMatchObject({
    resolution: { status: 'approved', proposed_by: 'operator', approved_by: 'admin' },
  });
  expect((await approve(resolution.id, 'deputy')).body).toMatchObject({ code: 'PROPOSAL_ENDED' });
});

// Resolutions of interventions: two keys, repeats, refusals.
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import {
  resolve,
  lateOrder,
  orderOf,
  interventionsOf,
  setSetting,
  untilResolved,
  untilOpened,
  untilRefund,
} from '../support/interventions';
import { externalRefund } from '../support/refunds';

/** Above the sum that one key may move alone. */
const LARGE = { items: [{ sku: 'ring', quantity: 1, unit_price: 200_000 }] };
const LARGE_ORDER = { ...LARGE, amount: { total: 200_000, currency: 'CNY' } };

let oncepay: TestOncepay;
/** The worker that runs now: a test may stop it and start another one. */
let worker: TestOncepay['workers'][number] | undefined;
beforeAll(() => {
  oncepay = sharedOncepay();
  [worker] = oncepay.workers;
});
afterEach(() => oncepay.simulator.clearFaults());

async function mismatched(body?: Record<string, unknown>, totalFen = 299): Promise<string> {
  const no = await oncepay.newOrder(body);
  await oncepay.simulator.pay({ outTradeNo: no, totalFen });
  return no;
}

interface Resolution {
  readonly id: string;
  readonly status: string;
  readonly proposed_by: string | null;
  readonly approved_by: string | null;
}
const resolutionOf = (body: unknown) => (body as { resolution: Resolution }).resolution;

/** The entries of the audit log about a number's resolutions, the oldest first. */
async function audited(no: string): Promise<string[]> {
  const { rows } = await oncepay.sql.query<{ line: string }>(
    `SELECT format('%s %s %s: %s', actor, split_part(action, '.', 2), details->>'action',
       details->>'note') AS line
     FROM audit_log WHERE subject = $1 AND action LIKE 'intervention.%' ORDER BY id`,
    [no],
  );
  return rows.map(({ line }) => line);
}

describe('resolutions that need two keys', () => {
  test('above the limit the first key proposes, and only another one approves', async () => {
    const no = await mismatched(LARGE_ORDER, 199_999);
    const { id, amount } = await untilOpened(oncepay, no, 'amount_mismatch');
    expect(amount).toBe(199_999);
    const first = await resolve(oncepay, id, 'accept');
    expect(first.status).toBe(202);
    expect(resolutionOf(first.body)).toMatchObject({ status: 'proposed', proposed_by: 'operator' });
    const again = await resolve(oncepay, id, 'accept');
    expect(again.status).toBe(202);
    expect(resolutionOf(again.body)).toEqual(resolutionOf(first.body));
    expect(await interventionsOf(oncepay, no)).toMatchObject([
      { id, pending: { action: 'accept', status: 'proposed', proposed_by: 'operator' } },
    ]);
    const second = await resolve(oncepay, id, 'accept', { as: 'admin' });
    expect(second.status).toBe(200);
    expect(resolutionOf(second.body)).toMatchObject({ status: 'done', approved_by: 'admin' });
    await oncepay.untilStatus(no, 'fulfilled');
    expect(await audited(no)).toEqual([
      'operator proposed accept: looked into it',
      'admin approved accept: looked into it',
    ]);
  });

  test('a proposal is replaced by another resolution', async () => {
    const no = await mismatched(LARGE_ORDER, 199_999);
    const { id } = await untilOpened(oncepay, no, 'amount_mismatch');
    expect((await resolve(oncepay, id, 'accept')).status).toBe(202);
    expect((await resolve(oncepay, id, 'refund', { as: 'admin' })).status).toBe(202);
    expect((await resolve(oncepay, id, 'accept', { as: 'admin' })).status).toBe(202);
    expect((await resolve(oncepay, id, 'accept')).status).toBe(200);
    await oncepay.untilStatus(no, 'fulfilled');
    const { rows } = await oncepay.sql.query<{ status: string }>(
      'SELECT status FROM intervention_resolutions WHERE intervention_id = $1 ORDER BY id',
      [id],
    );
    expect(rows.map(({ status }) => status)).toEqual(['withdrawn', 'withdrawn', 'done']);
    expect(await audited(no)).toEqual([
      'operator proposed accept: looked into it',
      'admin withdrawn accept: looked into it',
      'admin proposed refund: looked into it',
      'admin withdrawn refund: looked into it',
      'admin proposed accept: looked into it',
      'operator approved accept: looked into it',
    ]);
  });

  test('a resolution that moves no money needs one key, whatever the amount', async () => {
    const no = await mismatched(LARGE_ORDER, 199_999);
    const { id } = await untilOpened(oncepay, no, 'amount_mismatch');
    expect((await resolve(oncepay, id, 'retry')).status).toBe(200);
  });

  test('a signal sent by hand only proposes; a key approves it', async () => {
    const no = await mismatched();
    const { id: interventionId } = await untilOpened(oncepay, no, 'amount_mismatch');
    const run = oncepay.temporal.workflow.getHandle(no);
    await run.signal('propose', { interventionId, action: 'nonsense', note: 'x' });
    await run.signal('propose', null);
    await run.signal('propose', { action: 'accept' });
    await run.signal('propose', 'accept it');
    await run.signal('propose', { interventionId, action: 'accept', note: 'seen in Web UI' });
    const [question] = await until('it is proposed', async () => {
      const open = await interventionsOf(oncepay, no);
      return open[0]?.pending ? open : null;
    });
    expect(question?.pending).toMatchObject({
      action: 'accept',
      status: 'proposed',
      note: 'seen in Web UI',
      proposed_by: null,
    });
    expect((await oncepay.order(no)).status).toBe('awaiting_payment');
    expect((await resolve(oncepay, interventionId, 'accept')).status).toBe(200);
    await oncepay.untilStatus(no, 'fulfilled');
    expect(await audited(no)).toEqual([
      'temporal-web-ui proposed accept: seen in Web UI',
      'operator approved accept: looked into it',
    ]);
  });

  test('a large sum proposed by a signal still needs two keys', async () => {
    const no = await mismatched(LARGE_ORDER, 199_999);
    const { id: interventionId } = await untilOpened(oncepay, no, 'amount_mismatch');
    const proposal = { interventionId, action: 'accept', note: 'x' };
    await oncepay.temporal.workflow.getHandle(no).signal('propose', proposal);
    await until('it is proposed', async () => {
      const [open] = await interventionsOf(oncepay, no);
      return open?.pending;
    });
    expect((await resolve(oncepay, interventionId, 'accept')).status).toBe(202);
    expect((await resolve(oncepay, interventionId, 'accept')).status).toBe(202);
    expect((await resolve(oncepay, interventionId, 'accept', { as: 'admin' })).status).toBe(200);
  });
});

test('twenty resolutions at the same moment are one, carried out once', async () => {
  const no = await lateOrderWithIntervention();
  const { id } = await untilOpened(oncepay, no, 'late_payment');
  const all = await Promise.all(Array.from({ length: 20 }, () => resolve(oncepay, id, 'refund')));
  expect(new Set(all.map(({ status }) => status))).toEqual(new Set([200]));
  expect(new Set(all.map(({ body }) => resolutionOf(body).id)).size).toBe(1);
  await oncepay.untilStatus(no, 'refunded');
  expect(oncepay.simulator.refundsOf(no)).toHaveLength(1);
});

async function lateOrderWithIntervention(): Promise<string> {
  await setSetting(oncepay, 'late_payment', 'ask');
  try {
    const no = await lateOrder(oncepay);
    await untilOpened(oncepay, no, 'late_payment');
    return no;
  } finally {
    await setSetting(oncepay, 'late_payment', null);
  }
}

test('a payment that does not match is decided again at each retry', async () => {
  const no = await mismatched();
  const seen = new Set<string>();
  for (let n = 0; n < 3; n += 1) {
    const { id } = await until(
      'it is asked, or asked anew',
      async () => {
        const open = await interventionsOf(oncepay, no);
        return open.find((one) => one.reason === 'amount_mismatch' && !seen.has(one.id));
      },
      30_000,
    );
    seen.add(id);
    if (n < 2) expect((await resolve(oncepay, id, 'retry')).status).toBe(200);
    else expect((await resolve(oncepay, id, 'accept')).status).toBe(200);
  }
  await oncepay.untilStatus(no, 'fulfilled');
});

test('a resolution without a running worker is kept and carried out later', async () => {
  const { no, sku } = await orderOf(oncepay, { kind: 'virtual' });
  await oncepay.simulator.pay({ outTradeNo: no });
  const { id } = await untilOpened(oncepay, no, 'no_codes');
  await worker?.kill();
  const codes = [`${sku}-1`, `${sku}-2`];
  await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
  const kept = await resolve(oncepay, id, 'retry');
  expect(kept.status).toBe(202);
  expect(resolutionOf(kept.body).status).toBe('approved');
  // The same resolution again while it waits is the same one; another one has to wait.
  expect(resolutionOf((await resolve(oncepay, id, 'retry')).body).id).toBe(
    resolutionOf(kept.body).id,
  );
  const other = await resolve(oncepay, id, 'skip');
  expect(other).toMatchObject({ status: 409, body: { code: 'ANSWER_UNDER_WAY' } });
  worker = await oncepay.startWorker();
  oncepay.workers.push(worker);
  const order = await oncepay.untilStatus(no, 'fulfilled', 60_000);
  expect(order.codes?.map(({ code }) => code).sort()).toEqual(codes);
  expect(order.attention).toBeNull();
});

test('two interventions of one order: a resolution must name its intervention', async () => {
  const { no, sku } = await orderOf(oncepay, { kind: 'virtual' });
  await oncepay.simulator.pay({ outTradeNo: no });
  const codes = await untilOpened(oncepay, no, 'no_codes');
  const { transaction_id: transactionId } = await oncepay.order(no);
  // Made elsewhere, and of more than the payment.
  const resource = externalRefund(no, transactionId ?? '', 301);
  await oncepay.simulator.sendRaw({ kind: 'refund', outTradeNo: no, resource });
  const books = await untilOpened(oncepay, no, 'reconciliation');
  const order = await oncepay.order(no);
  expect(order.attention).toMatchObject({ id: codes.id, open_count: 2 });
  const path = `/v1/orders/${no}/resolution`;
  const unclear = await oncepay.call('POST', path, { body: { action: 'retry', note: 'which' } });
  expect(unclear).toMatchObject({
    status: 409,
    body: { code: 'INTERVENTION_AMBIGUOUS', interventions: [{ id: codes.id }, { id: books.id }] },
  });
  const named = { intervention_id: books.id, action: 'dismiss', note: 'known in accounting' };
  expect((await oncepay.call('POST', path, { body: named })).status).toBe(200);
  await oncepay.call('POST', `/v1/products/${sku}/codes`, {
    body: { codes: [`${sku}1`, `${sku}2`] },
  });
  const only = await oncepay.call('POST', path, {
    body: { action: 'retry', note: 'codes are in' },
  });
  expect(only.status).toBe(200);
  await oncepay.untilStatus(no, 'fulfilled');
  // The second click is the same resolution; anything else finds no open intervention.
  const again = await oncepay.call('POST', path, {
    body: { action: 'retry', note: 'codes are in' },
  });
  expect([again.status, resolutionOf(again.body).id]).toEqual([200, resolutionOf(only.body).id]);
  const none = await oncepay.call('POST', path, { body: { action: 'retry', note: 'again' } });
  expect(none).toMatchObject({ status: 409, body: { code: 'NOTHING_OPEN' } });
});

describe('resolutions that are refused', () => {
  let no: string;
  let id: string;
  beforeAll(async () => {
    no = await mismatched();
    ({ id } = await untilOpened(oncepay, no, 'amount_mismatch'));
  });

  const note = 'n';
  const NOBODY = '01890000-0000-7000-8000-000000000000';
  test.each([
    ['an unknown action', { action: 'explode', note }, 400, 'VALIDATION_ERROR'],
    ['no note', { action: 'accept' }, 400, 'VALIDATION_ERROR'],
    ['an empty note', { action: 'accept', note: '' }, 400, 'VALIDATION_ERROR'],
    ['a field nobody knows', { action: 'accept', note, amount: 1 }, 400, 'VALIDATION_ERROR'],
    [
      'params that accept has not',
      { action: 'accept', note, params: { a: 'b' } },
      400,
      'VALIDATION_ERROR',
    ],
    ['to_user without a card', { action: 'to_user', note }, 400, 'VALIDATION_ERROR'],
    [
      'to_user with half a card',
      { action: 'to_user', note, params: { bank_type: 'ICBC_DEBIT' } },
      400,
      'VALIDATION_ERROR',
    ],
    ['an action of another reason', { action: 'skip', note }, 409, 'ACTION_NOT_ALLOWED'],
  ] as const)('a resolution with %s is refused', async (_what, body, status, code) => {
    const path = `/v1/interventions/${id}/resolution`;
    const replied = await oncepay.call('POST', path, { as: 'operator', body });
    expect(replied).toMatchObject({ status, body: { code } });
    expect(replied.headers.get('content-type')).toMatch(/^application\/problem\+json/);
  });

  test('a resolution with an invalid, unknown or foreign id is refused', async () => {
    const body = { action: 'accept', note };
    const at = (path: string, more: object = {}) =>
      oncepay.call('POST', path, { body: { ...body, ...more } });
    expect((await at('/v1/interventions/x/resolution')).status).toBe(400);
    expect((await at(`/v1/interventions/${NOBODY}/resolution`)).status).toBe(404);
    const other = await oncepay.newOrder();
    const foreign = await at(`/v1/orders/${other}/resolution`, { intervention_id: id });
    expect(foreign).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect(await at(`/v1/orders/${other}/resolution`)).toMatchObject({
      status: 409,
      body: { code: 'NOTHING_OPEN' },
    });
    expect((await at('/v1/orders/2025112601000000000019/resolution')).status).toBe(400);
  });

  test('a resolution by a viewer’s or a merchant’s key is refused', async () => {
    for (const as of ['viewer', 'merchant'] as const) {
      const path = `/v1/interventions/${id}/resolution`;
      const replied = await oncepay.call('POST', path, { as, body: { action: 'accept', note } });
      expect(replied.status).toBe(403);
    }
  });

  test('a resolution of a resolved intervention is refused', async () => {
    expect((await resolve(oncepay, id, 'accept')).status).toBe(200);
    expect(await resolve(oncepay, id, 'refund')).toMatchObject({
      status: 409,
      body: { code: 'INTERVENTION_RESOLVED', resolution: 'accept' },
    });
    await oncepay.untilStatus(no, 'fulfilled');
  });
});

test('a late payment can’t be accepted once its stock is sold or its refund held', async () => {
  const { no, sku } = await orderOf(oncepay, { kind: 'physical', stock: 2 });
  await setSetting(oncepay, 'late_payment', 'ask');
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  await oncepay.untilStatus(no, 'closed');
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  const { id } = await untilOpened(oncepay, no, 'late_payment');
  await setSetting(oncepay, 'late_payment', null);
  const items = [{ sku, quantity: 2, unit_price: 150 }];
  const other = await oncepay.newOrder({ items });
  expect(await resolve(oncepay, id, 'accept')).toMatchObject({
    status: 409,
    body: { code: 'OUT_OF_STOCK' },
  });
  await oncepay.call('POST', `/v1/orders/${other}/close`);
  await oncepay.untilStatus(other, 'closed');
  oncepay.simulator.setRefundOutcome({ status: 'PROCESSING', times: 1 });
  expect((await resolve(oncepay, id, 'refund')).status).toBe(200);
  await untilRefund(oncepay, no, 'processing');
  expect(await resolve(oncepay, id, 'accept')).toMatchObject({ status: 409 });
  const [refund] = oncepay.simulator.refundsOf(no);
  await oncepay.simulator.settleRefund({
    outRefundNo: refund?.outRefundNo ?? '',
    status: 'SUCCESS',
  });
  await oncepay.untilStatus(no, 'refunded');
  const { body } = await oncepay.call('GET', `/v1/products/${sku}`);
  expect(body).toMatchObject({ stock: 2, reserved: 0, sold: 0 });
});

test('a resolution not carried out yet is refused once a payment ends its case', async () => {
  oncepay.simulator.setFault({
    operation: 'close',
    kind: 'error',
    status: 403,
    code: 'NO_AUTH',
    times: 99,
  });
  const no = await oncepay.newOrder({ expires_in_seconds: 3_600 });
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  const { id } = await untilOpened(oncepay, no, 'wechat_failed');
  await worker?.kill();
  const given = await resolve(oncepay, id, 'retry');
  expect([given.status, resolutionOf(given.body).status]).toEqual([202, 'approved']);
  await oncepay.simulator.pay({ outTradeNo: no });
  worker = await oncepay.startWorker();
  oncepay.workers.push(worker);
  await oncepay.untilStatus(no, 'fulfilled', 60_000);
  await untilResolved(oncepay, id);
  const { rows } = await oncepay.sql.query(
    'SELECT status, refusal_code FROM intervention_resolutions WHERE intervention_id = $1',
    [id],
  );
  expect(rows).toEqual([{ status: 'refused', refusal_code: 'MOOT' }]);
  expect(await resolve(oncepay, id, 'retry')).toMatchObject({
    status: 409,
    body: { code: 'INTERVENTION_RESOLVED', resolution: 'moot' },
  });
}, 120_000);

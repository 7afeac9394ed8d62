// Reading and overriding settings at runtime.
import { orderBody, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { putByTwo } from '../../e2e/support/interventions';
import { countRows, expectProblem } from '../support/refusals';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

const put = (name: string, body: unknown) =>
  oncepay.call('PUT', `/v1/settings/${name}`, { body: body as object });

test('a setting without an override has the value of the environment or the default', async () => {
  const { body } = await oncepay.call('GET', '/v1/settings', { as: 'viewer' });
  const nobody = { version: 0, updated_by: null, updated_at: null };
  expect(body).toEqual({
    data: [
      { name: 'payment_window', value: '30m', source: 'default', ...nobody },
      { name: 'query_schedule', value: '30s,90s', source: 'environment', ...nobody },
      { name: 'refund_spacing', value: '1m', source: 'default', ...nobody },
      { name: 'patrol_interval', value: '5m', source: 'default', ...nobody },
      { name: 'sharing_ratio', value: '30%', source: 'default', ...nobody },
      { name: 'sharing_delay', value: '1m', source: 'default', ...nobody },
      { name: 'unfreeze_after', value: '29d', source: 'default', ...nobody },
      { name: 'sharing_receivers', value: 'known', source: 'default', ...nobody },
      { name: 'late_payment', value: 'refund', source: 'default', ...nobody },
      { name: 'keep_callback_bodies', value: '90d', source: 'default', ...nobody },
      { name: 'keep_idempotency_keys', value: '30d', source: 'default', ...nobody },
      { name: 'keep_delivery_logs', value: '30d', source: 'default', ...nobody },
      { name: 'two_person_fen', value: '100000', source: 'default', ...nobody },
      { name: 'two_person_day_fen', value: '1000000', source: 'default', ...nobody },
      { name: 'merchant_refund_max_fen', value: '0', source: 'default', ...nobody },
      { name: 'merchant_refund_day_fen', value: '0', source: 'default', ...nobody },
      { name: 'reconcile_foreign_prefixes', value: '', source: 'default', ...nobody },
    ],
  });
});

test('an override holds for new orders at once and null removes it', async () => {
  const windowOf = async () => {
    const askedMs = Date.now();
    const { body } = await oncepay.call('POST', '/v1/orders', { body: orderBody() });
    const { out_trade_no: no } = body as { out_trade_no: string };
    const { rows } = await oncepay.sql.query<{ at: Date }>(
      `SELECT expires_at AS at FROM orders WHERE out_trade_no = $1`,
      [no],
    );
    return Math.round(((rows[0]?.at.getTime() ?? 0) - askedMs) / 60_000);
  };
  expect(await windowOf()).toBe(30);
  const set = await put('payment_window', { value: '2h' });
  expect(set.body).toMatchObject({ value: '2h', source: 'override', version: 1 });
  expect(await windowOf()).toBe(120);
  const back = await put('payment_window', { value: null, version: 1 });
  expect(back.body).toMatchObject({ value: '30m', source: 'default', version: 2 });
  expect(await windowOf()).toBe(30);
  const { rows } = await oncepay.sql.query<Record<string, unknown>>(
    `SELECT role, action, details FROM audit_log WHERE subject = 'payment_window' ORDER BY id`,
  );
  expect(rows).toEqual([
    {
      role: 'admin',
      action: 'setting.put',
      details: { before: { value: null, version: 0 }, after: { value: 7_200_000, version: 1 } },
    },
    {
      role: 'admin',
      action: 'setting.put',
      details: { before: { value: 7_200_000, version: 1 }, after: { value: null, version: 2 } },
    },
  ]);
}, 60_000);

test('a second change of the same version of a setting is refused as a conflict', async () => {
  const replies = await Promise.all([
    put('patrol_interval', { value: '1m', version: 0 }),
    put('patrol_interval', { value: '2m', version: 0 }),
  ]);
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 409]);
  const refused = replies.find(({ status }) => status === 409);
  expect(refused?.body).toMatchObject({ code: 'VERSION_CONFLICT' });
});

test.each([
  ['late_payment', 'ask', 'ask'],
  ['late_payment', 'refund', 'refund'],
  ['sharing_receivers', 'any', 'any'],
  ['sharing_receivers', 'known', 'known'],
  ['query_schedule', '30s,1m,120s', '30s,1m,2m'],
  ['refund_spacing', '0ms', '0d'],
  ['patrol_interval', '30s', '30s'],
  ['keep_callback_bodies', '24h', '1d'],
  ['keep_idempotency_keys', '1d', '1d'],
  ['keep_delivery_logs', '3650d', '3650d'],
  ['two_person_fen', '5000', '5000'],
  ['two_person_day_fen', '0', '0'],
  ['merchant_refund_max_fen', '900', '900'],
])('the setting %s accepts %s and shows %s', async (name, value, shown) => {
  await putByTwo(oncepay, `/v1/settings/${name}`, { value });
  const { body } = await oncepay.call('GET', `/v1/settings/${name}`);
  expect(body).toMatchObject({ name, value: shown, source: 'override' });
});

test.each<[string, unknown, string]>([
  ['payment_window', { value: '999ms' }, 'value'],
  ['payment_window', { value: '8d' }, 'value'],
  ['payment_window', { value: 'soon' }, 'value'],
  ['payment_window', { value: 30 }, 'value'],
  ['payment_window', {}, 'value'],
  ['payment_window', { value: '30m', version: -1 }, 'version'],
  ['payment_window', { value: '30m', more: 1 }, 'more'],
  ['query_schedule', { value: '30s,,1m' }, 'value'],
  ['query_schedule', { value: '0s' }, 'value'],
  ['query_schedule', { value: '' }, 'value'],
  ['refund_spacing', { value: '-1s' }, 'value'],
  ['patrol_interval', { value: '25h' }, 'value'],
  ['late_payment', { value: 'keep' }, 'value'],
  ['sharing_receivers', { value: 'none' }, 'value'],
  ['keep_callback_bodies', { value: '23h' }, 'value'],
  ['keep_callback_bodies', { value: '3651d' }, 'value'],
  ['keep_idempotency_keys', { value: '86399s' }, 'value'],
  ['keep_idempotency_keys', { value: '3651d' }, 'value'],
  ['keep_delivery_logs', { value: '0d' }, 'value'],
  ['keep_delivery_logs', { value: '99999d' }, 'value'],
  ['two_person_fen', { value: '-1' }, 'value'],
  ['two_person_day_fen', { value: '1 yuan' }, 'value'],
  ['merchant_refund_max_fen', { value: '2147483648' }, 'value'],
])('the setting %s refuses %p and names %s', async (name, body, field) => {
  const rows = await countRows(oncepay.sql);
  expectProblem(await put(name, body), 400, field);
  expect(await countRows(oncepay.sql)).toEqual(rows);
});

test('an unknown setting is refused with 404 and a change by another role with 403', async () => {
  expectProblem(await put('port', { value: '1s' }), 404);
  expectProblem(await oncepay.call('GET', '/v1/settings/constructor'), 404);
  const refused = await oncepay.call('PUT', '/v1/settings/late_payment', {
    as: 'operator',
    body: { value: 'ask' },
  });
  expectProblem(refused, 403);
});

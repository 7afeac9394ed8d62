// Values that no encryption key decrypts, over HTTP: null and a mark, or 503, and never 500.
import { orderReply } from '../../../api/orders/replies';
import { orderBody, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';

/** Encrypted with a key that the ring doesn't have. */
const LOST = 'v1.lost.AAAA';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

/** The open interventions of a number, once there are some. */
const openOf = (no: string) =>
  until('an intervention is open', async () => {
    const { body } = await oncepay.call('GET', '/v1/interventions?status=open&limit=200');
    const { data } = body as unknown as { data: { out_trade_no: string; subject: string }[] };
    const found = data.filter(({ out_trade_no: of }) => of === no);
    return found.length > 0 ? found.map(({ subject }) => subject) : null;
  });

test('an order shows a code without its key as null, and opens one intervention', async () => {
  const { status, body } = await oncepay.call('POST', '/v1/orders', { body: orderBody({}) });
  expect([status, body]).toMatchObject([201, {}]);
  const { out_trade_no: no } = body as { out_trade_no: string };
  await oncepay.sql.query(
    `WITH p AS (INSERT INTO products (sku, name, kind) VALUES ('lost', 'x', 'virtual'))
     INSERT INTO product_codes (id, sku, code_encrypted, code_hash, out_trade_no, line,
       delivered_at)
     VALUES (gen_random_uuid(), 'lost', $1, 'lost', $2, 1, now())`,
    [LOST, no],
  );
  const look = () => oncepay.call('GET', `/v1/orders/${no}`, { as: 'merchant' });
  const replies = await Promise.all([look(), look(), look()]);
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
  for (const reply of replies) {
    expect(orderReply.parse(reply.body).codes).toMatchObject([{ code: null, unreadable: true }]);
  }
  expect(await openOf(no)).toEqual(['unreadable_value:product_codes.code']);
});

test('a receiver without its key is listed as null and can be removed', async () => {
  const { rows } = await oncepay.sql.query<{ id: string }>(
    `INSERT INTO known_receivers (id, type, account_hash, account_encrypted, created_at)
     VALUES (gen_random_uuid(), 'MERCHANT_ID', 'lost', $1, now()) RETURNING id::text`,
    [LOST],
  );
  const id = rows[0]?.id ?? '';
  const { status, body } = await oncepay.call('GET', '/v1/receivers?limit=200');
  expect(status).toBe(200);
  const { data } = body as unknown as { data: { id: string }[] };
  expect(data.find((one) => one.id === id)).toMatchObject({ account: null, unreadable: true });
  expect(await openOf('receivers')).toEqual(['unreadable_value:known_receivers.account']);
  expect((await oncepay.call('DELETE', `/v1/receivers/${id}`)).status).toBe(204);
});

test('a proposal without its key is not approved: 503, and an intervention says why', async () => {
  const change = { body: { value: '40%' } };
  const { status, body } = await oncepay.call('PUT', '/v1/settings/sharing_ratio', change);
  expect(status).toBe(202);
  const { proposal } = body as unknown as { proposal: { id: string } };
  await oncepay.sql.query('UPDATE proposals SET request_encrypted = $1 WHERE id = $2', [
    LOST,
    proposal.id,
  ]);
  const path = `/v1/proposals/${proposal.id}/approval`;
  expect(await oncepay.call('POST', path, { as: 'deputy', body: {} })).toMatchObject({
    status: 503,
    body: { code: 'TEMPORARY_FAILURE' },
  });
  expect(await openOf('proposals')).toEqual(['unreadable_value:proposals.request']);
  expect((await oncepay.call('DELETE', `/v1/proposals/${proposal.id}`)).status).toBe(204);
});

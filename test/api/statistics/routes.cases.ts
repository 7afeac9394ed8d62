// The statistics over HTTP: what happened is in them half a minute later, each thing once.
import { randomUUID } from 'node:crypto';
import { orderBody, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import { expectProblem } from '../support/refusals';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

interface Reply {
  readonly as_of: string | null;
  readonly step: string;
  readonly data: {
    readonly at: string;
    readonly orders: number;
    readonly callbacks: Record<'added' | 'duplicate' | 'conflicting' | 'refused', number>;
    readonly answer_ms: Record<string, number | null>;
    readonly retries: object;
  }[];
}

type Counts = Record<'orders' | 'duplicate' | 'added' | 'refused' | 'flood', number>;

async function read(query = ''): Promise<Reply> {
  const { status, body } = await oncepay.call('GET', `/v1/statistics${query}`, { as: 'viewer' });
  expect(status).toBe(200);
  return body as unknown as Reply;
}

test('a flood of one callback and an order are counted exactly', async () => {
  const repeats = 60;
  const notifyUrl = oncepay.notifyUrl;
  const sent = { kind: 'unknown_shape', notifyUrl, id: randomUUID() } as const;
  expect((await oncepay.simulator.sendRaw(sent)).status).toBe(204);
  await Promise.all(Array.from({ length: repeats }, () => oncepay.simulator.sendRaw(sent)));
  const items = [{ sku: 'counted', quantity: 2, unit_price: 150 }];
  const made = await oncepay.call('POST', '/v1/orders', { body: orderBody({ items }) });
  expect(made.status).toBe(201);
  const afterMs = Date.now();
  const {
    data,
    step,
    as_of: asOf,
  } = await until(
    'the statistics cover it',
    async () => {
      const reply = await read();
      return reply.as_of !== null && Date.parse(reply.as_of) > afterMs ? reply : null;
    },
    90_000,
  );
  expect([step, data.length]).toEqual(['1h', 24]);
  const sum = (of: (one: Reply['data'][number]) => number) =>
    data.reduce((total, one) => total + of(one), 0);
  const { rows } = await oncepay.sql.query<Counts>(
    `SELECT (SELECT count(*)::int FROM orders WHERE created_at < $1 AND created_at >= $3) AS orders,
       sum(1 + repeats) FILTER (WHERE outcome = 'duplicate')::int AS duplicate,
       sum(1 + repeats) FILTER (WHERE outcome = 'added')::int AS added,
       coalesce(sum(1 + repeats) FILTER (
         WHERE outcome NOT IN ('duplicate', 'added', 'conflicting')), 0)::int AS refused,
       sum(1 + repeats) FILTER (WHERE notification_id = $2)::int AS flood
     FROM callback_deliveries WHERE received_at < $1`,
    [asOf, sent.id, data[0]?.at],
  );
  expect(rows[0]?.flood).toBe(repeats + 1);
  expect({
    orders: sum(({ orders }) => orders),
    duplicate: sum(({ callbacks }) => callbacks.duplicate),
    added: sum(({ callbacks }) => callbacks.added),
    refused: sum(({ callbacks }) => callbacks.refused),
    flood: repeats + 1,
  }).toEqual(rows[0]);
}, 120_000);

test('every step of a range is there, and one without callbacks has no times', async () => {
  const query = '?from=2026-01-01T00:00:00%2B08:00&to=2026-01-03T00:00:00%2B08:00&step=1d';
  const { data } = await read(query);
  expect(data.map(({ at }) => at)).toEqual([
    '2025-12-31T16:00:00.000Z',
    '2026-01-01T16:00:00.000Z',
  ]);
  expect(data[0]).toMatchObject({
    orders: 0,
    callbacks: { added: 0, duplicate: 0, conflicting: 0, refused: 0 },
    answer_ms: { mean: null, p50: null, p95: null },
    retries: {},
  });
});

test.each([
  ['from=2026-01-02T00:00:00Z&to=2026-01-02T00:00:00Z', 'from'],
  ['from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', 'from'],
  ['from=2999-01-02T00:00:00Z', 'from'],
  ['from=2026-01-01T00:00:00Z&to=2026-01-04T11:20:01Z&step=5m', 'from'],
  ['from=yesterday', 'from'],
  ['step=2h', 'step'],
  ['steps=1h', 'steps'],
])('%s is refused', async (query, field) => {
  expectProblem(await oncepay.call('GET', `/v1/statistics?${query}`), 400, field);
});

test('a thousand steps are served', async () => {
  const { data } = await read('?from=2026-01-01T00:00:00Z&to=2026-01-04T11:20:00Z&step=5m');
  expect(data).toHaveLength(1_000);
});

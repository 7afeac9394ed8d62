/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests the creation of orders: numbers, fingerprints, Idempotency-Keys and stock.
import { Pool } from 'pg';
import type { DatabaseContext } from '../../../database/core/context';
import type { Database } from '../../../database/database';
import { createKeyedHash } from '../../../database/encryption/keyed-hash';
import type { IdempotencyGuard } from '../../../database/core/claim-idempotency-key';
import type { CreationResult, NewOrder } from '../../../database/orders/create-order';
import { CHANNEL_NAMES } from '../../../domain/orders/channels';
import { parseOrderNumber, SEQUENCE_SIZE } from '../../../domain/orders/order-number';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { createOrderNumbers, openDatabase, PrismaClient, PrismaPg } from '../support/built';
import { secrets } from '../support/secrets';
import { fen } from '../../../domain/money';

const ACTOR = { name: 'shop', role: 'merchant' };
const NOON_MS = Date.parse('2026-01-01T12:00:00+08:00');
const MINUTE_MS = 60_000;

let database: TestDatabase;
let sql: Pool;
/** Two processes of the api, as the database sees them. */
let one: Database;
let two: Database;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Pool({ connectionString: database.url, max: 3 });
  const open = () => openDatabase({ url: database.url, ...secrets, webhooks: false });
  [one, two] = [open(), open()];
});
afterAll(async () => {
  await Promise.all([one.end(), two.end(), sql.end()]);
  await database.drop();
});

let users = 0;
function newOrder(change: Partial<NewOrder> = {}): NewOrder {
  users += 1;
  return {
    channel: 'admin',
    userId: `user-${users}`,
    openid: null,
    clientIp: null,
    description: 'A T-shirt',
    items: [{ sku: 'shirt', quantity: 1, unitPriceFen: fen(300), kind: null }],
    totalFen: fen(300),
    currency: 'CNY',
    shopOrderNo: null,
    profitSharing: false,
    metadata: null,
    appId: 'wx1',
    merchantId: '1600000000',
    notifyUrl: 'https://shop.example/callbacks/wechat',
    timeExpire: '2026-01-01T12:31:00+08:00',
    expiresAtMs: NOON_MS + 30 * MINUTE_MS,
    ...change,
  };
}
const guard = (key: string, body = 'body'): IdempotencyGuard => ({
  client: 'shop',
  route: 'POST /v1/orders',
  key,
  body,
});
const create = (order: NewOrder, key: IdempotencyGuard | null = null, atMs = NOON_MS, by = one) =>
  by.orders.create(order, key, ACTOR, atMs);
const numberOf = (result: CreationResult) => ('outTradeNo' in result ? result.outTradeNo : null);

/** The same work `times` times at once, in turns by each process. */
const atOnce = <T>(times: number, work: (by: Database, index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: times }, (_, i) => work(i % 2 === 0 ? one : two, i)));

async function put(sku: string, stock: number | null): Promise<void> {
  await one.products.put({ sku, name: sku, kind: 'physical', stock }, ACTOR);
}
async function count(table: string): Promise<number> {
  const { rows } = await sql.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`);
  return rows[0]?.n ?? 0;
}

describe('numbers', () => {
  test.each(CHANNEL_NAMES)(
    'an order of the channel %s gets a valid number with day and channel',
    async (channel) => {
      const result = await create(newOrder({ channel, openid: 'o1', clientIp: '10.0.0.1' }));
      expect(parseOrderNumber(numberOf(result) ?? '')).toMatchObject({
        kind: 'valid',
        day: '20260101',
        channel,
      });
    },
  );

  test('two processes create many orders at once: all numbers and sequences differ', async () => {
    const results: CreationResult[] = [];
    // More than two blocks of the sequence, with no more at once than a pool serves in its time.
    for (let round = 0; round < 9; round += 1) {
      results.push(...(await atOnce(50, (by) => create(newOrder(), null, NOON_MS, by))));
    }
    const numbers = results.map((result) => numberOf(result) ?? '');
    expect(new Set(numbers).size).toBe(450);
    expect(new Set(numbers.map((number) => number.slice(10, 14))).size).toBe(450);
  });

  test('four processes take numbers at once while the sequence wraps: all differ', async () => {
    const dayMs = Date.parse('2026-03-01T12:00:00+08:00');
    const many = 8_000;
    await sql.query(
      `INSERT INTO order_sequences (day, channel, next_value) VALUES ('20260301', '02', $1)`,
      [SEQUENCE_SIZE - many / 2],
    );
    const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: database.url }) });
    const context = { prisma, hash: createKeyedHash(secrets.hashKey) };
    const processes = Array.from({ length: 4 }, () =>
      createOrderNumbers(context as DatabaseContext),
    );
    const numbers = await Promise.all(
      Array.from({ length: many }, async (_, n) => {
        const process = processes[(n * 7 + (n >> 5)) & 3];
        return process?.next({ channel: 'h5', userId: `user-${n % 50}`, nowMs: dayMs });
      }),
    );
    await prisma.$disconnect();
    expect(new Set(numbers).size).toBe(many);
    const { rows } = await sql.query<{ next: number }>(
      `SELECT next_value AS next FROM order_sequences WHERE day = '20260301'`,
    );
    expect(rows[0]?.next).toBeGreaterThan(SEQUENCE_SIZE);
  });

  test('orders before and after midnight in Shanghai have different days in numbers', async () => {
    const midnight = Date.parse('2026-01-05T00:00:00+08:00');
    const order = () => newOrder({ expiresAtMs: midnight + MINUTE_MS });
    const before = await create(order(), null, midnight - 1);
    const after = await create(order(), null, midnight);
    expect([before, after].map((result) => numberOf(result)?.slice(0, 8))).toEqual([
      '20260104',
      '20260105',
    ]);
  });

  test('a number is taken, as after a wrap of the sequence: the next one is used', async () => {
    const dayMs = Date.parse('2026-02-01T12:00:00+08:00');
    const order = () => newOrder({ userId: 'wrapped', expiresAtMs: dayMs + MINUTE_MS });
    const first = await create(order(), guard('wrap-1'), dayMs);
    await sql.query(`UPDATE order_sequences SET next_value = 0 WHERE day = '20260201'`);
    // A process that starts now takes the block that was taken before.
    const fresh = openDatabase({ url: database.url, ...secrets, webhooks: false });
    const second = await create(order(), guard('wrap-2'), dayMs, fresh);
    await fresh.end();
    expect(second.kind).toBe('created');
    expect(numberOf(second)).not.toBe(numberOf(first));
  });

  test('two orders of one user: the numbers end alike, and do not show the user', async () => {
    const results = await Promise.all(
      ['a', 'b'].map((key) => create(newOrder({ userId: 'secret-user' }), guard(`same-${key}`))),
    );
    const hashes = results.map((result) => numberOf(result)?.slice(14, 20));
    expect(new Set(hashes).size).toBe(1);
    expect(hashes[0]).toMatch(/^[0-9A-Z]{6}$/);
  });
});

describe('the fingerprint', () => {
  test('two processes get fifty identical orders at once: one order is created', async () => {
    const order = newOrder();
    const results = await atOnce(50, (by) => create(order, null, NOON_MS, by));
    const kinds = results.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(49);
    expect(new Set(results.map(numberOf)).size).toBe(1);
  });

  test('an identical order within five minutes of the last match is a duplicate', async () => {
    const order = newOrder();
    const first = numberOf(await create(order));
    const at = (minutes: number, ms = 0) => create(order, null, NOON_MS + minutes * MINUTE_MS + ms);
    expect(numberOf(await at(4))).toBe(first);
    expect(numberOf(await at(9, -1))).toBe(first);
    expect((await at(14)).kind).toBe('created');
  });

  test.each([
    ['paid', `status = 'paid'`],
    ['closed', `status = 'closed'`],
    ['requested to close', 'close_requested_at = now()'],
    ['expired', `expires_at = '2026-01-01T00:00:00Z'`],
  ])('an identical order when the first one is %s creates a new order', async (_what, change) => {
    const order = newOrder();
    const first = numberOf(await create(order));
    await sql.query(`UPDATE orders SET ${change} WHERE out_trade_no = $1`, [first]);
    const second = await create(order);
    expect(second.kind).toBe('created');
    expect(numberOf(await create(order))).toBe(numberOf(second));
  });

  test('purchases that differ in metadata or description alone are two orders', async () => {
    const order = newOrder({ metadata: { phone: 'A', from: { app: 1, web: 2 } } });
    const first = numberOf(await create(order));
    const other = { ...order, metadata: { phone: 'B', from: { app: 1, web: 2 } } };
    expect((await create(other)).kind).toBe('created');
    expect((await create({ ...order, description: 'Another' })).kind).toBe('created');
    const sorted = { ...order, metadata: { from: { web: 2, app: 1 }, phone: 'A' } };
    expect(numberOf(await create(sorted))).toBe(first);
  });

  test('an order of version 0.3.0 is found, unless the shop says something else', async () => {
    const order = newOrder({ metadata: { phone: 'A' } });
    const first = numberOf(await create(order));
    // 0.3.0 writes the former fingerprint alone, which is the older row of the two.
    await sql.query(
      `DELETE FROM order_fingerprints WHERE fingerprint = (SELECT fingerprint
        FROM order_fingerprints WHERE out_trade_no = $1 ORDER BY ctid DESC LIMIT 1)`,
      [first],
    );
    expect((await create({ ...order, metadata: { phone: 'B' } })).kind).toBe('created');
    expect(await create(order)).toEqual({ kind: 'duplicate', outTradeNo: first });
  });
});

describe('an Idempotency-Key', () => {
  test('fifty requests at once with one Idempotency-Key: one order is created', async () => {
    const order = newOrder();
    const results = await atOnce(50, (by) => create(order, guard('fifty'), NOON_MS, by));
    const kinds = results.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'replay')).toHaveLength(49);
    expect(new Set(results.map(numberOf)).size).toBe(1);
  });

  test('two bodies at once with one Idempotency-Key: one is refused', async () => {
    const order = newOrder();
    const results = await atOnce(20, (by, index) =>
      create(order, guard('two-bodies', `body ${index % 2}`), NOON_MS, by),
    );
    const kinds = results.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'replay')).toHaveLength(9);
    expect(kinds.filter((kind) => kind === 'key_reused')).toHaveLength(10);
  });

  test('the same content with another Idempotency-Key creates another order', async () => {
    const order = newOrder();
    const results = await atOnce(10, (by, i) => create(order, guard(`own-${i}`), NOON_MS, by));
    expect(new Set(results.map(numberOf)).size).toBe(10);
  });

  test('an Idempotency-Key counts only for its API key and route', async () => {
    const order = newOrder();
    const mine = await create(order, guard('scoped'));
    const theirs = await create(order, { ...guard('scoped'), client: 'other' });
    const there = await create(order, { ...guard('scoped'), route: 'POST /v1/other' });
    expect(new Set([mine, theirs, there].map(numberOf)).size).toBe(3);
  });

  test('an order is refused: its Idempotency-Key can be used again', async () => {
    await put('one-left', 0);
    const items = [{ sku: 'one-left', quantity: 1, unitPriceFen: fen(300), kind: null }];
    const keys = await count('idempotency_keys');
    const order = newOrder({ items });
    expect(await create(order, guard('refused'))).toEqual({
      kind: 'out_of_stock',
      sku: 'one-left',
    });
    expect(await count('idempotency_keys')).toBe(keys);
    await one.products.changeStock('one-left', { delta: 1, reason: 'found' }, ACTOR);
    expect((await create(order, guard('refused', 'another body'))).kind).toBe('created');
  });
});

describe('stock', () => {
  test('sixty orders for ten units: ten are created, the others leave nothing', async () => {
    await put('ten', 10);
    const orders = await count('orders');
    const items = [{ sku: 'ten', quantity: 1, unitPriceFen: fen(300), kind: null }];
    const results = await atOnce(60, (by) => create(newOrder({ items }), null, NOON_MS, by));
    const kinds = results.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(10);
    expect(kinds.filter((kind) => kind === 'out_of_stock')).toHaveLength(50);
    expect(await one.products.find('ten')).toMatchObject({ stock: 10, reserved: 10 });
    expect(await count('orders')).toBe(orders + 10);
  });

  test('orders with the same skus in different sequence do not deadlock', async () => {
    await Promise.all([put('a', 1_000), put('b', 1_000)]);
    const item = (sku: string) => ({ sku, quantity: 1, unitPriceFen: fen(150), kind: null });
    const results = await atOnce(60, (by, index) => {
      const items = [item('a'), item('b')];
      return create(
        newOrder({ items: index % 4 < 2 ? items : items.reverse() }),
        null,
        NOON_MS,
        by,
      );
    });
    expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(['created']));
    expect(await one.products.find('a')).toMatchObject({ reserved: 60 });
  });

  test('one sku on two lines is reserved as one quantity', async () => {
    await put('double', 3);
    const line = { sku: 'double', quantity: 2, unitPriceFen: fen(75), kind: null };
    const result = await create(newOrder({ items: [line, line] }));
    expect(result).toEqual({ kind: 'out_of_stock', sku: 'double' });
    const fits = await create(newOrder({ items: [line, { ...line, quantity: 1 }] }));
    expect(fits.kind).toBe('created');
    expect(await one.products.find('double')).toMatchObject({ reserved: 3 });
  });

  test('an item of another kind than its product is refused, and its line is named', async () => {
    await put('solid', null);
    const solid = { sku: 'solid', quantity: 1, unitPriceFen: fen(150), kind: 'virtual' as const };
    const items = [{ ...solid, sku: 'unlisted' }, solid];
    expect(await create(newOrder({ items }))).toEqual({ kind: 'kind_conflict', index: 1 });
  });
});

test('personal data of an order is stored encrypted', async () => {
  const order = newOrder({ openid: 'oSecretOpenid', clientIp: '203.0.113.77' });
  const no = numberOf(await create(order));
  const { rows } = await sql.query(`SELECT * FROM orders WHERE out_trade_no = $1`, [no]);
  const kept = JSON.stringify(rows);
  expect(kept).not.toContain('oSecretOpenid');
  expect(kept).not.toContain('203.0.113.77');
});

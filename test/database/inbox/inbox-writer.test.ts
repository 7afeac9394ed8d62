// The inbox writer stores each notice once, also under load and while the database is away.
import { randomUUID } from 'node:crypto';
import { Client, Pool } from 'pg';
import {
  createInboxWriter,
  InboxOverloadedError,
  type IncomingNotification,
  type InboxWriter,
} from '../../../database/inbox/inbox-writer';
import { secrets } from '../support/secrets';
import { createTestDatabase, type TestDatabase } from '../../support/test-database';
import { until } from '../../support/until';

let database: TestDatabase;
let sql: Pool;
let inbox: InboxWriter;
beforeAll(async () => {
  database = await createTestDatabase();
  sql = new Pool({ connectionString: database.url, max: 3 });
  inbox = await connectedWriter();
});
afterAll(async () => {
  await Promise.all([inbox.end(), sql.end()]);
  await database.drop();
});

function notice(change: Partial<IncomingNotification> = {}): IncomingNotification {
  return {
    notificationId: randomUUID(),
    merchantId: 'm1',
    kind: 'payment',
    eventType: 'TRANSACTION.SUCCESS',
    outTradeNo: '20260101041A2B3C4D5E00',
    resource: '{"trade_state":"SUCCESS"}',
    ...change,
  };
}

async function stored(notificationIds: readonly string[]): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    `SELECT count(*)::int AS count FROM notification_inbox WHERE notification_id = ANY($1)`,
    [notificationIds],
  );
  return rows[0]?.count ?? 0;
}

test('a notification is stored before its caller hears of it, its text not in clear', async () => {
  const one = notice({ resource: '{"payer":{"openid":"oSecret"}}' });
  const added = await inbox.add(one);
  const { rows } = await sql.query<Record<string, unknown>>(
    `SELECT * FROM notification_inbox WHERE notification_id = $1`,
    [one.notificationId],
  );
  expect(rows).toMatchObject([
    {
      id: added.kind === 'added' ? added.id : null,
      merchant_id: 'm1',
      source: 'callback',
      kind: 'payment',
      event_type: 'TRANSACTION.SUCCESS',
      out_trade_no: one.outTradeNo,
      verdict: null,
      attempts: 0,
    },
  ]);
  expect(JSON.stringify(rows)).not.toContain('oSecret');
});

test.each([
  ['payment', null],
  ['refund', null],
  ['profit_sharing', 'ignored'],
  ['unknown', 'ignored'],
] as const)('a notice of kind %s is stored with the verdict %p', async (kind, verdict) => {
  const one = notice({ kind, outTradeNo: null, eventType: null });
  await inbox.add(one);
  const { rows } = await sql.query(
    `SELECT verdict, verdict_at IS NOT NULL AS judged FROM notification_inbox
     WHERE notification_id = $1`,
    [one.notificationId],
  );
  expect(rows).toEqual([{ verdict, judged: verdict !== null }]);
});

test('five hundred at once: each is added once, in few statements', async () => {
  const notices = Array.from({ length: 500 }, () => notice());
  const results = await Promise.all(notices.map((one) => inbox.add(one)));
  expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(['added']));
  const { rows } = await sql.query<{ rows: number; transactions: number }>(
    `SELECT count(*)::int AS rows, count(DISTINCT xmin::text)::int AS transactions
     FROM notification_inbox WHERE notification_id = ANY($1)`,
    [notices.map(({ notificationId }) => notificationId)],
  );
  expect(rows[0]?.rows).toBe(500);
  // 500 rows in batches of at most 64, and the first two alone.
  expect(rows[0]?.transactions).toBeLessThanOrEqual(20);
});

test('every repeat is a duplicate, in the same batch and later', async () => {
  const notices = Array.from({ length: 40 }, () => notice());
  const results = await Promise.all(
    [...notices, ...notices, ...notices].map((one) => inbox.add(one)),
  );
  const kinds = results.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'added')).toHaveLength(40);
  expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(80);
  expect(await inbox.add(notices[0] ?? notice())).toEqual({ kind: 'duplicate' });
  expect(await stored(notices.map(({ notificationId }) => notificationId))).toBe(40);
});

test('the same id of two merchants are two notifications', async () => {
  const one = notice();
  const results = await Promise.all([inbox.add(one), inbox.add({ ...one, merchantId: 'm2' })]);
  expect(results.map(({ kind }) => kind)).toEqual(['added', 'added']);
});

test('the same id with other content is a conflict, and both are kept', async () => {
  const one = notice();
  const other = { ...one, resource: '{"trade_state":"CLOSED"}' };
  const first = await inbox.add(one);
  const second = await inbox.add(other);
  expect([first.kind, second.kind]).toEqual(['added', 'conflicting']);
  expect(await inbox.add(other)).toEqual({ kind: 'duplicate' });
  expect(await inbox.add(one)).toEqual({ kind: 'duplicate' });
  const { rows } = await sql.query<{ notification_id: string; id: string }>(
    `SELECT notification_id, id FROM notification_inbox WHERE notification_id LIKE $1 ORDER BY 1`,
    [`${one.notificationId}%`],
  );
  expect(rows.map(({ id }) => id)).toEqual(
    [first, second].map((result) => (result.kind === 'duplicate' ? null : result.id)),
  );
});

test('a bad value takes nobody with it', async () => {
  const good = Array.from({ length: 30 }, () => notice());
  const bad = notice({ notificationId: `bad\0${randomUUID()}` });
  const unknown = { ...notice(), kind: 'gift' } as unknown as IncomingNotification;
  const mixed = [...good.slice(0, 15), bad, ...good.slice(15, 20), unknown, ...good.slice(20)];
  const results = await Promise.allSettled(mixed.map((one) => inbox.add(one)));
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(2);
  expect(results.map(({ status }) => status === 'rejected')).toEqual(
    mixed.map((one) => one === bad || one === unknown),
  );
  expect(await stored(good.map(({ notificationId }) => notificationId))).toBe(30);
});

/** A writer with open connections: on a busy machine a new one may come too late for its batch. */
async function connectedWriter(): Promise<InboxWriter> {
  const writer = createInboxWriter({ url: database.url, ...secrets });
  await Promise.all([writer.add(notice()), writer.add(notice())]);
  return writer;
}

test('writers that repeat each other in opposite orders never lock each other out', async () => {
  const others = [await connectedWriter(), await connectedWriter()];
  for (let round = 0; round < 5; round += 1) {
    const all = Array.from({ length: 300 }, (_, index) =>
      notice({ notificationId: `opposite-${round}-${String(index).padStart(3, '0')}` }),
    );
    const turned = [...all].reverse();
    const results = await Promise.all([
      ...all.map((one) => inbox.add(one)),
      ...turned.map((one) => others[0]?.add(one)),
      ...all.map((one) => others[1]?.add(one)),
    ]);
    expect(results.filter((result) => result?.kind === 'added')).toHaveLength(300);
    expect(results.filter((result) => result?.kind === 'duplicate')).toHaveLength(600);
  }
  await Promise.all(others.map((other) => other.end()));
});

test('two writers with the same notifications: each is added by one of them', async () => {
  const second = await connectedWriter();
  const notices = Array.from({ length: 150 }, () => notice());
  const results = await Promise.all(
    notices.flatMap((one) => [inbox.add(one), second.add(one), inbox.add(one)]),
  );
  const kinds = results.map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'added')).toHaveLength(150);
  expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(300);
  await second.end();
});

describe('with the table locked', () => {
  let holder: Client;
  let own: InboxWriter;
  beforeEach(async () => {
    // Both connections are open before the lock, so that no add below waits for a connection.
    own = await connectedWriter();
    holder = new Client({ connectionString: database.url });
    await holder.connect();
    await holder.query('BEGIN; LOCK TABLE notification_inbox IN ACCESS EXCLUSIVE MODE');
  });
  afterEach(async () => {
    await holder.end();
    await own.end();
  });

  test('what waits is bounded: more is refused at once, and what waited is stored', async () => {
    const notices = Array.from({ length: 4_200 }, () => notice());
    const adds = notices.map((one) =>
      own.add(one).then(
        ({ kind }) => kind,
        (error: unknown) => (error instanceof InboxOverloadedError ? 'refused' : String(error)),
      ),
    );
    await holder.query('ROLLBACK');
    const outcomes = await Promise.all(adds);
    const idsOf = (outcome: string) =>
      notices.filter((_, n) => outcomes[n] === outcome).map((one) => one.notificationId);
    const refused = idsOf('refused');
    const added = idsOf('added');
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.length).toBeLessThanOrEqual(200);
    expect(await stored(refused)).toBe(0);
    expect(await stored(added)).toBe(added.length);
    // The two statements that met the lock hold one row each. On a busy machine they can time out
    // before the lock is gone: their rows may be stored or not, and the caller has to come again.
    const failed = outcomes.filter((outcome) => !['refused', 'added'].includes(outcome));
    expect(failed.filter((outcome) => !/timeout/i.test(outcome))).toEqual([]);
    expect(failed.length).toBeLessThanOrEqual(2);
  });

  test('a flood of one callback takes one place: every good one is stored', async () => {
    const replayed = notice();
    const good = Array.from({ length: 3_900 }, () => notice());
    const flood = Array.from({ length: 2_500 }, () => own.add(replayed));
    const adds = good.map((one) => own.add(one));
    const more = Array.from({ length: 2_500 }, () => own.add(replayed));
    await holder.query('ROLLBACK');
    const kinds = (await Promise.all([...flood, ...more])).map(({ kind }) => kind);
    expect(kinds[0]).toBe('added');
    expect(new Set(kinds.slice(1))).toEqual(new Set(['duplicate']));
    const added = await Promise.all(adds);
    expect(new Set(added.map(({ kind }) => kind))).toEqual(new Set(['added']));
    expect(await own.add(replayed)).toEqual({ kind: 'duplicate' });
  });

  test('a look-up that fails fails for all who share it, and the next one is anew', async () => {
    const replayed = notice();
    const adds = Array.from({ length: 5 }, () => own.add(replayed));
    const results = await Promise.allSettled(adds);
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['rejected']));
    await holder.query('ROLLBACK');
    await until('it is stored', async () => {
      const { kind } = await own.add(replayed);
      return kind === 'added' || kind === 'duplicate' ? true : null;
    });
    expect(await stored([replayed.notificationId])).toBe(1);
  });

  test('a bad value among 63 good ones is set apart by halves, in few statements', async () => {
    const waiting = [own.add(notice()), own.add(notice())];
    const bad = notice({ notificationId: `bad\0${randomUUID()}` });
    const good = Array.from({ length: 63 }, () => notice());
    const adds = [...good.slice(0, 40), bad, ...good.slice(40)].map((one) => own.add(one));
    await holder.query('ROLLBACK');
    await Promise.all(waiting);
    const results = await Promise.allSettled(adds);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    const { rows } = await sql.query<{ rows: number; transactions: number }>(
      `SELECT count(*)::int AS rows, count(DISTINCT xmin::text)::int AS transactions
       FROM notification_inbox WHERE notification_id = ANY($1)`,
      [good.map(({ notificationId }) => notificationId)],
    );
    expect(rows).toEqual([{ rows: 63, transactions: 6 }]);
  });

  test('a statement that hangs ends within 2.5 s, and the writer goes on after it', async () => {
    const one = notice();
    const started = performance.now();
    await expect(own.add(one)).rejects.toThrow(/timeout/i);
    expect(performance.now() - started).toBeLessThan(4_000);
    await holder.query('ROLLBACK');
    await until('it is stored', async () => {
      const { kind } = await own.add(one);
      return kind === 'added' || kind === 'duplicate' ? true : null;
    });
    expect(await stored([one.notificationId])).toBe(1);
  });
});

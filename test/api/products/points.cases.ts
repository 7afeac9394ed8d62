// Pages of a user's points, and the notices that an order's view shows.
import { orderBody, someUser, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

interface PointsPage {
  readonly balance: number;
  readonly entries: readonly { readonly out_trade_no: string; readonly delta: number }[];
  readonly next_cursor: string | null;
}

/** A user with this many entries of 1 point each, all of one moment, numbered from 0. */
async function userWithEntries(count: number): Promise<string> {
  const user = someUser();
  await oncepay.sql.query(
    `WITH entry AS (INSERT INTO points_entries (user_id, out_trade_no, effect, delta, at)
       SELECT $1, $1 || '-' || n, 'points', 1, '2026-11-30T00:00:00Z'
       FROM generate_series(0, $2 - 1) n ORDER BY n)
     INSERT INTO points_balances (user_id, balance) VALUES ($1, $2)`,
    [user, count],
  );
  return user;
}

async function pageOf(user: string, query = ''): Promise<PointsPage> {
  const reply = await oncepay.call('GET', `/v1/users/${user}/points${query}`);
  expect(reply.status).toBe(200);
  return reply.body as unknown as PointsPage;
}

test.each([1, 7, 199, 200])(
  'a user with 401 entries of points is read in pages of %d, each entry once, the newest first',
  async (limit) => {
    const user = await userWithEntries(401);
    const seen: string[] = [];
    for (let query = `?limit=${limit}`; query !== '';) {
      const { balance, entries, next_cursor: next } = await pageOf(user, query);
      expect(balance).toBe(401);
      expect(entries.length).toBeLessThanOrEqual(limit);
      seen.push(...entries.map(({ out_trade_no: no }) => no));
      query = next === null || seen.length > 401 ? '' : `?limit=${limit}&cursor=${next}`;
      if (limit === 1 && seen.length === 5) break;
    }
    const expected = Array.from({ length: 401 }, (_, n) => `${user}-${400 - n}`);
    expect(seen).toEqual(limit === 1 ? expected.slice(0, 5) : expected);
  },
);

test('points without a limit come in a page of 50, and the last page has no cursor', async () => {
  const user = await userWithEntries(60);
  const first = await pageOf(user);
  expect(first.entries).toHaveLength(50);
  const last = await pageOf(user, `?cursor=${String(first.next_cursor)}`);
  expect([last.entries.length, last.next_cursor]).toEqual([10, null]);
});

test.each(['cursor=x', 'limit=0', 'limit=201', 'limit=x', 'page=2'])(
  'points requested with %s get 400',
  async (query) => {
    expect((await oncepay.call('GET', `/v1/users/somebody/points?${query}`)).status).toBe(400);
  },
);

test('an order with 250 notices shows the newest 200, and counts all', async () => {
  const created = await oncepay.call('POST', '/v1/orders', { body: orderBody() });
  const { out_trade_no: no } = created.body as { out_trade_no: string };
  await oncepay.sql.query(
    `INSERT INTO notification_inbox (id, merchant_id, notification_id, source, kind, out_trade_no,
       content_hash, received_at, next_attempt_at, verdict)
     SELECT gen_random_uuid(), 'm', $1 || '-' || n,
       CASE WHEN n < 250 THEN 'callback' ELSE 'query' END, 'payment', $1, 'x',
       '2026-11-30T00:00:00Z'::timestamptz + n * interval '1 s', now(), 'ignored'
     FROM generate_series(0, 251) n`,
    [no],
  );
  const { body } = await oncepay.call('GET', `/v1/orders/${no}`);
  const { notices, notices_total: total } = body as unknown as {
    notices: readonly { readonly id: string }[];
    notices_total: number;
  };
  expect(notices.map(({ id }) => id)).toEqual(
    Array.from({ length: 200 }, (_, n) => `${no}-${n + 50}`),
  );
  expect(total).toBe(250);
});

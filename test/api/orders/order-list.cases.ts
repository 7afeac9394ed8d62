// Lists of orders and interventions: filters and paging.
import { v7 as uuidv7 } from 'uuid';
import { checkDigits } from '../../../domain/orders/order-number';
import { orderListReply } from '../../../api/orders/replies';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';

const ORDERS = 250;
/** Several orders have the same time of creation. */
const PER_MOMENT = 7;
const START_MS = Date.parse('2026-01-01T00:00:00Z');
const STATUSES = ['paid', 'closed', 'awaiting_payment', 'fulfilled'];

interface Row {
  readonly no: string;
  readonly status: string;
  readonly user: string;
  readonly at: string;
  readonly attention: string | null;
}

const rows: Row[] = Array.from({ length: ORDERS }, (_, index) => {
  const body = `2026010104${index.toString(36).toUpperCase().padStart(4, '0')}ABCDEF`;
  return {
    no: `${body}${checkDigits(body)}`,
    status: STATUSES[index % STATUSES.length] ?? '',
    user: `user-${index % 3}`,
    at: new Date(START_MS + Math.floor(index / PER_MOMENT) * 1_000).toISOString(),
    attention: index % 10 === 0 ? (index % 20 === 0 ? 'amount_mismatch' : 'no_stock') : null,
  };
});

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = sharedOncepay();
  await oncepay.sql.query(
    `INSERT INTO orders (out_trade_no, channel, status, user_id, description, total_fen, app_id,
       merchant_id, notify_url, time_expire, expires_at, created_at)
     SELECT no, 'admin', status, "user", 'x', 1, 'a', 'm', 'n', 't', at, at
     FROM jsonb_to_recordset($1::jsonb) AS r (no text, status text, "user" text, at timestamptz)`,
    [JSON.stringify(rows)],
  );
  const open = rows.filter(({ attention }) => attention !== null);
  for (const { no, attention, at } of open) {
    await oncepay.sql.query(
      `INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence, since)
       VALUES ($1, $2, $2, $3, 'x', '{}', $4)`,
      [uuidv7(), no, attention, at],
    );
  }
});

async function walk(
  query: string,
  from: string | null = null,
): Promise<{ numbers: string[]; pages: number }> {
  const numbers: string[] = [];
  let cursor = from;
  let pages = 0;
  do {
    const path: string = `/v1/orders?${query}${cursor === null ? '' : `&cursor=${cursor}`}`;
    const reply = await oncepay.call('GET', path);
    const page = orderListReply.parse(reply.body);
    numbers.push(...page.data.map(({ out_trade_no: no }) => no));
    cursor = page.next_cursor;
    pages += 1;
  } while (cursor !== null && pages <= ORDERS + 1);
  return { numbers, pages };
}

const newestFirst = (a: Row, b: Row) =>
  a.at === b.at ? (a.no < b.no ? 1 : -1) : a.at < b.at ? 1 : -1;
const expected = (matches: (row: Row) => boolean) =>
  rows
    .filter(matches)
    .sort(newestFirst)
    .map(({ no }) => no);

test.each<[string, number, (row: Row) => boolean]>([
  ['limit=50', 5, () => true],
  ['limit=7', 36, () => true],
  ['limit=200', 2, () => true],
  ['limit=125', 2, () => true],
  ['', 5, () => true],
  ['status=paid&limit=10', 7, ({ status }) => status === 'paid'],
  ['user_id=user-1&limit=40', 3, ({ user }) => user === 'user-1'],
  ['user_id=nobody', 1, () => false],
  ['attention=true&limit=10', 3, ({ attention }) => attention !== null],
  ['attention=false&limit=100', 3, ({ attention }) => attention === null],
  ['attention=no_stock&limit=5', 3, ({ attention }) => attention === 'no_stock'],
  ['attention=no_codes', 1, () => false],
  [
    'status=closed&user_id=user-2&limit=6',
    4,
    ({ status, user }) => status === 'closed' && user === 'user-2',
  ],
  ['created_after=2026-01-01T00:00:20Z&limit=30', 4, ({ at }) => at > '2026-01-01T00:00:20.000Z'],
  [
    'created_after=2026-01-01T08:00:20%2B08:00&limit=200',
    1,
    ({ at }) => at > '2026-01-01T00:00:20.000Z',
  ],
])(
  'a list of orders with ?%s has each order once, newest first, on %i pages',
  async (query, pages, matches) => {
    const all = expected(matches);
    const seen = await walk(query);
    expect(seen.numbers).toEqual(all);
    expect(seen.pages).toBe(pages);
  },
);

test('orders created during paging do not change the pages that follow', async () => {
  const first = orderListReply.parse((await oncepay.call('GET', '/v1/orders?limit=100')).body);
  await oncepay.sql.query(
    `INSERT INTO orders (out_trade_no, channel, user_id, description, total_fen, app_id,
       merchant_id, notify_url, time_expire, expires_at)
     VALUES ('20260102040001ABCDEF00', 'admin', 'later', 'x', 1, 'a', 'm', 'n', 't', now())`,
  );
  const rest = await walk('limit=100', first.next_cursor);
  await oncepay.sql.query(`DELETE FROM orders WHERE user_id = 'later'`);
  const numbers = [...first.data.map(({ out_trade_no: no }) => no), ...rest.numbers];
  expect(numbers).toEqual(expected(() => true));
});

test('a paged list of interventions has each one once, oldest first', async () => {
  const seen: string[] = [];
  let cursor: string | null = null;
  do {
    const { body } = await oncepay.call(
      'GET',
      `/v1/interventions?status=open&limit=4${cursor === null ? '' : `&cursor=${cursor}`}`,
    );
    const page = body as { data: { out_trade_no: string }[]; next_cursor: string | null };
    seen.push(...page.data.map(({ out_trade_no: no }) => no));
    cursor = page.next_cursor;
  } while (cursor !== null);
  const open = rows.filter(({ attention }) => attention !== null).map(({ no }) => no);
  expect(seen).toHaveLength(open.length);
  expect(new Set(seen)).toEqual(new Set(open));
});

// The calls of reconciliations: requests, reads, lists and the table for accountants.
import { v7 as uuidv7 } from 'uuid';
import { addDays, billDateAt } from '../../../domain/reconciliation/bill-days';
import { sharedOncepay } from '../../support/share-oncepay';
import type { TestOncepay } from '../../support/oncepay';
import { expectProblem } from '../support/refusals';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});
afterEach(() => oncepay.sql.query('TRUNCATE reconciliations CASCADE'));

const daysAgo = (days: number) => addDays(billDateAt(Date.now()), -days);
const request = (date: unknown) =>
  oncepay.call('POST', '/v1/reconciliations', { body: { bill_date: date }, as: 'operator' });

/** Rows of a day that is done: five differences, one of them from another day. */
async function doneDay(): Promise<void> {
  await oncepay.sql.query(
    `INSERT INTO reconciliations (bill_date, status, bill, ours, differences, created_at,
       started_at, finished_at)
     VALUES ('2026-01-01', 'done', $1, $2, '{"payment_amount": 4}', now(), now(), now()),
       ('2026-01-02', 'done', NULL, NULL, '{}', now(), now(), now())`,
    [
      JSON.stringify({
        sha1: 'f'.repeat(40),
        lines: 5,
        payments: { count: 5, fen: 1_500 },
        refunds: { count: 0, fen: 0 },
        fee_e5: 900,
        foreign: 0,
        mismatches: [],
      }),
      JSON.stringify({ payments: { count: 5, fen: 1_501 }, refunds: { count: 0, fen: 0 } }),
    ],
  );
  for (const n of [1, 2, 3, 4]) {
    await oncepay.sql.query(
      `INSERT INTO reconciliation_differences (id, bill_date, type, identity, status, out_trade_no,
         transaction_id, ours, theirs, since, settled_at)
       VALUES ($1, '2026-01-01', 'payment_amount', $2, $3, $4, '4200', $5, $6,
         '2026-01-02T02:30:00Z', CASE $3 WHEN 'open' THEN NULL ELSE now() END)`,
      [
        uuidv7(),
        String(n),
        n === 4 ? 'dismissed' : 'open',
        n === 1 ? '=1+1' : `NO-${n}`,
        JSON.stringify({ amount_fen: 1_230, status: 'applied', at: '2026-01-01T04:00:00.000Z' }),
        n === 2 ? null : JSON.stringify({ amount_fen: 5, status: 'SUCCESS', at: null }),
      ],
    );
  }
}

test('a day is requested with 202, and while it is under way with 200', async () => {
  const day = daysAgo(2);
  const first = await request(day);
  expect([first.status, first.body]).toEqual([202, { bill_date: day, status: 'waiting' }]);
  const second = await request(day);
  expect([second.status, second.body]).toEqual([200, { bill_date: day, status: 'waiting' }]);
  const { body } = await oncepay.call('GET', `/v1/reconciliations/${day}`, { as: 'viewer' });
  expect(body).toEqual({
    bill_date: day,
    status: 'waiting',
    bill: null,
    fund_flow: null,
    ours: { payments: { count: 0, fen: 0 }, refunds: { count: 0, fen: 0 } },
    differences: {},
    started_at: null,
    finished_at: null,
    error: null,
  });
});

test.each([
  ['today', () => daysAgo(0)],
  ['tomorrow', () => daysAgo(-1)],
  ['a day of four months ago', () => daysAgo(124)],
  ['a day that the calendar does not have', () => '2026-02-30'],
  ['a time', () => '2026-01-01T00:00:00Z'],
  ['a number', () => 20_260_101],
])('%s is no day that can be reconciled', async (_title, day) => {
  expectProblem(await request(day()), 400, 'bill_date');
});

test('a done day is reconciled again, and keeps what it showed until then', async () => {
  const day = daysAgo(3);
  await request(day);
  await oncepay.sql.query(
    `UPDATE reconciliations SET status = 'done', due_at = NULL, finished_at = now(),
       differences = '{"foreign": 2}'`,
  );
  expect((await request(day)).status).toBe(202);
  const { rows } = await oncepay.sql.query('SELECT run, differences FROM reconciliations');
  expect(rows).toEqual([{ run: 2, differences: { foreign: 2 } }]);
});

test('a day that was never reconciled is 404', async () => {
  expectProblem(await oncepay.call('GET', '/v1/reconciliations/2026-01-01'), 404);
  expectProblem(await oncepay.call('GET', '/v1/reconciliations/2026-01-01/differences'), 404);
});

test('the reconciliations are listed newest day first, page by page', async () => {
  await doneDay();
  const first = await oncepay.call('GET', '/v1/reconciliations?limit=1');
  const { data, next_cursor: cursor } = first.body as { data: object[]; next_cursor: string };
  expect(data).toMatchObject([{ bill_date: '2026-01-02', bill: null }]);
  const second = await oncepay.call('GET', `/v1/reconciliations?limit=1&cursor=${cursor}`);
  expect(second.body).toMatchObject({
    data: [{ bill_date: '2026-01-01', bill: { lines: 5 }, ours: { payments: { fen: 1_501 } } }],
    next_cursor: null,
  });
});

test('the differences of a day are filtered and paged', async () => {
  await doneDay();
  const path = '/v1/reconciliations/2026-01-01/differences';
  const ids = new Set<string>();
  let query = '?status=open&type=payment_amount&limit=2';
  for (let page = 0; page < 2; page += 1) {
    const { body } = await oncepay.call('GET', `${path}${query}`, { as: 'viewer' });
    const { data, next_cursor: cursor } = body as {
      data: { id: string; status: string }[];
      next_cursor: string | null;
    };
    for (const { id, status } of data) ids.add(`${id} ${status}`);
    query = `?status=open&type=payment_amount&limit=2&cursor=${cursor}`;
  }
  expect(ids.size).toBe(3);
  expectProblem(await oncepay.call('GET', `${path}?type=nothing`), 400, 'type');
});

test('the table for accountants has a mark of UTF-8, and no cell of it is a formula', async () => {
  await doneDay();
  const reply = await fetch(
    `${oncepay.apiUrl}/v1/reconciliations/2026-01-01/differences?status=open`,
    { headers: { authorization: `Bearer ${oncepay.keys.viewer}`, accept: 'text/csv' } },
  );
  expect(reply.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  const bytes = Buffer.from(await reply.arrayBuffer());
  expect(bytes.subarray(0, 3).toString('hex')).toBe('efbbbf');
  const [header, ...lines] = bytes.subarray(3).toString().trim().split('\n');
  expect(header).toBe(
    '账单日,类型,状态,商户订单号,微信订单号,商户退款单号,我方金额(元),微信金额(元),发现时间',
  );
  const at = '2026-01-02 10:30:00';
  expect(lines).toEqual([
    `2026-01-01,payment_amount,open,'=1+1,4200,,12.30,0.05,${at}`,
    `2026-01-01,payment_amount,open,NO-2,4200,,12.30,,${at}`,
    `2026-01-01,payment_amount,open,NO-3,4200,,12.30,0.05,${at}`,
  ]);
});

test('the metric counts the open differences of each type', async () => {
  await doneDay();
  const text = await (await fetch(`${oncepay.apiUrl}/metrics`)).text();
  expect(text).toContain('oncepay_reconciliation_differences{type="payment_amount"} 3');
  expect(text).toContain('oncepay_reconciliation_differences{type="refund_amount"} 0');
});

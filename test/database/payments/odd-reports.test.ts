/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Reports that WeChat signed and whose fields are not as they should be: none ends in silence.
import fc from 'fast-check';
import type { Notice } from '../../../domain/payments/notices';
import { createInboxWriter, type InboxWriter } from '../../../database/inbox/inbox-writer';
import { parseNotice } from '../../../providers/wechatpay/notices/notice-parser';
import { secrets } from '../support/secrets';
import { someOrder } from '../support/patrol';
import { startTestSharing, type TestSharing } from '../support/sharing';

let world: TestSharing;
let inbox: InboxWriter;
beforeAll(async () => {
  world = await startTestSharing();
  const [row] = (await world.sql.query<{ db: string }>('SELECT current_database() AS db')).rows;
  const url = new URL(process.env['ONCEPAY_TEST_DATABASE_URL'] ?? '');
  url.pathname = row?.db ?? '';
  inbox = createInboxWriter({ url: url.href, ...secrets });
});
afterAll(async () => {
  await inbox.end();
  await world.end();
});

type Fields = Record<string, unknown>;
let sent = 0;

/** A payment of 300 fen, as WeChat words it. */
const report = (no: string, change: Fields = {}): Fields => ({
  appid: 'a',
  mchid: 'm',
  out_trade_no: no,
  transaction_id: `42${no}`,
  trade_type: 'JSAPI',
  trade_state: 'SUCCESS',
  success_time: new Date().toISOString(),
  amount: { total: 300, payer_total: 300, currency: 'CNY' },
  ...change,
});

/** Stores a callback and applies all that waits, like the order's run. @returns its id */
async function reported(no: string, text: string | Fields): Promise<string> {
  const resource = typeof text === 'string' ? text : JSON.stringify(text);
  const notice: Notice = parseNotice(resource);
  if (notice.kind !== 'payment') throw new Error(`not a payment: ${resource}`);
  sent += 1;
  const notificationId = `notice-${sent}`;
  const { outTradeNo, kind } = notice;
  const head = { notificationId, merchantId: 'm', eventType: null };
  await inbox.add({ ...head, kind, outTradeNo, resource });
  await apply(no);
  return notificationId;
}

const apply = (no: string) => world.database.notices.apply(no, parseNotice, Date.now());

/** The order, its transactions and refunds, and what is open, in one look. */
async function stateOf(no: string) {
  const { rows } = await world.sql.query<{
    status: string | null;
    transactions: string[];
    refunds: number;
    open: string[];
    verdicts: (string | null)[];
    waiting: number;
  }>(
    `SELECT (SELECT status FROM orders WHERE out_trade_no = $1) AS status,
       ARRAY(SELECT status FROM payment_transactions WHERE out_trade_no = $1) AS transactions,
       (SELECT count(*)::int FROM refunds WHERE out_trade_no = $1) AS refunds,
       ARRAY(SELECT reason FROM interventions WHERE out_trade_no = $1 AND status = 'open') AS open,
       ARRAY(SELECT verdict FROM notification_inbox WHERE out_trade_no = $1
         ORDER BY received_at, id) AS verdicts,
       (SELECT count(*)::int FROM notification_inbox WHERE out_trade_no = $1
         AND query_requested_at IS NOT NULL AND queried_at IS NULL) AS waiting`,
    [no],
  );
  const [row] = rows;
  if (!row) throw new Error('no row');
  return row;
}

/** Ends the query that notices wait for, and applies them. */
async function queried(no: string, found: boolean): Promise<void> {
  const waiting = await world.database.noticeQueries.waiting(no, Date.now());
  await world.database.noticeQueries.settle(waiting?.inboxIds ?? [], found, Date.now());
  await apply(no);
}

const odd: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, '', '小程序', 'x'.repeat(65), 7, -1, 1.5, 1e300, true, [], {}),
  fc.constantFrom<unknown>('0000-01-01T00:00:00+08:00', '9999-12-31T23:59:59Z', '1970-01-01'),
  fc.string(),
  fc.jsonValue(),
);
const ABSENT = Symbol('absent');
const oddOrAbsent = fc.oneof(odd, fc.constant(ABSENT));

/** Replaces a field of a report; `amount.…` inside the amount. */
function withField(base: Fields, path: string, value: unknown): Fields {
  const [name = '', inner] = path.split('.');
  const changed = inner === undefined ? value : withField(base[name] as Fields, inner, value);
  return Object.fromEntries(
    Object.entries({ ...base, [name]: changed }).filter(([, one]) => one !== ABSENT),
  );
}

const waitingOrder = () => someOrder(world.sql, { status: 'awaiting_payment' });
const SIDE = ['trade_type', 'success_time', 'amount.payer_total', 'payer', 'bank_type', 'attach'];
const DECIDING = {
  'amount.total': 'amount_mismatch',
  'amount.currency': 'amount_mismatch',
  amount: 'amount_mismatch',
  mchid: 'identity_mismatch',
  appid: 'identity_mismatch',
} as const;

test('any side fields pay the order, and what can’t be read is named in the row', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(fc.constantFrom(...SIDE), oddOrAbsent, { minKeys: 1 }),
      async (changes) => {
        const no = await waitingOrder();
        let text = report(no);
        for (const [path, value] of Object.entries(changes)) text = withField(text, path, value);
        await reported(no, text);
        expect(await stateOf(no)).toMatchObject({
          status: 'paid',
          transactions: ['applied'],
          refunds: 0,
          open: [],
          verdicts: ['applied'],
        });
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);

test('any other value of a deciding field ends in the intervention of its row', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...(Object.keys(DECIDING) as (keyof typeof DECIDING)[])),
      oddOrAbsent,
      async (path, value) => {
        const no = await waitingOrder();
        await reported(no, withField(report(no), path, value));
        expect(await stateOf(no)).toMatchObject({
          status: 'awaiting_payment',
          transactions: ['rejected'],
          refunds: 0,
          open: [DECIDING[path]],
          verdicts: ['conflict'],
        });
      },
    ),
    { numRuns: 60 },
  );
}, 120_000);

test.each([
  ['-9900', 'amount_mismatch'],
  ['2147483648', 'amount_mismatch'],
  ['1e400', 'amount_mismatch'],
  ['99.5', 'amount_mismatch'],
  ['"300"', 'amount_mismatch'],
  ['[300]', 'amount_mismatch'],
])('an amount written as %s opens %s', async (written, reason) => {
  const no = await waitingOrder();
  await reported(no, JSON.stringify(report(no)).replace('"total":300', `"total":${written}`));
  expect(await stateOf(no)).toMatchObject({ status: 'awaiting_payment', open: [reason] });
});

test('a payer_total of 1e400 and a byte order mark pay the order', async () => {
  const no = await waitingOrder();
  const text = JSON.stringify(report(no)).replace('"payer_total":300', '"payer_total":1e400');
  await reported(no, `\ufeff${text}`);
  expect(await stateOf(no)).toMatchObject({ status: 'paid', open: [] });
});

const DAY_MS = 86_400_000;
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

test.each([
  ['is absent', ABSENT, true],
  ['is empty', '', true],
  ['is no time', 'yesterday', true],
  ['lies in the year 0', '0000-01-01T00:00:00+08:00', true],
  ['lies in the year 9999', '9999-12-31T23:59:59+08:00', true],
  ['lies two days ahead', inMs(2 * DAY_MS), true],
  ['lies two days before the order', inMs(-2 * DAY_MS), true],
  ['lies 20 hours ahead', inMs(DAY_MS - 4 * 3_600_000), false],
  ['lies 20 hours back', inMs(4 * 3_600_000 - DAY_MS), false],
])('a success_time that %s is replaced by the time of the callback: %j', async (...row) => {
  const [, successTime, isReplaced] = row;
  const no = await waitingOrder();
  await reported(no, withField(report(no), 'success_time', successTime));
  const { rows } = await world.sql.query<{ success: Date; received: Date; unreadable: string[] }>(
    `SELECT t.success_time AS success, n.received_at AS received, n.unreadable
     FROM payment_transactions t JOIN notification_inbox n USING (out_trade_no)
     WHERE out_trade_no = $1`,
    [no],
  );
  const [found] = rows;
  expect(found?.unreadable).toEqual(isReplaced ? ['success_time'] : []);
  if (isReplaced) expect(found?.success).toEqual(found?.received);
  else expect(found?.success).toEqual(new Date(String(successTime)));
});

describe('money without its transaction', () => {
  const NO_TRANSACTION = { transaction_id: 42 };

  test('waits for the query; the good notice behind it pays once, nothing goes back', async () => {
    const no = await waitingOrder();
    await reported(no, report(no, NO_TRANSACTION));
    expect(await stateOf(no)).toMatchObject({
      status: 'awaiting_payment',
      transactions: [],
      verdicts: [null],
      waiting: 1,
    });
    await reported(no, report(no));
    await queried(no, true);
    expect(await stateOf(no)).toEqual({
      status: 'paid',
      transactions: ['applied'],
      refunds: 0,
      open: [],
      verdicts: ['ignored', 'applied'],
      waiting: 0,
    });
  });

  test('is a reconciliation when the query names none, which the payment ends', async () => {
    const no = await waitingOrder();
    const noticeId = await reported(no, report(no, NO_TRANSACTION));
    await queried(no, false);
    expect(await stateOf(no)).toMatchObject({ open: ['reconciliation'], verdicts: ['conflict'] });
    const { rows } = await world.sql.query<{ subject: string; evidence: Fields }>(
      'SELECT subject, evidence FROM interventions WHERE out_trade_no = $1',
      [no],
    );
    expect(rows).toMatchObject([{ subject: noticeId, evidence: { notice_id: noticeId } }]);
    await reported(no, report(no));
    expect(await stateOf(no)).toMatchObject({
      status: 'paid',
      transactions: ['applied'],
      refunds: 0,
      open: [],
    });
  });

  test('of a number that is not ours opens unknown_order, and nothing is queried', async () => {
    const no = '2026010109999999999998';
    await reported(no, report(no, NO_TRANSACTION));
    expect(await stateOf(no)).toMatchObject({ open: ['unknown_order'], waiting: 0 });
  });

  test.each(['closed', 'fulfilled', 'refunded', 'paid_late'])(
    'is queried also for an order that is %s, and its run does not end before',
    async (status) => {
      const no = await someOrder(world.sql, { status });
      await reported(no, report(no, NO_TRANSACTION));
      expect(await world.database.runs.load(no)).toMatchObject({
        noticesToQuery: 1,
        openNotices: 0,
        due: true,
      });
      await queried(no, false);
      expect(await stateOf(no)).toMatchObject({ open: ['reconciliation'] });
    },
  );
});

test.each([[ABSENT], ['PAID'], [7], [['SUCCESS']]])(
  'a trade state %p is queried, and ignored when the query names no payment',
  async (state) => {
    const no = await waitingOrder();
    await reported(no, withField(report(no), 'trade_state', state));
    expect(await stateOf(no)).toMatchObject({ verdicts: [null], waiting: 1 });
    await queried(no, false);
    expect(await stateOf(no)).toMatchObject({
      status: 'awaiting_payment',
      transactions: [],
      open: [],
      verdicts: ['ignored'],
    });
  },
);

test.each(['NOTPAY', 'USERPAYING', 'PAYERROR', 'CLOSED', 'REVOKED'])(
  'the trade state %s is ignored without a query',
  async (state) => {
    const no = await waitingOrder();
    await reported(no, report(no, { trade_state: state }));
    expect(await stateOf(no)).toMatchObject({ verdicts: ['ignored'], waiting: 0, open: [] });
  },
);

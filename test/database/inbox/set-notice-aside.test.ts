/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// `undeliverable · dismiss` of a notice: it is applied if it can be, else WeChat is queried.
import { someOrder } from '../support/patrol';
import { createTestMoney, type TestMoney } from '../support/money';
import { startTestSharing, type TestSharing } from '../support/sharing';

let world: TestSharing;
let money: TestMoney;
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
});
afterAll(() => world.end());

/** PostgreSQL can't store it, and no parser of ours lets it through. */
const BAD = { tradeType: 'NA\0TIVE' };
const orderThatIs = (status: string) => someOrder(world.sql, { status });

async function noticesOf(no: string): Promise<(string | null)[]> {
  const { rows } = await world.sql.query<{ verdict: string | null }>(
    'SELECT verdict FROM notification_inbox WHERE out_trade_no = $1 ORDER BY received_at, id',
    [no],
  );
  return rows.map(({ verdict }) => verdict);
}

/** Applies all that waits, as the order's run does. */
async function applyAll(no: string): Promise<void> {
  while ((await money.again(no)).more);
}

/** The number of notices that wait for a query of WeChat. */
async function waitingForQuery(no: string): Promise<number> {
  return (await world.database.noticeQueries.waiting(no, Date.now()))?.inboxIds.length ?? 0;
}

/** Ends the query that notices wait for, and applies them. */
async function queried(no: string, found: boolean): Promise<void> {
  const waiting = await world.database.noticeQueries.waiting(no, Date.now());
  await world.database.noticeQueries.settle(waiting?.inboxIds ?? [], found, Date.now());
  await applyAll(no);
}

/** WeChat's response names the payment: it gets a row of its own, as the activity writes it. */
async function findsPayment(no: string): Promise<void> {
  await money.pays(no);
  await world.sql.query(
    `UPDATE notification_inbox SET source = 'query' WHERE out_trade_no = $1
       AND id = (SELECT max(id::text)::uuid FROM notification_inbox WHERE out_trade_no = $1)`,
    [no],
  );
}

async function openNoVerdict(no: string): Promise<void> {
  await world.sql.query(
    `WITH late AS (UPDATE notification_inbox SET undeliverable_at = now() WHERE out_trade_no = $1
       RETURNING id)
     INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence)
     SELECT gen_random_uuid(), $1, $1, 'undeliverable', 'notice:' || id, '{}' FROM late
     ORDER BY id DESC LIMIT 1`,
    [no],
  );
}

test('a dismissed payment that waits behind a full batch is applied, not ignored', async () => {
  const no = await orderThatIs('awaiting_payment');
  for (let n = 0; n < 25; n += 1) {
    await money.keep(no, 'refund', { refundFen: 1, outRefundNo: `r${n}-${no}` });
  }
  await money.keepPayment(no, {});
  await openNoVerdict(no);
  await money.resolves(no, 'undeliverable', 'dismiss');
  await applyAll(no);
  expect(await money.statusOf(no)).not.toBe('awaiting_payment');
  expect((await noticesOf(no)).at(-1)).toBe('applied');
  expect(await money.openReasons(no)).not.toContain('undeliverable');
});

test.each(['awaiting_payment', 'closed', 'fulfilled'])(
  'after the dismissal of a bad notice, WeChat is queried about an order that is %s',
  async (status) => {
    const no = await orderThatIs(status);
    await money.pays(no, { ...BAD, transactionId: `other-${no}` });
    expect(await money.openReasons(no)).toEqual(['undeliverable']);
    expect(await waitingForQuery(no)).toBe(0);
    expect(await money.resolves(no, 'undeliverable', 'dismiss')).toBe('done');
    await applyAll(no);
    expect([await money.openReasons(no), await waitingForQuery(no)]).toEqual([[], 1]);
    await queried(no, false);
    expect([await money.openReasons(no), await noticesOf(no)]).toEqual([
      ['reconciliation'],
      ['conflict'],
    ]);
  },
);

/** Stores a payment whose text no key opens any more, and applies what waits. */
async function paysUnreadably(no: string): Promise<void> {
  await money.keepPayment(no, {});
  await world.sql.query(
    `UPDATE notification_inbox SET resource_encrypted = 'gone' WHERE out_trade_no = $1`,
    [no],
  );
  await applyAll(no);
}

test('a payment that the query shows is applied, the unreadable notice set aside', async () => {
  const no = await orderThatIs('awaiting_payment');
  await paysUnreadably(no);
  expect(await money.openReasons(no)).toEqual(['undeliverable']);
  await money.resolves(no, 'undeliverable', 'dismiss');
  await applyAll(no);
  await findsPayment(no);
  await queried(no, true);
  expect([await money.statusOf(no), await money.openReasons(no), await noticesOf(no)]).toEqual([
    'paid',
    [],
    ['ignored', 'applied'],
  ]);
});

test('a bad notice of a payment that the query shows counts as applied before', async () => {
  const no = await orderThatIs('awaiting_payment');
  await money.pays(no, BAD);
  await money.resolves(no, 'undeliverable', 'dismiss');
  await applyAll(no);
  await findsPayment(no);
  await queried(no, true);
  expect([await money.openReasons(no), await noticesOf(no)]).toEqual([
    [],
    ['already_applied', 'applied'],
  ]);
});

test('a bad notice of other money than the query shows ends in a reconciliation', async () => {
  const no = await orderThatIs('awaiting_payment');
  await money.pays(no, { ...BAD, transactionId: `other-${no}` });
  await money.resolves(no, 'undeliverable', 'dismiss');
  await applyAll(no);
  await findsPayment(no);
  await queried(no, true);
  expect([await money.openReasons(no), await noticesOf(no)]).toEqual([
    ['reconciliation'],
    ['conflict', 'applied'],
  ]);
});

test('a query that brings only the bad notice again ends in a reconciliation', async () => {
  const no = await orderThatIs('awaiting_payment');
  await money.pays(no, BAD);
  await money.resolves(no, 'undeliverable', 'dismiss');
  await applyAll(no);
  await queried(no, true);
  expect(await money.openReasons(no)).toEqual(['reconciliation']);
});

test('a dismissed bad notice about a number that is not ours opens nothing again', async () => {
  const no = 'NOT-OURS-9';
  await money.pays(no, BAD);
  expect(await money.openReasons(no)).toEqual(['undeliverable']);
  await money.resolves(no, 'undeliverable', 'dismiss');
  await applyAll(no);
  expect([await money.openReasons(no), await noticesOf(no)]).toEqual([[], ['conflict']]);
});

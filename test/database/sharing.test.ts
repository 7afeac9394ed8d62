/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import { Pool } from 'pg';
import type { Database } from '../../database/database';
import type { NewReceiver } from '../../database/sharing/reservation';
import type { SharingAnswer, SharingRequest } from '../../database/sharing/requests';
import type { SharingTurn } from '../../database/sharing/sharings';
import type { ToldReceiver } from '../../database/sharing/settlement';
import { createTestDatabase, type TestDatabase } from '../support/test-database';
import { openDatabase } from './support/built';
import { someOrder, someRefund } from './support/patrol';
import { secrets } from './support/secrets';

const ACTOR = { name: 'shop', role: 'merchant' };
const LIFE_MS = 20_000;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 3_600_000;

let stored: TestDatabase;
let sql: Pool;
let database: Database;
beforeAll(async () => {
  stored = await createTestDatabase();
  sql = new Pool({ connectionString: stored.url, max: 3 });
  const sharing = { ratioPercent: 30, delayMs: MINUTE_MS, unfreezeAfterMs: 29 * DAY_MS };
  database = openDatabase({ url: stored.url, ...secrets, webhooks: false, sharing });
});
afterAll(async () => {
  await Promise.all([database.end(), sql.end()]);
  await stored.drop();
});

let made = 0;

/** An order of 300 fen, paid ten minutes ago. */
async function paidOrder({ forSharing = true, status = 'fulfilled' } = {}): Promise<string> {
  const no = await someOrder(sql, { status });
  await sql.query(
    `UPDATE orders SET profit_sharing = $2, paid_at = now() - interval '10 minutes'
     WHERE out_trade_no = $1`,
    [no, forSharing],
  );
  return no;
}

const receiver = (amountFen: number, account = '1900000109'): NewReceiver => ({
  type: /^\d+$/.test(account) ? 'MERCHANT_ID' : 'PERSONAL_OPENID',
  account,
  name: null,
  relationType: 'PARTNER',
  amountFen,
  description: 'commission',
});

const numbered = (outOrderNo: string) => ({ kind: 'given', outOrderNo }) as const;
const keyed = (key: string) =>
  ({ kind: 'key', apiKeyName: 'shop', route: 'POST /x', key }) as const;

function request(
  outTradeNo: string,
  receivers: readonly NewReceiver[],
  more: Partial<SharingRequest> = {},
): Promise<SharingAnswer> {
  made += 1;
  const number = numbered(`s-${made}`);
  const asked = { outTradeNo, receivers, number, unfreezeRest: false, ...more };
  return database.sharings.request(asked, ACTOR, Date.now());
}

async function shared(
  no: string,
  receivers: readonly NewReceiver[],
  more: Partial<SharingRequest> = {},
): Promise<string> {
  const answer = await request(no, receivers, more);
  if (answer.kind !== 'created') throw new Error(JSON.stringify(answer));
  return answer.sharing.outOrderNo;
}

async function money(no: string): Promise<{ held: number; shared: number; refunded: number }> {
  const { rows } = await sql.query<{ held: number; shared: number; refunded: number }>(
    `SELECT held_fen AS held, shared_fen AS shared, refunded_fen AS refunded
     FROM payment_transactions WHERE order_no = $1`,
    [no],
  );
  if (!rows[0]) throw new Error('no payment');
  return rows[0];
}

const turn = (outOrderNo: string, nowMs = Date.now()): Promise<SharingTurn> =>
  database.sharings.turn(outOrderNo, LIFE_MS, nowMs);

/** Registers all receivers and begins to send. @returns the attempt */
async function sending(outOrderNo: string): Promise<string> {
  for (;;) {
    const next = await turn(outOrderNo);
    if (next.kind === 'send') return next.attemptId;
    if (next.kind !== 'register') throw new Error(next.kind);
    const attempt = { id: next.attemptId, requestId: null };
    await database.sharings.registered(next.receiver.id, attempt, Date.now());
  }
}

const told = (amountFen: number, result: ToldReceiver['result'], account = '1900000109') =>
  ({
    type: /^\d+$/.test(account) ? 'MERCHANT_ID' : 'PERSONAL_OPENID',
    account,
    amountFen,
    result,
    failReason: result === 'CLOSED' ? 'ACCOUNT_ABNORMAL' : null,
    detailId: '1',
  }) satisfies ToldReceiver;

function hear(outOrderNo: string, finished: boolean, receivers: readonly ToldReceiver[]) {
  const nextQueryAt = new Date(Date.now() + MINUTE_MS);
  const word = { orderId: '30', finished, receivers, nextQueryAt, source: 'query' } as const;
  return database.sharings.heard(outOrderNo, word, null, Date.now());
}

async function openQuestions(no: string): Promise<Record<string, unknown>[]> {
  const { rows } = await sql.query<Record<string, unknown>>(
    `SELECT reason, subject, amount_fen FROM interventions
     WHERE out_trade_no = $1 AND status = 'open' ORDER BY since`,
    [no],
  );
  return rows;
}

/** Gives an answer, and carries it out as the order's run would. */
async function answer(no: string, action: 'new_number' | 'dismiss' | 'retry' | 'accept') {
  const { rows } = await sql.query<{ id: string }>(
    `SELECT id FROM interventions WHERE out_trade_no = $1 AND status = 'open'`,
    [no],
  );
  const submitted = await database.answers.submit({
    to: { interventionId: rows[0]?.id ?? '' },
    action,
    note: 'x',
    params: {},
    actor: { name: 'ops', role: 'operator' },
    twoPersonFen: 100_000,
    nowMs: Date.now(),
  });
  if (submitted.kind === 'refused') return submitted.code;
  const applied = await database.notices.apply(no, () => ({ kind: 'unknown' }), Date.now());
  return [...applied.refunds, ...applied.sharings].sort();
}

async function rowOf(outOrderNo: string): Promise<Record<string, unknown>> {
  const { rows } = await sql.query<Record<string, unknown>>(
    `SELECT kind, status, origin, replaces, unfreeze_rest, due_at, not_before
     FROM profit_sharings WHERE out_order_no = $1`,
    [outOrderNo],
  );
  return rows[0] ?? {};
}

describe('a request', () => {
  test('holds its amounts, and the same again is the same one', async () => {
    const no = await paidOrder();
    const number = numbered('same-1');
    const first = await request(no, [receiver(40), receiver(20, 'o-1')], { number });
    expect(first).toMatchObject({ kind: 'created', startsNow: true });
    const again = await request(no, [receiver(20, 'o-1'), receiver(40)], { number });
    expect(again).toMatchObject({ kind: 'repeated', settled: false });
    expect(await money(no)).toEqual({ held: 0, shared: 60, refunded: 0 });
  });

  test.each<[string, (no: string) => Promise<[string, readonly NewReceiver[], boolean]>]>([
    ['another amount', (no) => Promise.resolve([no, [receiver(41)], false])],
    ['another account', (no) => Promise.resolve([no, [receiver(40, '1900000110')], false])],
    ['unfreeze_rest', (no) => Promise.resolve([no, [receiver(40)], true])],
    ['another order', async () => [await paidOrder(), [receiver(40)], false]],
  ])('with the number of one with %s is refused', async (what, other) => {
    const no = await paidOrder();
    const number = numbered(`taken-${what.replace(' ', '-')}`);
    await shared(no, [receiver(40)], { number });
    const [outTradeNo, receivers, unfreezeRest] = await other(no);
    const refused = await request(outTradeNo, receivers, { number, unfreezeRest });
    expect(refused).toMatchObject({ kind: 'refused', code: 'OUT_ORDER_NO_USED' });
  });

  test('by key has one number for ever, whatever happens to the key', async () => {
    const no = await paidOrder();
    const number = keyed('k-1');
    const outOrderNo = await shared(no, [receiver(40)], { number });
    expect(outOrderNo).toMatch(/^op_[0-9a-f]{40}$/);
    await sql.query('DELETE FROM idempotency_keys');
    expect(await request(no, [receiver(40)], { number })).toMatchObject({
      kind: 'repeated',
      sharing: { outOrderNo },
    });
    const other = await request(no, [receiver(10)], { number });
    expect(other).toMatchObject({ kind: 'refused', code: 'IDEMPOTENCY_KEY_REUSED' });
    const foreign = await request(await paidOrder(), [receiver(40)], { number });
    expect(foreign).toMatchObject({ kind: 'refused', code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  test('fifty times at once is one sharing, over two orders only one gets the number', async () => {
    const orders = [await paidOrder(), await paidOrder()];
    const number = numbered('at-once');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) => request(orders[n % 2] ?? '', [receiver(40)], { number })),
    );
    const kinds = answers.map((one) => (one.kind === 'refused' ? one.code : one.kind));
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'repeated')).toHaveLength(24);
    expect(kinds.filter((kind) => kind === 'OUT_ORDER_NO_USED')).toHaveLength(25);
  });

  test.each<[string, string, () => Promise<string>]>([
    ['was not made for it', 'ORDER_NOT_FOR_SHARING', () => paidOrder({ forSharing: false })],
    ['is not paid', 'ORDER_NOT_PAID', () => paidOrder({ status: 'awaiting_payment' })],
    ['was paid late', 'ORDER_NOT_PAID', () => paidOrder({ status: 'paid_late' })],
    ['is closed', 'ORDER_NOT_PAID', () => paidOrder({ status: 'closed' })],
    ['is not there', 'NOT_FOUND', () => Promise.resolve('2026010104999999999999')],
  ])('for an order that %s is refused: %s', async (_what, code, order) => {
    expect(await request(await order(), [receiver(1)])).toMatchObject({ kind: 'refused', code });
  });

  test('beyond the ratio is refused, over all sharings together, also at once', async () => {
    const no = await paidOrder();
    expect(await request(no, [receiver(91)])).toMatchObject({ code: 'SHARING_OVER_CAP' });
    const answers = await Promise.all([1, 2, 3, 4].map(() => request(no, [receiver(30)])));
    const codes = answers.map((one) => (one.kind === 'refused' ? one.code : one.kind)).sort();
    expect(codes).toEqual(['SHARING_OVER_CAP', 'created', 'created', 'created']);
    expect(await money(no)).toMatchObject({ shared: 90 });
  });

  test('for more than refunds leave is refused', async () => {
    const no = await paidOrder();
    await someRefund(sql, no, { amountFen: 250 });
    expect(await request(no, [receiver(51)])).toMatchObject({ code: 'NOTHING_TO_SHARE' });
    expect(await request(no, [receiver(50)])).toMatchObject({ kind: 'created' });
  });

  test('after the unfreeze is refused', async () => {
    const no = await paidOrder();
    await shared(no, [], { unfreezeRest: true });
    expect(await request(no, [receiver(1)])).toMatchObject({ code: 'NOTHING_TO_SHARE' });
    expect(await request(no, [], { unfreezeRest: true })).toMatchObject({
      code: 'NOTHING_TO_SHARE',
    });
  });

  test('beyond WeChat Pay\'s fifty is refused', async () => {
    const no = await paidOrder();
    for (let n = 0; n < 50; n += 1) await shared(no, [receiver(1)]);
    expect(await request(no, [receiver(1)])).toMatchObject({ code: 'SHARING_LIMIT' });
  });

  test('soon after the payment is queued, and due when its time comes', async () => {
    const no = await paidOrder();
    await sql.query(`UPDATE orders SET paid_at = now() WHERE out_trade_no = $1`, [no]);
    const queued = await request(no, [receiver(10)]);
    if (queued.kind !== 'created') throw new Error(queued.kind);
    expect(queued.startsNow).toBe(false);
    const { outOrderNo } = queued.sharing;
    const row = await rowOf(outOrderNo);
    expect(row['due_at']).toEqual(row['not_before']);
    const nowMs = Date.now();
    expect(await turn(outOrderNo, nowMs)).toMatchObject({ kind: 'wait' });
    const leased = async (ms: number) =>
      (await database.overdue.leaseSharings(100, ms)).map((one) => one.outOrderNo);
    expect(await leased(nowMs)).not.toContain(outOrderNo);
    expect(await leased(nowMs + MINUTE_MS)).toContain(outOrderNo);
    expect(await leased(nowMs + MINUTE_MS)).not.toContain(outOrderNo);
  });
});

describe('its run', () => {
  test('registers each receiver, then sends; accounts and names are encrypted', async () => {
    const no = await paidOrder();
    const person = { ...receiver(20, 'o-secret'), name: '张三' };
    const outOrderNo = await shared(no, [receiver(10), person]);
    const seen: string[] = [];
    for (let next = await turn(outOrderNo); ; next = await turn(outOrderNo)) {
      seen.push(next.kind === 'register' ? next.receiver.account : next.kind);
      if (next.kind !== 'register') break;
      const attempt = { id: next.attemptId, requestId: null };
      await database.sharings.registered(next.receiver.id, attempt, Date.now());
    }
    expect(seen).toEqual(['1900000109', 'o-secret', 'send']);
    const { rows } = await sql.query(
      `SELECT row_to_json(r)::text AS text FROM profit_sharing_receivers r WHERE out_order_no = $1`,
      [outOrderNo],
    );
    expect(JSON.stringify(rows)).not.toMatch(/o-secret|张三|1900000109/);
  });

  test('asks first after an unknown outcome, and sends the same again when WeChat has nothing', async () => {
    const outOrderNo = await shared(await paidOrder(), [receiver(10)]);
    const attemptId = await sending(outOrderNo);
    expect(await turn(outOrderNo)).toMatchObject({ kind: 'ask', mayBeAbsent: true });
    await database.sharings.attemptEnded(attemptId, 'unknown', 'TIMEOUT', null, Date.now());
    expect(await turn(outOrderNo)).toMatchObject({ kind: 'ask', mayBeAbsent: true });
    const again = await database.sharings.startAfterAbsence(outOrderNo, LIFE_MS, Date.now());
    expect(again).not.toBeNull();
    await hear(outOrderNo, false, [told(10, 'PENDING')]);
    expect(await turn(outOrderNo)).toMatchObject({ kind: 'wait' });
    expect(await database.sharings.startAfterAbsence(outOrderNo, LIFE_MS, Date.now())).toBeNull();
  });

  test('a receiver that WeChat closed frees its amount, and a person is asked without accounts', async () => {
    const no = await paidOrder();
    const outOrderNo = await shared(no, [receiver(40), receiver(20, 'o-closed')]);
    await sending(outOrderNo);
    await hear(outOrderNo, true, [told(40, 'SUCCESS'), told(20, 'CLOSED', 'o-closed')]);
    expect(await money(no)).toMatchObject({ shared: 40 });
    expect(await openQuestions(no)).toEqual([
      { reason: 'sharing_failed', subject: outOrderNo, amount_fen: 20 },
    ]);
    const { rows } = await sql.query(`SELECT evidence::text FROM interventions`);
    expect(JSON.stringify(rows)).not.toMatch(/o-closed|1900000109/);
  });

  test('FINISHED with a receiver still pending is not finished', async () => {
    const outOrderNo = await shared(await paidOrder(), [receiver(10)]);
    await sending(outOrderNo);
    await hear(outOrderNo, true, [told(10, 'PENDING')]);
    expect(await rowOf(outOrderNo)).toMatchObject({ status: 'processing' });
  });

  test.each<[string, ToldReceiver[]]>([
    ['another amount', [told(11, 'SUCCESS')]],
    ['another receiver', [told(10, 'SUCCESS', '1900000110')]],
    ['no receiver', []],
  ])('%s under our number is not booked', async (_what, receivers) => {
    const no = await paidOrder();
    const outOrderNo = await shared(no, [receiver(10)]);
    await sending(outOrderNo);
    expect(await hear(outOrderNo, true, receivers)).toEqual({ kind: 'differs' });
    expect(await rowOf(outOrderNo)).toMatchObject({ status: 'pending' });
  });
});

describe('the rest', () => {
  test('is unfrozen under a number of its own once all have their money', async () => {
    const no = await paidOrder();
    const outOrderNo = await shared(no, [receiver(10)], { unfreezeRest: true });
    await sending(outOrderNo);
    const heard = await hear(outOrderNo, true, [told(10, 'SUCCESS')]);
    const rest = heard.kind === 'booked' ? (heard.rest ?? '') : '';
    expect(await rowOf(rest)).toMatchObject({ kind: 'unfreeze', origin: 'rest', status: 'pending' });
    expect(await turn(rest)).toMatchObject({ kind: 'send', sharing: { kind: 'unfreeze' } });
    expect(await hear(outOrderNo, true, [told(10, 'SUCCESS')])).toMatchObject({ rest: null });
  });

  test('waits for the answer when a receiver failed, and follows a dismissal', async () => {
    const no = await paidOrder();
    const outOrderNo = await shared(no, [receiver(10)], { unfreezeRest: true });
    await sending(outOrderNo);
    expect(await hear(outOrderNo, true, [told(10, 'CLOSED')])).toMatchObject({ rest: null });
    const [rest] = await answer(no, 'dismiss');
    expect(await rowOf(rest ?? '')).toMatchObject({ kind: 'unfreeze', origin: 'rest' });
  });

  test('waits for what is still being shared', async () => {
    const no = await paidOrder();
    const first = await shared(no, [receiver(10)]);
    const rest = await shared(no, [], { unfreezeRest: true });
    expect(await turn(rest)).toMatchObject({ kind: 'wait' });
    await sending(first);
    await hear(first, true, [told(10, 'SUCCESS')]);
    expect(await turn(rest)).toMatchObject({ kind: 'send' });
  });
});

describe('the deadline', () => {
  async function deadlineOf(no: string, dueMs: number): Promise<string> {
    const { rows } = await sql.query<{ no: string }>(
      `INSERT INTO profit_sharings (out_order_no, out_trade_no, transaction_key, merchant_id, app_id,
         transaction_id, kind, description, origin, content_hash, not_before, due_at)
       SELECT 'op_rest_' || $1, $1, id, 'm', 'a', transaction_id, 'unfreeze', 'x', 'deadline', '', $2, $2
       FROM payment_transactions WHERE order_no = $1 RETURNING out_order_no AS no`,
      [no, new Date(dueMs)],
    );
    return rows[0]?.no ?? '';
  }

  test('costs nothing and forbids nothing before its time', async () => {
    const no = await paidOrder();
    const deadline = await deadlineOf(no, Date.now() + DAY_MS);
    const leased = await database.overdue.leaseSharings(100, Date.now());
    expect(leased.map(({ outOrderNo }) => outOrderNo)).not.toContain(deadline);
    expect(await request(no, [receiver(10)])).toMatchObject({ kind: 'created' });
  });

  test('unfreezes at its time, and then nothing can be shared any more', async () => {
    const no = await paidOrder();
    const deadline = await deadlineOf(no, Date.now() - 1_000);
    expect(await turn(deadline)).toMatchObject({ kind: 'send' });
    expect(await request(no, [receiver(10)])).toMatchObject({ code: 'NOTHING_TO_SHARE' });
  });

  test('is closed when the rest was unfrozen before', async () => {
    const no = await paidOrder();
    const deadline = await deadlineOf(no, Date.now() + DAY_MS);
    const rest = await shared(no, [], { unfreezeRest: true });
    await sending(rest);
    await hear(rest, true, []);
    expect(await rowOf(deadline)).toMatchObject({ status: 'closed', due_at: null });
  });

  test('is closed unsent when all went back to the payer', async () => {
    const no = await paidOrder();
    const deadline = await deadlineOf(no, Date.now() - 1_000);
    await someRefund(sql, no, { amountFen: 300, status: 'succeeded' });
    expect(await turn(deadline)).toEqual({ kind: 'over', status: 'closed' });
  });
});

describe('the answer', () => {
  test('new_number shares with the closed receivers alone, once, under the same checks', async () => {
    const no = await paidOrder();
    const outOrderNo = await shared(no, [receiver(40), receiver(50, 'o-2')]);
    await sending(outOrderNo);
    await hear(outOrderNo, true, [told(40, 'SUCCESS'), told(50, 'CLOSED', 'o-2')]);
    const filler = await shared(no, [receiver(10)]);
    expect(await answer(no, 'new_number')).toBe('SHARING_OVER_CAP');
    await sending(filler);
    await hear(filler, true, [told(10, 'CLOSED')]);
    await sql.query(`UPDATE interventions SET status = 'resolved' WHERE subject = $1`, [filler]);
    const [replacement = ''] = await answer(no, 'new_number');
    expect(replacement).toMatch(/^op_[0-9a-f]{32}$/);
    expect(await rowOf(replacement)).toMatchObject({ origin: 'resolution', replaces: outOrderNo });
    expect(await turn(replacement)).toMatchObject({
      kind: 'register',
      receiver: { account: 'o-2', amountFen: 50 },
    });
    expect(await money(no)).toMatchObject({ shared: 90 });
  });

  test('new_number of one that WeChat never took tries the same number again', async () => {
    const { no, outOrderNo, attemptId } = await refusedSharing();
    await database.sharings.attemptEnded(attemptId, 'unknown', 'TIMEOUT', null, Date.now());
    expect(await answer(no, 'new_number')).toEqual([outOrderNo]);
    expect(await turn(outOrderNo)).toMatchObject({ kind: 'ask', mayBeAbsent: true });
  });

  test('dismiss of a refused one closes it and frees its amounts', async () => {
    const { no, outOrderNo } = await refusedSharing();
    expect(await answer(no, 'dismiss')).toEqual([]);
    expect(await rowOf(outOrderNo)).toMatchObject({ status: 'closed', due_at: null });
    expect(await money(no)).toMatchObject({ shared: 0 });
  });

  test('dismiss is refused while WeChat may have it', async () => {
    const { no, outOrderNo, attemptId } = await refusedSharing();
    await database.sharings.attemptEnded(attemptId, 'unknown', 'TIMEOUT', null, Date.now());
    expect(await answer(no, 'dismiss')).toBe('SHARING_RESERVED');
    expect(await money(no)).toMatchObject({ shared: 10 });
    expect(await rowOf(outOrderNo)).toMatchObject({ status: 'pending' });
  });

  async function refusedSharing() {
    const no = await paidOrder();
    const outOrderNo = await shared(no, [receiver(10)]);
    const attemptId = await sending(outOrderNo);
    await database.sharings.attemptEnded(attemptId, 'refused', 'NO_AUTH', null, Date.now());
    const given = await database.giveUp.open(
      {
        operation: 'wechat.sharing',
        number: outOrderNo,
        subject: outOrderNo,
        code: 'WECHAT_PERMISSION_DENIED',
        attempts: 1,
        evidence: {},
      },
      Date.now(),
    );
    expect(given).toBe('opened');
    expect(await turn(outOrderNo)).toEqual({ kind: 'over', status: 'pending' });
    return { no, outOrderNo, attemptId };
  }
});

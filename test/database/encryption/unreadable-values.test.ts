/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Values that no encryption key decrypts: they are shown as such, and nothing is done with them.
import { randomBytes } from 'node:crypto';
import { types } from 'node:util';
import type { Database } from '../../../database/database';
import { createFieldCipher } from '../../../database/encryption/field-encryption';
import type { FieldPlace } from '../../../database/encryption/field-place';
import type { LogUnreadable } from '../../../database/interventions/report-unreadable';
import type { Notice } from '../../../domain/payments/notices';
import { BUDGET_SPENT } from '../../../domain/retries/retry-policy';
import { fen } from '../../../domain/money';
import { until } from '../../support/until';
import { createRetryControl, createRetryDecider, openDatabase } from '../support/built';
import { createTestMoney, type TestMoney } from '../support/money';
import { someOrder, someRefund } from '../support/patrol';
import { secrets } from '../support/secrets';
import {
  LIFE_MS,
  receiver,
  reported,
  startTestSharing,
  type TestSharing,
} from '../support/sharing';

const SHOP = { name: 'shop', role: 'merchant' };

/** Its ring has the key that wrote all rows, so it is also the process after the key is back. */
let world: TestSharing;
let money: TestMoney;
/** Processes whose ring lacks that key. */
let keyless: Database;
let second: Database;
const logged: Record<string, unknown>[] = [];
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
  const logUnreadable: LogUnreadable = (ids, event) => logged.push({ event, ...ids });
  const encryptionKeys = [{ id: 'k2', key: randomBytes(32) }];
  const options = { url: world.url, ...secrets, encryptionKeys, webhooks: false, logUnreadable };
  [keyless, second] = [openDatabase(options), openDatabase(options)];
});
afterAll(async () => {
  await Promise.all([keyless.end(), second.end()]);
  await world.end();
});
beforeEach(async () => {
  logged.length = 0;
  await world.sql.query('UPDATE rate_limits SET tokens = 3');
});

/** The entry of the log about a value of this column. */
const entry = (outTradeNo: string, column: string) => ({
  event: 'database.value_unreadable',
  out_trade_no: outTradeNo,
  column,
  key_id: 'k1',
  why: 'no_key',
});

/** Ends a failed attempt of an activity as a worker without the key does. */
function endAttempt(error: unknown, activity: string, number: string): Promise<unknown> {
  const decide = createRetryDecider({
    database: keyless,
    control: createRetryControl({ database: keyless, now: Date.now }),
    onDatabaseAway: () => {
      throw new Error('The database is not away');
    },
    log: () => undefined,
    now: Date.now,
    random: () => 0.5,
  });
  return decide(error, { activity, number, attempt: 1 });
}

/** Fails an activity, which opens this intervention once, and is not tried again. */
async function expectStopped(
  no: string,
  fails: () => Promise<unknown>,
  what: { activity: string; number: string; reason: string; subject: string; column: string },
): Promise<void> {
  const failed = () => fails().catch((thrown: unknown) => thrown);
  const error = await failed();
  expect(error).toMatchObject({ name: 'UnreadableValueError' });
  const end = await endAttempt(error, what.activity, what.number);
  expect(end).toMatchObject({ nonRetryable: true, type: BUDGET_SPENT });
  // A run that comes again waits for the person, or fails in the same way.
  const again = await failed();
  if (types.isNativeError(again)) await endAttempt(again, what.activity, what.number);
  else expect(again).toMatchObject({ kind: 'over' });
  const open = await world.openInterventions(no);
  expect(open).toEqual([
    { reason: what.reason, subject: what.subject, amount_fen: open[0]?.['amount_fen'] },
  ]);
  expect(logged).toEqual([entry(no, what.column)]);
}

const evidenceOf = async (no: string) =>
  (
    await world.sql.query<{ evidence: unknown }>(
      `SELECT evidence FROM interventions WHERE out_trade_no = $1`,
      [no],
    )
  ).rows.map(({ evidence }) => evidence);

/** An order with codes that were handed out. */
async function orderWithCodes(codes: string[]): Promise<string> {
  const no = await someOrder(world.sql);
  const sku = `codes-${no}`;
  await world.database.products.put({ sku, name: 'x', kind: 'virtual', stock: null }, SHOP);
  await world.database.products.addCodes(sku, codes, SHOP);
  await world.sql.query(
    `UPDATE product_codes SET out_trade_no = $1, line = 1, delivered_at = now() WHERE sku = $2`,
    [no, sku],
  );
  return no;
}

test('codes without their key are null, with one entry in the log and one case', async () => {
  const no = await orderWithCodes(['A-1', 'A-2', 'A-3']);
  const look = (database: Database) => database.orders.findOrder(no, true);
  const seen = await Promise.all([look(keyless), look(second), look(keyless), look(second)]);
  for (const order of seen)
    expect(order?.codes?.map(({ code }) => code)).toEqual([null, null, null]);
  await until('the intervention is open', async () =>
    (await world.openInterventions(no)).length > 0 ? true : null,
  );
  await Promise.all([keyless.unreadable.settled(), second.unreadable.settled()]);
  await look(keyless);
  await keyless.unreadable.settled();
  const subject = 'unreadable_value:product_codes.code';
  expect(await world.openInterventions(no)).toEqual([
    { reason: 'invariant', subject, amount_fen: null },
  ]);
  expect(await evidenceOf(no)).toEqual([
    {
      column: 'product_codes.code',
      key_id: 'k1',
      why: 'no_key',
      message:
        "A value of product_codes.code can't be decrypted: " +
        'ONCEPAY_ENCRYPTION_KEYS lacks the key k1',
    },
  ]);
  expect(logged).toEqual([entry(no, 'product_codes.code')]);
  expect((await look(world.database))?.codes?.map(({ code }) => code).sort()).toEqual([
    'A-1',
    'A-2',
    'A-3',
  ]);
  expect(await world.resolve(no, 'retry')).toEqual([]);
  expect(await world.openInterventions(no)).toEqual([]);
});

test('a value that was changed is shown as null too', async () => {
  const no = await orderWithCodes(['B-1']);
  await world.sql.query(
    `UPDATE product_codes SET code_encrypted = left(code_encrypted, -4) || 'AAAA'
     WHERE out_trade_no = $1`,
    [no],
  );
  const order = await world.database.orders.findOrder(no, true);
  expect(order?.codes?.map(({ code }) => code)).toEqual([null]);
  await world.database.unreadable.settled();
  expect(await evidenceOf(no)).toMatchObject([{ key_id: 'k1', why: 'damaged' }]);
});

test('a prepay without its openid stops, WeChat has no part in it, and retry goes on', async () => {
  const nowMs = Date.now();
  const created = await world.database.orders.create(
    {
      channel: 'miniprogram',
      userId: 'u',
      openid: 'o-payer',
      clientIp: null,
      description: 'x',
      items: [{ sku: 'x', quantity: 1, unitPriceFen: fen(300), kind: null }],
      totalFen: fen(300),
      currency: 'CNY',
      shopOrderNo: null,
      profitSharing: false,
      metadata: null,
      appId: 'a',
      merchantId: 'm',
      notifyUrl: 'https://shop.example/callbacks/wechat',
      timeExpire: '2036-01-01T12:31:00+08:00',
      expiresAtMs: nowMs + 3_600_000,
    },
    null,
    SHOP,
    nowMs,
  );
  if (created.kind !== 'created') throw new Error(created.kind);
  const no = created.outTradeNo;
  const start = (database: Database) => database.prepays.start(no, 1, LIFE_MS, Date.now());
  await expectStopped(no, () => start(keyless), {
    activity: 'prepay',
    number: no,
    reason: 'wechat_failed',
    subject: 'prepay',
    column: 'orders.openid',
  });
  const { rows } = await world.sql.query<{ outcome: string }>(
    'SELECT DISTINCT outcome FROM provider_attempts WHERE out_trade_no = $1',
    [no],
  );
  expect(rows).toEqual([{ outcome: 'refused' }]);
  await world.resolve(no, 'retry');
  expect(await start(world.database)).toMatchObject({
    kind: 'send',
    request: { openid: 'o-payer' },
  });
});

test('a sharing without its receivers is not sent, and retry sends the same number', async () => {
  const no = await world.paidOrder();
  const outOrderNo = await world.shared(no, [receiver(30)]);
  const turn = (database: Database) => database.sharings.turn(outOrderNo, LIFE_MS, Date.now());
  await expectStopped(no, () => turn(keyless), {
    activity: 'settleSharing',
    number: outOrderNo,
    reason: 'sharing_failed',
    subject: outOrderNo,
    column: 'profit_sharing_receivers.account',
  });
  const { rowCount } = await world.sql.query(
    'SELECT 1 FROM profit_sharing_attempts WHERE out_order_no = $1',
    [outOrderNo],
  );
  expect(rowCount).toBe(0);
  const view = await keyless.orders.findOrder(no, false);
  expect(view?.profitSharings[0]?.receivers.map(({ account }) => account)).toEqual([null]);
  expect(await world.resolve(no, 'retry')).toEqual([outOrderNo]);
  expect(await turn(world.database)).toMatchObject({ kind: 'register' });
});

test('a sharing is dismissed without the key, and its amount is free again', async () => {
  const no = await world.paidOrder();
  const outOrderNo = await world.shared(no, [receiver(30)]);
  const error = await keyless.sharings
    .turn(outOrderNo, LIFE_MS, Date.now())
    .catch((thrown: unknown) => thrown);
  await endAttempt(error, 'settleSharing', outOrderNo);
  await resolveWithout(no, 'dismiss');
  expect(await world.money(no)).toMatchObject({ shared: 0 });
  expect(await world.rowOf(outOrderNo)).toMatchObject({ status: 'closed' });
});

/** Resolves and carries it out in a process that lacks the key. */
async function resolveWithout(no: string, action: 'dismiss' | 'new_number') {
  const { rows } = await world.sql.query<{ id: string }>(
    `SELECT id FROM interventions WHERE out_trade_no = $1 AND status = 'open'`,
    [no],
  );
  const submitted = await keyless.resolutions.submit({
    to: { interventionId: rows[0]?.id ?? '' },
    action,
    note: 'x',
    params: {},
    actor: { name: 'ops', role: 'operator' },
    approves: null,
    nowMs: Date.now(),
  });
  if (submitted.kind !== 'approved') return submitted;
  await keyless.notices.apply(no, () => ({ kind: 'unknown' }), Date.now());
  return submitted;
}

test('a new number for closed receivers needs their key: refused, and the case stays', async () => {
  const no = await world.paidOrder();
  const outOrderNo = await world.shared(no, [receiver(30)]);
  await world.sending(outOrderNo);
  await world.report(outOrderNo, true, [reported(30, 'CLOSED')]);
  expect(await resolveWithout(no, 'new_number')).toMatchObject({ code: 'TEMPORARY_FAILURE' });
  expect(await world.money(no)).toMatchObject({ shared: 0 });
  await keyless.unreadable.settled();
  expect(await money.openReasons(no)).toEqual(['invariant', 'sharing_failed']);
  expect(logged).toEqual([entry(no, 'profit_sharing_receivers.account')]);
});

test('a take-back without its receiver stops the refund, and retry takes it back', async () => {
  const no = await world.paidOrder();
  const outOrderNo = await world.shared(no, [receiver(60)]);
  await world.sending(outOrderNo);
  await world.report(outOrderNo, true, [reported(60, 'SUCCESS')]);
  const refundNo = await someRefund(world.sql, no, { amountFen: 270, status: 'pending' });
  const limits = { spacingMs: 0, busyMs: 100, attemptLifeMs: LIFE_MS };
  const turn = (database: Database) => database.refunds.turn(refundNo, limits, Date.now);
  await expectStopped(no, () => turn(keyless), {
    activity: 'settleRefund',
    number: refundNo,
    reason: 'return_failed',
    subject: refundNo,
    column: 'profit_sharing_receivers.account',
  });
  expect(await world.resolve(no, 'retry')).toEqual([refundNo]);
  expect(await turn(world.database)).toMatchObject({
    kind: 'take_back',
    turn: { kind: 'send', request: { returnMchid: '1900000109' } },
  });
});

/** The card of a refund, encrypted with the key that the others lack. */
const cardOf = (place: FieldPlace) =>
  createFieldCipher(secrets.encryptionKeys).encrypt(place, '{"to":"merchant_bank_card"}');

test('an abnormal refund without its card stops: a person names the card again', async () => {
  const no = await world.paidOrder();
  const refundNo = await someRefund(world.sql, no, { amountFen: 100, status: 'abnormal' });
  const place = { table: 'refunds', column: 'abnormal', row: refundNo };
  await world.sql.query(
    `UPDATE refunds SET abnormal_encrypted = $2, refund_id = '501' WHERE out_refund_no = $1`,
    [refundNo, cardOf(place)],
  );
  const limits = { spacingMs: 0, busyMs: 100, attemptLifeMs: LIFE_MS };
  const error = await keyless.refunds
    .turn(refundNo, limits, Date.now)
    .catch((thrown: unknown) => thrown);
  expect(await endAttempt(error, 'settleRefund', refundNo)).toMatchObject({ nonRetryable: true });
  expect(await money.openReasons(no)).toEqual(['refund_abnormal']);
  const { rows } = await world.sql.query(
    `SELECT abnormal_encrypted AS card, (SELECT count(*)::int FROM refund_attempts a
       WHERE a.out_refund_no = r.out_refund_no) AS attempts
     FROM refunds r WHERE out_refund_no = $1`,
    [refundNo],
  );
  expect(rows).toEqual([{ card: null, attempts: 0 }]);
  expect(logged).toEqual([entry(no, 'refunds.abnormal')]);
});

test('a resolution without its params is refused; notices beside it are applied', async () => {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  await world.sql.query(
    `WITH i AS (INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence)
       VALUES (gen_random_uuid(), $1, $1, 'wechat_failed', 'query', '{}') RETURNING id)
     INSERT INTO intervention_resolutions (id, intervention_id, out_trade_no, action, params_hash,
       params_encrypted, note, status, proposed_by, proposed_at, approved_by, approved_at,
       approved_fen)
     SELECT gen_random_uuid(), id, $1, 'retry', 'h', 'v1.k1.AAAA', 'x', 'approved', 'ops', now(),
       'ops', now(), 0 FROM i`,
    [no],
  );
  const notice: Notice = { kind: 'unknown' };
  await keyless.notices.apply(no, () => notice, Date.now());
  const { rows } = await world.sql.query(
    `SELECT r.status AS given, r.refusal_code AS refusal, i.status
     FROM intervention_resolutions r JOIN interventions i ON i.id = r.intervention_id
     WHERE r.out_trade_no = $1`,
    [no],
  );
  expect(rows).toEqual([{ given: 'refused', refusal: 'TEMPORARY_FAILURE', status: 'open' }]);
  await keyless.unreadable.settled();
  expect(logged).toEqual([entry(no, 'intervention_resolutions.params')]);
});

test('a notice without its key waits for a person, and retry applies it', async () => {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  await money.keepPayment(no, {});
  const apply = () => keyless.notices.apply(no, () => ({ kind: 'unknown' }), Date.now());
  await apply();
  await apply();
  expect(await money.openReasons(no)).toEqual(['undeliverable']);
  expect(await evidenceOf(no)).toMatchObject([{ why: 'unreadable', key_id: 'k1' }]);
  expect(logged).toEqual([entry(no, 'notification_inbox.resource')]);
  expect(await money.resolves(no, 'undeliverable', 'retry')).toBe('done');
  await money.again(no);
  expect(await money.statusOf(no)).toBe('paid');
});

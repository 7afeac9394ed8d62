/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import type { ReportedReceiver } from '../../../database/sharing/record-sharing-report';
import { someRefund } from '../support/patrol';
import {
  DAY_MS,
  LIFE_MS,
  receiver,
  startTestSharing,
  reported,
  type TestSharing,
} from '../support/sharing';

let sharing: TestSharing;
beforeAll(async () => {
  sharing = await startTestSharing();
});
afterAll(() => sharing.end());

describe('the run of a sharing', () => {
  test('registers each receiver, then sends; accounts and names are encrypted', async () => {
    const no = await sharing.paidOrder();
    const person = { ...receiver(20, 'o-secret'), name: '张三' };
    const outOrderNo = await sharing.shared(no, [receiver(10), person]);
    const seen: string[] = [];
    for (let next = await sharing.turn(outOrderNo); ; next = await sharing.turn(outOrderNo)) {
      seen.push(next.kind === 'register' ? next.receiver.account : next.kind);
      if (next.kind !== 'register') break;
      const attempt = { id: next.attemptId, requestId: null };
      await sharing.database.sharings.registered(next.receiver.id, attempt, Date.now());
    }
    expect(seen).toEqual(['1900000109', 'o-secret', 'send']);
    const { rows } = await sharing.sql.query(
      `SELECT row_to_json(r)::text AS text FROM profit_sharing_receivers r WHERE out_order_no = $1`,
      [outOrderNo],
    );
    expect(JSON.stringify(rows)).not.toMatch(/o-secret|张三|1900000109/);
  });

  test('queries first after an unknown outcome, and sends the same again', async () => {
    const outOrderNo = await sharing.shared(await sharing.paidOrder(), [receiver(10)]);
    const attemptId = await sharing.sending(outOrderNo);
    expect(await sharing.turn(outOrderNo)).toMatchObject({ kind: 'query', mayBeAbsent: true });
    await sharing.database.sharings.endAttempt(
      { id: attemptId, outcome: 'unknown', code: 'TIMEOUT', requestId: null },
      Date.now(),
    );
    expect(await sharing.turn(outOrderNo)).toMatchObject({ kind: 'query', mayBeAbsent: true });
    const again = await sharing.database.sharings.startAfterAbsence(
      outOrderNo,
      LIFE_MS,
      Date.now(),
    );
    expect(again).not.toBeNull();
    await sharing.report(outOrderNo, false, [reported(10, 'PENDING')]);
    expect(await sharing.turn(outOrderNo)).toMatchObject({ kind: 'wait' });
    expect(
      await sharing.database.sharings.startAfterAbsence(outOrderNo, LIFE_MS, Date.now()),
    ).toBeNull();
  });

  test('frees the amount of a closed receiver; the intervention names no account', async () => {
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(40), receiver(20, 'o-closed')]);
    await sharing.sending(outOrderNo);
    await sharing.report(outOrderNo, true, [
      reported(40, 'SUCCESS'),
      reported(20, 'CLOSED', 'o-closed'),
    ]);
    expect(await sharing.money(no)).toMatchObject({ shared: 40 });
    expect(await sharing.openInterventions(no)).toEqual([
      { reason: 'sharing_failed', subject: outOrderNo, amount_fen: 20 },
    ]);
    const { rows } = await sharing.sql.query(`SELECT evidence::text FROM interventions`);
    expect(JSON.stringify(rows)).not.toMatch(/o-closed|1900000109/);
  });

  test('does not finish on FINISHED while a receiver is pending', async () => {
    const outOrderNo = await sharing.shared(await sharing.paidOrder(), [receiver(10)]);
    await sharing.sending(outOrderNo);
    await sharing.report(outOrderNo, true, [reported(10, 'PENDING')]);
    expect(await sharing.rowOf(outOrderNo)).toMatchObject({ status: 'processing' });
  });

  test.each<[string, ReportedReceiver[]]>([
    ['another amount', [reported(11, 'SUCCESS')]],
    ['another receiver', [reported(10, 'SUCCESS', '1900000110')]],
    ['no receiver', []],
  ])('%s under our number is not booked', async (_what, receivers) => {
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(10)]);
    await sharing.sending(outOrderNo);
    expect(await sharing.report(outOrderNo, true, receivers)).toEqual({ kind: 'differs' });
    expect(await sharing.rowOf(outOrderNo)).toMatchObject({ status: 'pending' });
  });
});

describe('the rest of a shared payment', () => {
  test('is unfrozen under a number of its own once all have their money', async () => {
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(10)], { unfreezeRest: true });
    await sharing.sending(outOrderNo);
    const heard = await sharing.report(outOrderNo, true, [reported(10, 'SUCCESS')]);
    const rest = heard.kind === 'recorded' ? (heard.rest ?? '') : '';
    expect(await sharing.rowOf(rest)).toMatchObject({
      kind: 'unfreeze',
      origin: 'rest',
      status: 'pending',
    });
    expect(await sharing.turn(rest)).toMatchObject({ kind: 'send', request: { kind: 'unfreeze' } });
    expect(await sharing.report(outOrderNo, true, [reported(10, 'SUCCESS')])).toMatchObject({
      rest: null,
    });
  });

  test('waits for the resolution when a receiver failed, and follows a dismissal', async () => {
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(10)], { unfreezeRest: true });
    await sharing.sending(outOrderNo);
    expect(await sharing.report(outOrderNo, true, [reported(10, 'CLOSED')])).toMatchObject({
      rest: null,
    });
    const [rest] = await sharing.resolve(no, 'dismiss');
    expect(await sharing.rowOf(rest ?? '')).toMatchObject({ kind: 'unfreeze', origin: 'rest' });
  });

  test('waits for sharings under way', async () => {
    const no = await sharing.paidOrder();
    const first = await sharing.shared(no, [receiver(10)]);
    const rest = await sharing.shared(no, [], { unfreezeRest: true });
    expect(await sharing.turn(rest)).toMatchObject({ kind: 'wait' });
    await sharing.sending(first);
    await sharing.report(first, true, [reported(10, 'SUCCESS')]);
    expect(await sharing.turn(rest)).toMatchObject({ kind: 'send' });
  });
});

describe('the unfreeze at the deadline', () => {
  async function deadlineOf(no: string, dueMs: number): Promise<string> {
    const { rows } = await sharing.sql.query<{ no: string }>(
      `INSERT INTO profit_sharings (out_order_no, out_trade_no, transaction_key, merchant_id,
         app_id,
         transaction_id, kind, description, origin, content_hash, not_before, due_at)
       SELECT 'op_rest_' || $1, $1, id, 'm', 'a', transaction_id, 'unfreeze', 'x', 'deadline', '',
         $2, $2
       FROM payment_transactions WHERE order_no = $1 RETURNING out_order_no AS no`,
      [no, new Date(dueMs)],
    );
    return rows[0]?.no ?? '';
  }

  test('costs nothing and forbids nothing before its time', async () => {
    const no = await sharing.paidOrder();
    const deadline = await deadlineOf(no, Date.now() + DAY_MS);
    const leased = await sharing.database.overdue.leaseSharings(100, Date.now());
    expect(leased.map(({ outOrderNo }) => outOrderNo)).not.toContain(deadline);
    expect(await sharing.request(no, [receiver(10)])).toMatchObject({ kind: 'created' });
  });

  test('unfreezes at its time, and then nothing can be shared any more', async () => {
    const no = await sharing.paidOrder();
    const deadline = await deadlineOf(no, Date.now() - 1_000);
    expect(await sharing.turn(deadline)).toMatchObject({ kind: 'send' });
    expect(await sharing.request(no, [receiver(10)])).toMatchObject({ code: 'NOTHING_TO_SHARE' });
  });

  test('is closed when the rest was unfrozen before', async () => {
    const no = await sharing.paidOrder();
    const deadline = await deadlineOf(no, Date.now() + DAY_MS);
    const rest = await sharing.shared(no, [], { unfreezeRest: true });
    await sharing.sending(rest);
    await sharing.report(rest, true, []);
    expect(await sharing.rowOf(deadline)).toMatchObject({ status: 'closed', due_at: null });
  });

  test('is closed unsent when all went back to the payer', async () => {
    const no = await sharing.paidOrder();
    const deadline = await deadlineOf(no, Date.now() - 1_000);
    await someRefund(sharing.sql, no, { amountFen: 300, status: 'succeeded' });
    expect(await sharing.turn(deadline)).toEqual({ kind: 'over', status: 'closed' });
  });
});

describe('the resolution of a failed sharing', () => {
  test('new_number shares once with the closed receivers, under the same checks', async () => {
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(40), receiver(50, 'o-2')]);
    await sharing.sending(outOrderNo);
    await sharing.report(outOrderNo, true, [
      reported(40, 'SUCCESS'),
      reported(50, 'CLOSED', 'o-2'),
    ]);
    const filler = await sharing.shared(no, [receiver(10)]);
    expect(await sharing.resolve(no, 'new_number')).toBe('SHARING_OVER_CAP');
    await sharing.sending(filler);
    await sharing.report(filler, true, [reported(10, 'CLOSED')]);
    await sharing.sql.query(`UPDATE interventions SET status = 'resolved' WHERE subject = $1`, [
      filler,
    ]);
    const [replacement = ''] = await sharing.resolve(no, 'new_number');
    expect(replacement).toMatch(/^op_[0-9a-f]{40}$/);
    expect(await sharing.rowOf(replacement)).toMatchObject({
      origin: 'resolution',
      replaces: outOrderNo,
    });
    expect(await sharing.turn(replacement)).toMatchObject({
      kind: 'register',
      receiver: { account: 'o-2', amountFen: 50 },
    });
    expect(await sharing.money(no)).toMatchObject({ shared: 90 });
  });

  test('new_number of one that WeChat never took tries the same number again', async () => {
    const { no, outOrderNo, attemptId } = await refusedSharing();
    await sharing.database.sharings.endAttempt(
      { id: attemptId, outcome: 'unknown', code: 'TIMEOUT', requestId: null },
      Date.now(),
    );
    expect(await sharing.resolve(no, 'new_number')).toEqual([outOrderNo]);
    expect(await sharing.turn(outOrderNo)).toMatchObject({ kind: 'query', mayBeAbsent: true });
  });

  test('retry of one that WeChat accepted and lost queries it, then sends it again', async () => {
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(10)]);
    const attempt = { id: await sharing.sending(outOrderNo), requestId: null };
    await sharing.report(outOrderNo, false, [reported(10, 'PENDING')], attempt);
    expect(await sharing.turn(outOrderNo)).toMatchObject({ kind: 'wait' });
    await escalated(outOrderNo, 'wechat.sharing_query', { wechat_code: 'RESOURCE_NOT_EXISTS' });
    expect(await sharing.turn(outOrderNo)).toEqual({ kind: 'over', status: 'processing' });
    expect(await sharing.resolve(no, 'dismiss')).toBe('SHARING_RESERVED');
    expect(await sharing.resolve(no, 'retry')).toEqual([outOrderNo]);
    const asked = { kind: 'query', mayBeAbsent: true, acceptedAtMs: null };
    expect(await sharing.turn(outOrderNo)).toMatchObject(asked);
    const { startAfterAbsence } = sharing.database.sharings;
    const laterMs = Date.now() + 2 * LIFE_MS;
    expect(await startAfterAbsence(outOrderNo, LIFE_MS, laterMs)).not.toBeNull();
    const { rows } = await sharing.sql.query(
      `SELECT outcome, code FROM profit_sharing_attempts
       WHERE out_order_no = $1 AND operation = 'share' ORDER BY sent_at`,
      [outOrderNo],
    );
    expect(rows).toEqual([
      { outcome: 'refused', code: 'RESOURCE_NOT_EXISTS' },
      { outcome: null, code: null },
    ]);
    await sharing.report(outOrderNo, true, [reported(10, 'SUCCESS')]);
    expect(await sharing.rowOf(outOrderNo)).toMatchObject({ status: 'finished' });
    expect(await sharing.money(no)).toMatchObject({ shared: 10 });
  });

  test('retry of one that WeChat may still work on queries it and sends nothing', async () => {
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(10)]);
    const attempt = { id: await sharing.sending(outOrderNo), requestId: null };
    await sharing.report(outOrderNo, false, [reported(10, 'PENDING')], attempt);
    await escalated(outOrderNo, 'wechat.sharing_query', { state: 'DONE', wechat_code: null });
    expect(await sharing.resolve(no, 'retry')).toEqual([outOrderNo]);
    const queried = { kind: 'query', mayBeAbsent: false };
    expect(await sharing.turn(outOrderNo)).toMatchObject(queried);
  });

  test('retry of a finished one is refused, and shares nothing again', async () => {
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(10)]);
    await sharing.sending(outOrderNo);
    await sharing.report(outOrderNo, true, [reported(10, 'CLOSED')]);
    expect(await sharing.resolve(no, 'retry')).toBe('ACTION_NOT_ALLOWED');
    expect(await sharing.money(no)).toMatchObject({ shared: 0 });
    expect(await sharing.openInterventions(no)).toMatchObject([{ reason: 'sharing_failed' }]);
  });

  test('dismiss of a refused one closes it and frees its amounts', async () => {
    const { no, outOrderNo } = await refusedSharing();
    expect(await sharing.resolve(no, 'dismiss')).toEqual([]);
    expect(await sharing.rowOf(outOrderNo)).toMatchObject({ status: 'closed', due_at: null });
    expect(await sharing.money(no)).toMatchObject({ shared: 0 });
  });

  test('dismiss is refused while WeChat may have the sharing', async () => {
    const { no, outOrderNo, attemptId } = await refusedSharing();
    await sharing.database.sharings.endAttempt(
      { id: attemptId, outcome: 'unknown', code: 'TIMEOUT', requestId: null },
      Date.now(),
    );
    expect(await sharing.resolve(no, 'dismiss')).toBe('SHARING_RESERVED');
    expect(await sharing.money(no)).toMatchObject({ shared: 10 });
    expect(await sharing.rowOf(outOrderNo)).toMatchObject({ status: 'pending' });
  });

  async function escalated(
    outOrderNo: string,
    operation: 'wechat.sharing' | 'wechat.sharing_query',
    evidence: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    const spent = { operation, number: outOrderNo, subject: outOrderNo, attempts: 1, evidence };
    const escalation = { ...spent, code: 'WECHAT_PERMISSION_DENIED' } as const;
    const given = await sharing.database.escalations.escalate(escalation, Date.now());
    expect(given).toBe('opened');
  }

  async function refusedSharing() {
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(10)]);
    const attemptId = await sharing.sending(outOrderNo);
    await sharing.database.sharings.endAttempt(
      { id: attemptId, outcome: 'refused', code: 'NO_AUTH', requestId: null },
      Date.now(),
    );
    await escalated(outOrderNo, 'wechat.sharing', {});
    expect(await sharing.turn(outOrderNo)).toEqual({ kind: 'over', status: 'pending' });
    return { no, outOrderNo, attemptId };
  }
});

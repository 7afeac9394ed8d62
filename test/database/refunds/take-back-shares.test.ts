/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import type { RefundTurn } from '../../../database/refunds/take-refund-turn';
import type { ShareReturnReport } from '../../../database/refunds/record-share-return';
import type { StoredShareReturn } from '../../../database/sharing/lock-share-returns';
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
// These turns send nothing, so nobody gives their tokens back.
beforeEach(() => sharing.sql.query('UPDATE rate_limits SET tokens = 3'));

const FIRST = '1900000109';
const SECOND = '1900000110';
const PERSON = 'o-person';

/** An order of which receivers hold this much. */
async function sharedOrder(amounts: readonly [fen: number, account: string][]) {
  const no = await sharing.paidOrder();
  const outOrderNo = await sharing.shared(
    no,
    amounts.map(([fen, account]) => receiver(fen, account)),
  );
  await sharing.sending(outOrderNo);
  const results = amounts.map(([fen, account]) => reported(fen, 'SUCCESS', account));
  await sharing.report(outOrderNo, true, results);
  return { no, outOrderNo };
}

const refundOf = (no: string, amountFen: number) =>
  someRefund(sharing.sql, no, { amountFen, status: 'pending' });

const turn = (refundNo: string): Promise<RefundTurn> =>
  sharing.database.refunds.turn(
    refundNo,
    { spacingMs: 0, busyMs: 100, attemptLifeMs: LIFE_MS },
    Date.now,
  );

/** The take-back that is sent now. */
async function sent(refundNo: string): Promise<{ back: StoredShareReturn; attemptId: string }> {
  const next = await turn(refundNo);
  if (next.kind !== 'take_back') throw new Error(next.kind);
  const { turn: own } = next;
  if (own.kind !== 'send') throw new Error(own.kind);
  return { back: own.request, attemptId: own.attemptId };
}

function endAttempt(id: string, outcome: 'unknown' | 'refused', code: string): Promise<void> {
  const attempt = { id, outcome, code, requestId: null };
  return sharing.database.shareReturns.endAttempt(attempt, Date.now());
}

function hear(back: StoredShareReturn, result: ShareReturnReport['result'], attemptId?: string) {
  const word = {
    result,
    returnId: '7',
    failReason: result === 'FAILED' ? 'BALANCE_NOT_ENOUGH' : null,
    nextQueryAt: new Date(Date.now() + 60_000),
  };
  const attempt = attemptId === undefined ? null : { id: attemptId, requestId: null };
  return sharing.database.shareReturns.recordReport(back, word, attempt, Date.now());
}

/** An escalation of this take-back. */
const spentOn = (
  { outRefundNo: number, outReturnNo: subject }: StoredShareReturn,
  code: 'TIMEOUT' | 'WECHAT_PERMISSION_DENIED' = 'TIMEOUT',
  attempts = 60,
) => ({ operation: 'wechat.return', number, subject, code, attempts, evidence: {} }) as const;

test('a refund that the payment covers takes nothing back', async () => {
  const { no } = await sharedOrder([[90, FIRST]]);
  expect(await turn(await refundOf(no, 210))).toMatchObject({ kind: 'send' });
});

test('a refund that lacks money takes it back from as few receivers as possible', async () => {
  const { no } = await sharedOrder([
    [30, SECOND],
    [60, FIRST],
  ]);
  const refundNo = await refundOf(no, 250);
  const { back, attemptId } = await sent(refundNo);
  expect(back).toMatchObject({ returnMchid: FIRST, amountFen: 40, merchantId: 'm' });
  expect(back.outReturnNo).toMatch(/^op_/);
  await hear(back, 'SUCCESS', attemptId);
  expect(await sharing.money(no)).toEqual({ held: 250, shared: 50, refunded: 0 });
  expect(await turn(refundNo)).toMatchObject({ kind: 'send' });
  const { rows } = await sharing.sql.query(
    `SELECT amount_fen, returned_fen FROM profit_sharing_receivers r
     JOIN profit_sharings USING (out_order_no) WHERE out_trade_no = $1 ORDER BY line`,
    [no],
  );
  expect(rows).toEqual([
    { amount_fen: 30, returned_fen: 0 },
    { amount_fen: 60, returned_fen: 40 },
  ]);
});

test('a share taken back counts for the ratio still, and cannot be shared again', async () => {
  const { no } = await sharedOrder([[60, FIRST]]);
  const refundNo = await refundOf(no, 270);
  const { back, attemptId } = await sent(refundNo);
  await hear(back, 'SUCCESS', attemptId);
  expect(await sharing.money(no)).toEqual({ held: 270, shared: 30, refunded: 0 });
  expect(await sharing.request(no, [receiver(1)])).toMatchObject({ code: 'NOTHING_TO_SHARE' });
  await sharing.sql.query(`UPDATE refunds SET status = 'closed' WHERE out_refund_no = $1`, [
    refundNo,
  ]);
  await sharing.sql.query('UPDATE payment_transactions SET held_fen = 0 WHERE order_no = $1', [no]);
  expect(await sharing.request(no, [receiver(31)])).toMatchObject({
    code: 'SHARING_OVER_CAP',
    extra: { allowed: 30 },
  });
  expect(await sharing.request(no, [receiver(30)])).toMatchObject({ kind: 'created' });
});

test('several take-backs go one after the other, and only then the refund', async () => {
  const { no } = await sharedOrder([
    [60, FIRST],
    [30, SECOND],
  ]);
  const refundNo = await refundOf(no, 300);
  const first = await sent(refundNo);
  await hear(first.back, 'SUCCESS', first.attemptId);
  const second = await sent(refundNo);
  expect(second.back).toMatchObject({ returnMchid: SECOND, amountFen: 30 });
  await hear(second.back, 'SUCCESS', second.attemptId);
  expect(await sharing.money(no)).toMatchObject({ shared: 0 });
  expect(await turn(refundNo)).toMatchObject({ kind: 'send' });
});

test('after an unknown outcome WeChat is queried, and the same number is sent again', async () => {
  const { no } = await sharedOrder([[90, FIRST]]);
  const refundNo = await refundOf(no, 300);
  const { back, attemptId } = await sent(refundNo);
  const { shareReturns: returns } = sharing.database;
  await endAttempt(attemptId, 'unknown', 'TIMEOUT');
  const asked = await turn(refundNo);
  expect(asked).toMatchObject({
    kind: 'take_back',
    turn: { kind: 'query', mayBeAbsent: true, request: back },
  });
  expect(await returns.startAfterAbsence(back, LIFE_MS, Date.now())).not.toBeNull();
  await hear(back, 'PROCESSING');
  expect(await turn(refundNo)).toMatchObject({ kind: 'wait' });
  await hear(back, 'SUCCESS');
  await hear(back, 'SUCCESS');
  expect(await sharing.money(no)).toMatchObject({ shared: 0 });
});

test('a planned take-back that another refund made needless is not sent', async () => {
  const { no } = await sharedOrder([
    [60, FIRST],
    [30, SECOND],
  ]);
  const [small, large] = [await refundOf(no, 20), await refundOf(no, 280)];
  const first = await sent(large);
  expect(first.back.amountFen).toBe(60);
  await sharing.sql.query(`UPDATE refunds SET status = 'closed' WHERE out_refund_no = $1`, [small]);
  await sharing.sql.query(
    `UPDATE payment_transactions SET held_fen = held_fen - 20 WHERE order_no = $1`,
    [no],
  );
  await hear(first.back, 'SUCCESS', first.attemptId);
  const second = await sent(large);
  expect(second.back).toMatchObject({ returnMchid: SECOND, amountFen: 10 });
});

describe('a refund that is over while shared money is taken back for it', () => {
  async function overWhileTakenBack() {
    const { no } = await sharedOrder([[90, FIRST]]);
    const refundNo = await refundOf(no, 250);
    const { back, attemptId } = await sent(refundNo);
    const word = { event: 'succeeded', refundId: '5', nextQueryAt: null, evidence: {} } as const;
    await sharing.database.refunds.recordReport(refundNo, word, null, Date.now());
    return { no, refundNo, back, attemptId };
  }
  const dueAt = async (refundNo: string) => {
    const { rows } = await sharing.sql.query<{ due_at: Date | null }>(
      'SELECT due_at FROM refunds WHERE out_refund_no = $1',
      [refundNo],
    );
    return rows[0]?.due_at;
  };

  test('its run stays due, queries the take-back and records it', async () => {
    const { no, refundNo, back } = await overWhileTakenBack();
    expect(await dueAt(refundNo)).not.toBeNull();
    expect(await turn(refundNo)).toMatchObject({
      kind: 'take_back',
      turn: { kind: 'query', request: back },
    });
    const later = await refundOf(no, 50);
    expect(await turn(later)).toMatchObject({ kind: 'wait' });
    await hear(back, 'SUCCESS');
    expect(await turn(refundNo)).toMatchObject({ kind: 'over', status: 'succeeded' });
    expect(await dueAt(refundNo)).toBeNull();
    expect(await sharing.money(no)).toEqual({ held: 300, shared: 50, refunded: 250 });
    expect(await turn(later)).toMatchObject({ kind: 'take_back', turn: { kind: 'send' } });
  });

  test('it waits while an intervention about it is open', async () => {
    const { refundNo, back } = await overWhileTakenBack();
    await sharing.database.escalations.escalate(spentOn(back), Date.now());
    expect(await turn(refundNo)).toMatchObject({ kind: 'over' });
    expect(await dueAt(refundNo)).toBeNull();
  });

  test('a take-back that WeChat never had is not sent', async () => {
    const { refundNo, back } = await overWhileTakenBack();
    const { shareReturns: returns } = sharing.database;
    const later = Date.now() + LIFE_MS + 1;
    expect(await returns.startAfterAbsence(back, LIFE_MS, later)).toBeNull();
    expect(await turn(refundNo)).toMatchObject({ kind: 'over', status: 'succeeded' });
  });

  test('a take-back that fails opens no intervention', async () => {
    const { no, refundNo, back } = await overWhileTakenBack();
    await hear(back, 'FAILED');
    expect(await turn(refundNo)).toMatchObject({ kind: 'over' });
    expect(await sharing.openInterventions(no)).toEqual([]);
  });

  test('a take-back whose outcome stays unknown opens one', async () => {
    const { no, refundNo, back } = await overWhileTakenBack();
    expect(await sharing.database.escalations.escalate(spentOn(back), Date.now())).toBe('opened');
    expect(await sharing.resolve(no, 'retry')).toEqual([refundNo]);
  });
});

test('a refund waits while its payment is still being shared', async () => {
  const no = await sharing.paidOrder();
  const outOrderNo = await sharing.shared(no, [receiver(90)]);
  const refundNo = await refundOf(no, 300);
  expect(await turn(refundNo)).toMatchObject({ kind: 'wait' });
  await sharing.sending(outOrderNo);
  await sharing.report(outOrderNo, true, [reported(90, 'CLOSED')]);
  expect(await turn(refundNo)).toMatchObject({ kind: 'send' });
});

test('a refund waits while another one takes back', async () => {
  const { no } = await sharedOrder([[90, FIRST]]);
  const [one, two] = [await refundOf(no, 150), await refundOf(no, 150)];
  const { back } = await sent(one);
  expect(await turn(two)).toMatchObject({ kind: 'wait' });
  await hear(back, 'SUCCESS');
  expect(await turn(two)).toMatchObject({ kind: 'send' });
});

describe('where not enough can be taken back, an intervention opens and nothing is sent', () => {
  test.each<[string, string, string]>([
    ['persons have it', PERSON, `now()`],
    ['it was shared too long ago', FIRST, `now() - interval '181 days'`],
  ])('since %s', async (_what, account, finishedAt) => {
    const { no, outOrderNo } = await sharedOrder([[90, account]]);
    await sharing.sql.query(
      `UPDATE profit_sharings SET finished_at = ${finishedAt} WHERE out_order_no = $1`,
      [outOrderNo],
    );
    const refundNo = await refundOf(no, 300);
    expect(await turn(refundNo)).toMatchObject({ kind: 'person_needed' });
    expect(await sharing.openInterventions(no)).toEqual([
      { reason: 'return_failed', subject: refundNo, amount_fen: 300 },
    ]);
    expect(await turn(refundNo)).toMatchObject({ kind: 'over', status: 'pending' });
  });

  test('accept sends the refund without it, and the patrol agrees', async () => {
    const { no } = await sharedOrder([[90, PERSON]]);
    const refundNo = await refundOf(no, 300);
    await turn(refundNo);
    expect(await sharing.resolve(no, 'accept')).toEqual([refundNo]);
    expect(await turn(refundNo)).toMatchObject({ kind: 'send' });
    expect(await sharing.money(no)).toEqual({ held: 300, shared: 90, refunded: 0 });
    const word = { event: 'succeeded', refundId: '1', nextQueryAt: null, evidence: {} } as const;
    await sharing.database.refunds.recordReport(refundNo, word, null, Date.now());
    const overdrawn = async () => {
      const start = { id: 'x', position: null, sinceMs: Date.now() - DAY_MS };
      const checked = await sharing.database.patrol.invariants.check(
        start,
        Date.now() + 60_000,
        Date.now,
      );
      return checked.opened.filter((one) => one.outTradeNo === no).map(({ kind }) => kind);
    };
    expect(await overdrawn()).toEqual([]);
    await sharing.sql.query(`UPDATE refunds SET short_accepted_at = NULL`);
    expect(await overdrawn()).toEqual(['transaction_overdrawn']);
  });

  test('dismiss abandons the refund and frees its hold', async () => {
    const { no } = await sharedOrder([[90, PERSON]]);
    const refundNo = await refundOf(no, 300);
    await turn(refundNo);
    await sharing.resolve(no, 'dismiss');
    expect(await sharing.money(no)).toEqual({ held: 0, shared: 90, refunded: 0 });
    expect(await turn(refundNo)).toMatchObject({ kind: 'over', status: 'closed' });
  });
});

describe('a take-back that WeChat fails', () => {
  test('opens an intervention, and retry sends a new number', async () => {
    const { no } = await sharedOrder([[90, FIRST]]);
    const refundNo = await refundOf(no, 300);
    const { back, attemptId } = await sent(refundNo);
    await hear(back, 'FAILED', attemptId);
    expect(await turn(refundNo)).toMatchObject({ kind: 'over', status: 'pending' });
    expect(await sharing.openInterventions(no)).toEqual([
      { reason: 'return_failed', subject: refundNo, amount_fen: 300 },
    ]);
    expect(await sharing.resolve(no, 'retry')).toEqual([refundNo]);
    const again = await sent(refundNo);
    expect(again.back.outReturnNo).not.toBe(back.outReturnNo);
    expect(again.back).toMatchObject({ amountFen: 90, returnMchid: FIRST });
  });

  test.each(['accept', 'dismiss'] as const)(
    '%s is refused while WeChat may still carry it out, then its own number is asked for',
    async (action) => {
      const { no } = await sharedOrder([[90, FIRST]]);
      const refundNo = await refundOf(no, 300);
      const { back, attemptId } = await sent(refundNo);
      const { escalations: giveUp } = sharing.database;
      await endAttempt(attemptId, 'unknown', 'TIMEOUT');
      const spent = spentOn(back, 'TIMEOUT', 30);
      expect(await giveUp.escalate(spent, Date.now())).toBe('opened');
      expect(await sharing.resolve(no, action)).toBe('SHARING_RESERVED');
      expect(await sharing.resolve(no, 'retry')).toEqual([refundNo]);
      expect(await turn(refundNo)).toMatchObject({
        kind: 'take_back',
        turn: { kind: 'query', request: back },
      });
    },
  );

  test('a take-back that WeChat never had blocks nothing once its time is over', async () => {
    const { no } = await sharedOrder([[90, FIRST]]);
    const refundNo = await refundOf(no, 300);
    const { back, attemptId } = await sent(refundNo);
    const { shareReturns: returns, escalations: giveUp } = sharing.database;
    await endAttempt(attemptId, 'unknown', 'TIMEOUT');
    // The query finds nothing after the attempt's whole life; the next attempt is refused.
    const again = await returns.startAfterAbsence(back, LIFE_MS, Date.now() + LIFE_MS + 1);
    await endAttempt(again ?? '', 'refused', 'NO_AUTH');
    const spent = spentOn(back, 'WECHAT_PERMISSION_DENIED', 2);
    expect(await giveUp.escalate(spent, Date.now())).toBe('opened');
    expect(await sharing.resolve(no, 'accept')).toEqual([refundNo]);
    expect(await turn(refundNo)).toMatchObject({ kind: 'send' });
  });

  test('a planned take-back that is not needed any more is dropped', async () => {
    const { no } = await sharedOrder([
      [50, FIRST],
      [40, SECOND],
    ]);
    const [one, two] = [await refundOf(no, 200), await refundOf(no, 100)];
    const first = await sent(one);
    await hear(first.back, 'SUCCESS', first.attemptId);
    // The other refund is abandoned: what the payment has left is enough for this one.
    await sharing.sql.query(`UPDATE refunds SET status = 'closed' WHERE out_refund_no = $1`, [two]);
    await sharing.sql.query(
      `UPDATE payment_transactions SET held_fen = held_fen - 100 WHERE order_no = $1`,
      [no],
    );
    expect(await turn(one)).toMatchObject({ kind: 'send' });
    expect(await sharing.money(no)).toMatchObject({ shared: 40 });
  });

  test('a definite refusal ends it, and the retry has a new number', async () => {
    const { no } = await sharedOrder([[90, FIRST]]);
    const refundNo = await refundOf(no, 300);
    const { back, attemptId } = await sent(refundNo);
    const { escalations: giveUp } = sharing.database;
    await endAttempt(attemptId, 'refused', 'NO_AUTH');
    const spent = spentOn(back, 'WECHAT_PERMISSION_DENIED', 1);
    expect(await giveUp.escalate(spent, Date.now())).toBe('opened');
    expect(await sharing.resolve(no, 'retry')).toEqual([refundNo]);
    expect((await sent(refundNo)).back.outReturnNo).not.toBe(back.outReturnNo);
  });
});

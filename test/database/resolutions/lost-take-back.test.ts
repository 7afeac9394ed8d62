/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// The retry of a take-back that WeChat accepted and does not find any more.
import type { RefundTurn } from '../../../database/refunds/take-refund-turn';
import type { StoredShareReturn } from '../../../database/sharing/lock-share-returns';
import { someRefund } from '../support/patrol';
import {
  LIFE_MS,
  receiver,
  reported,
  startTestSharing,
  type TestSharing,
} from '../support/sharing';

let sharing: TestSharing;
beforeAll(async () => {
  sharing = await startTestSharing();
});
afterAll(() => sharing.end());

const turn = (refundNo: string, nowMs = Date.now()): Promise<RefundTurn> => {
  const limits = { spacingMs: 0, busyMs: 100, attemptLifeMs: LIFE_MS };
  return sharing.database.refunds.turn(refundNo, limits, () => nowMs);
};

function hear(back: StoredShareReturn, result: 'PROCESSING' | 'SUCCESS', attemptId: string) {
  const nextQueryAt = new Date(Date.now() + 60_000);
  const word = { result, returnId: '7', failReason: null, nextQueryAt };
  const attempt = { id: attemptId, requestId: null };
  return sharing.database.shareReturns.recordReport(back, word, attempt, Date.now());
}

/** A refund of all money; WeChat accepted its take-back of 90 fen, then was queried in vain. */
async function failedQueries(evidence: Readonly<Record<string, unknown>>) {
  const no = await sharing.paidOrder();
  const outOrderNo = await sharing.shared(no, [receiver(90)]);
  await sharing.sending(outOrderNo);
  await sharing.report(outOrderNo, true, [reported(90, 'SUCCESS')]);
  const refundNo = await someRefund(sharing.sql, no, { amountFen: 300, status: 'pending' });
  const next = await turn(refundNo);
  if (next.kind !== 'take_back' || next.turn.kind !== 'send') throw new Error(next.kind);
  const { request: back, attemptId } = next.turn;
  await hear(back, 'PROCESSING', attemptId);
  const spent = {
    operation: 'wechat.return',
    number: refundNo,
    subject: back.outReturnNo,
  } as const;
  const escalation = { ...spent, code: 'NOT_YET', attempts: 60, evidence } as const;
  const opened = await sharing.database.escalations.escalate(escalation, Date.now());
  expect(opened).toBe('opened');
  return { no, refundNo, back };
}

test('one that WeChat lost is queried, then sent again under its number', async () => {
  const { no, refundNo, back } = await failedQueries({ wechat_code: 'RESOURCE_NOT_EXISTS' });
  expect(await sharing.resolve(no, 'accept')).toBe('SHARING_RESERVED');
  expect(await sharing.resolve(no, 'retry')).toEqual([refundNo]);
  const query = { kind: 'query', request: back, mayBeAbsent: true, acceptedAtMs: null };
  expect(await turn(refundNo)).toMatchObject({ kind: 'take_back', turn: query });
  const laterMs = Date.now() + 2 * LIFE_MS;
  const { shareReturns } = sharing.database;
  const again = await shareReturns.startAfterAbsence(back, LIFE_MS, laterMs);
  expect(again).not.toBeNull();
  await hear(back, 'SUCCESS', again ?? '');
  expect(await sharing.money(no)).toMatchObject({ held: 300, shared: 0 });
  expect(await turn(refundNo)).toMatchObject({ kind: 'send' });
});

test('one that WeChat may still work on is queried, and is not sent again', async () => {
  const { no, refundNo, back } = await failedQueries({ wechat_code: 'SYSTEM_ERROR' });
  expect(await sharing.resolve(no, 'retry')).toEqual([refundNo]);
  const dueMs = Date.now() + 2 * 60_000;
  const query = { kind: 'query', request: back, mayBeAbsent: false };
  expect(await turn(refundNo, dueMs)).toMatchObject({ kind: 'take_back', turn: query });
});

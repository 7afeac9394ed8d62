import { v7 as uuidv7 } from 'uuid';
import {
  CHANNELS,
  PREPAY_LIFE_MS,
  type Channel,
  type PrepayApi,
} from '../../domain/orders/channels';
import type { ErrorCode } from '../../domain/error-catalogue';
import { canBePaid } from '../../domain/orders/order-state';
import type { RunView } from '../../domain/orders/run-view';
import { mayExistAtWechat, settleAttempt, type Refusal } from './attempts';
import { DUE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext } from '../core/context';
import { closeLocked } from './close-locked-order';
import { readRunView } from '../core/run-view';
import { changeStatus, lockOrder } from '../core/order-row';

/** The request as it was fixed when the order was made: the same bytes at every attempt (P8). */
export interface StoredPrepay {
  readonly api: PrepayApi;
  readonly appId: string;
  readonly merchantId: string;
  readonly outTradeNo: string;
  readonly description: string;
  readonly notifyUrl: string;
  readonly timeExpire: string;
  readonly totalFen: number;
  readonly openid: string | null;
  readonly clientIp: string | null;
  readonly profitSharing: boolean;
}

export type PrepayStart =
  | { readonly kind: 'send'; readonly attemptId: string; readonly request: StoredPrepay }
  /** The round is done, or the order can't be paid any more. */
  | { readonly kind: 'settled' };

interface StartRow {
  attempt_id: string | null;
  channel: Channel;
  app_id: string;
  merchant_id: string;
  description: string;
  notify_url: string;
  time_expire: string;
  total_fen: number;
  openid_encrypted: string | null;
  client_ip_encrypted: string | null;
  profit_sharing: boolean;
}

interface AcceptedPrepay {
  readonly round: number;
  readonly attemptId: string;
  readonly token: string;
  readonly requestId: string | null;
  readonly firstQueryAtMs: number;
  readonly nowMs: number;
}

interface RefusedPrepay {
  readonly attemptId: string;
  readonly refusal: Refusal;
  /** Of our permission or settings, not of the request's content. */
  readonly ofSettings: boolean;
  readonly nowMs: number;
}

/** The prepay's rows: every attempt is written before it is sent, every outcome after it is known. */
export function createPrepays(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /**
     * Records the next attempt of a prepay round, if it may still be sent: the order can be paid, no
     * close is wanted, the round is open. After this the attempt counts as unknown until told otherwise.
     */
    start: (outTradeNo: string, round: number, timeoutMs: number, nowMs: number) =>
      startPrepay(context, outTradeNo, round, timeoutMs, nowMs),

    /** WeChat accepted the round: the user can pay. Late answers of an order that has moved on stay noted. */
    accepted: (outTradeNo: string, result: AcceptedPrepay) =>
      acceptPrepay(context, outTradeNo, result),

    /**
     * A definite refusal. Of the request's content: the order is closed, unless an attempt before it may
     * have been taken, then WeChat is asked to close it. Of our permission or settings: it stays, with
     * the refusal noted, until a person acts.
     */
    refused: (outTradeNo: string, result: RefusedPrepay) =>
      refusePrepay(context, outTradeNo, result),

    /** WeChat took nothing and wants to be asked later (too many requests). */
    notNow: (attemptId: string, code: string, requestId: string | null, nowMs: number) =>
      settleAttempt(prisma, attemptId, 'refused', code, requestId, new Date(nowMs)),

    /** The outcome is not known; the attempt stays one that may have happened. */
    unknown: (attemptId: string, code: ErrorCode, requestId: string | null, nowMs: number) =>
      settleAttempt(prisma, attemptId, 'unknown', code, requestId, new Date(nowMs)),
  };
}

async function startPrepay(
  { prisma, cipher }: DatabaseContext,
  outTradeNo: string,
  round: number,
  timeoutMs: number,
  nowMs: number,
): Promise<PrepayStart> {
  const open = (column: string, value: string | null) =>
    value === null ? null : cipher.decrypt({ table: 'orders', column, row: outTradeNo }, value);
  const now = new Date(nowMs);
  const [row] = await prisma.$queryRaw<StartRow[]>`
    WITH o AS (
      SELECT * FROM orders WHERE out_trade_no = ${outTradeNo} FOR NO KEY UPDATE
    ), a AS (
      INSERT INTO provider_attempts (id, out_trade_no, operation, sent_at, deadline_at)
      SELECT ${uuidv7()}::uuid, o.out_trade_no, 'prepay', ${now}, ${new Date(nowMs + timeoutMs)}
      FROM o WHERE o.status IN ('created', 'awaiting_payment') AND o.close_requested_at IS NULL
        AND o.refusal_code IS NULL AND o.prepay_rounds < ${round} AND o.expires_at > ${now}
      RETURNING id
    )
    SELECT (SELECT id::text FROM a) AS attempt_id, o.channel, o.app_id, o.merchant_id,
      o.description, o.notify_url, o.time_expire, o.total_fen, o.openid_encrypted,
      o.client_ip_encrypted, o.profit_sharing
    FROM o`;
  if (!row || row.attempt_id === null) return { kind: 'settled' };
  return {
    kind: 'send',
    attemptId: row.attempt_id,
    request: {
      api: CHANNELS[row.channel].api,
      appId: row.app_id,
      merchantId: row.merchant_id,
      outTradeNo,
      description: row.description,
      notifyUrl: row.notify_url,
      timeExpire: row.time_expire,
      totalFen: row.total_fen,
      openid: open('openid', row.openid_encrypted),
      clientIp: open('client_ip', row.client_ip_encrypted),
      profitSharing: row.profit_sharing,
    },
  };
}

function acceptPrepay(
  { prisma }: DatabaseContext,
  outTradeNo: string,
  result: AcceptedPrepay,
): Promise<RunView | null> {
  const now = new Date(result.nowMs);
  return prisma.$transaction(async (tx) => {
    const order = await lockOrder(tx, outTradeNo);
    await settleAttempt(tx, result.attemptId, 'accepted', null, result.requestId, now);
    if (order && canBePaid(order.status) && order.prepayRounds < result.round) {
      const life = PREPAY_LIFE_MS[CHANNELS[order.channel as Channel].api];
      const first = order.prepayRounds === 0;
      const firstQuery = first ? { nextQueryAt: new Date(result.firstQueryAtMs) } : {};
      const dueAt = new Date(result.firstQueryAtMs + DUE_GRACE_MS);
      await tx.order.updateMany({
        where: { outTradeNo, prepayRounds: order.prepayRounds },
        data: {
          prepayRounds: result.round,
          prepayToken: result.token,
          prepaidAt: now,
          prepayExpiresAt: new Date(result.nowMs + life),
          ...(first ? { firstPrepaidAt: now, dueAt } : {}),
          ...firstQuery,
        },
      });
      const change = { outTradeNo, status: order.status, cause: 'prepay', now, dueAt };
      await changeStatus(tx, { ...change, event: 'prepaid' });
    }
    return readRunView(tx, outTradeNo);
  });
}

function refusePrepay(
  context: DatabaseContext,
  outTradeNo: string,
  result: RefusedPrepay,
): Promise<RunView | null> {
  const { attemptId, refusal, ofSettings } = result;
  const now = new Date(result.nowMs);
  return context.prisma.$transaction(async (tx) => {
    const order = await lockOrder(tx, outTradeNo);
    // "Paid already" refuses the prepay and says that the order is there.
    const outcome = refusal.code === 'ORDER_PAID' ? 'unknown' : 'refused';
    await settleAttempt(tx, attemptId, outcome, refusal.wechatCode, refusal.requestId, now);
    if (!order || !canBePaid(order.status)) return readRunView(tx, outTradeNo);
    await tx.order.updateMany({
      where: { outTradeNo },
      data: {
        refusalCode: refusal.code,
        refusalWechatCode: refusal.wechatCode,
        refusalMessage: refusal.message,
        ...(ofSettings ? {} : { closeRequestedAt: order.closeRequestedAt ?? now }),
      },
    });
    if (!ofSettings && !(await mayExistAtWechat(tx, outTradeNo))) {
      await closeLocked(context, tx, order, 'prepay_refused', now);
    }
    return readRunView(tx, outTradeNo);
  });
}

// Records the prepays of an order: each attempt before it is sent, and its outcome.
import { v7 as uuidv7 } from 'uuid';
import {
  CHANNELS,
  PREPAY_LIFE_MS,
  type Channel,
  type PrepayApi,
} from '../../domain/orders/channels';
import type { ErrorCode } from '../../domain/error-catalogue';
import type { Fen } from '../../domain/money';
import { canBePaid } from '../../domain/orders/order-state';
import type { RunView } from '../../domain/orders/run-view';
import { mayExistAtWechat, settleAttempt, type Refusal } from './record-attempts';
import { DUE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext } from '../core/context';
import { withProducts } from '../fulfilment/limit-products';
import { closeLocked } from './close-locked-order';
import { readRunView } from '../core/read-run-view';
import { changeStatus } from '../core/change-order-status';
import { lockOrder } from '../core/lock-order';

/**
 * The prepay request. It is fixed when the order is made: each attempt sends the same bytes (P8).
 */
export interface StoredPrepay {
  readonly api: PrepayApi;
  readonly appId: string;
  readonly merchantId: string;
  readonly outTradeNo: string;
  readonly description: string;
  readonly notifyUrl: string;
  readonly timeExpire: string;
  readonly totalFen: Fen;
  readonly openid: string | null;
  readonly clientIp: string | null;
  readonly profitSharing: boolean;
}

/** Whether a prepay is to be sent. */
export type PrepayStart =
  | { readonly kind: 'send'; readonly attemptId: string; readonly request: StoredPrepay }
  /** The round is complete, or the order can't be paid any more. */
  | { readonly kind: 'settled' };

interface StartRow extends Omit<StoredPrepay, 'api' | 'outTradeNo' | 'openid' | 'clientIp'> {
  readonly attemptId: string | null;
  readonly channel: Channel;
  readonly openidEncrypted: string | null;
  readonly clientIpEncrypted: string | null;
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
  /** WeChat refused our permission or settings, not the content of the request. */
  readonly ofSettings: boolean;
  readonly nowMs: number;
}

/** The rows of prepays. */
export function createPrepays(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /**
     * Records the next attempt of a prepay round, if it may still be sent: the order can be paid,
     * no close is requested, and the round is open. The attempt counts as unknown until it is
     * settled.
     * @throws UnreadableValueError when the request can't be decrypted; the attempt is settled then
     */
    start: (outTradeNo: string, round: number, timeoutMs: number, nowMs: number) =>
      startPrepay(context, outTradeNo, { round, timeoutMs, nowMs }),

    /** Records that WeChat accepted the prepay. The user can pay, unless the order has moved on. */
    accepted: (outTradeNo: string, result: AcceptedPrepay) =>
      acceptPrepay(context, outTradeNo, result),

    /**
     * Records a definite refusal. A refused content closes the order; when WeChat may have accepted
     * an earlier attempt, the order is only marked to be closed at WeChat. When WeChat refused our
     * permission or settings, the order waits for a person.
     */
    refused: (outTradeNo: string, result: RefusedPrepay) =>
      refusePrepay(context, outTradeNo, result),

    /** Records that WeChat refused the attempt for now, for example after too many requests. */
    notNow: (attemptId: string, code: string, requestId: string | null, nowMs: number) =>
      settleAttempt(prisma, attemptId, { outcome: 'refused', code, requestId }, new Date(nowMs)),

    /** Records that the outcome is unknown: WeChat may have accepted the attempt. */
    unknown: (attemptId: string, code: ErrorCode, requestId: string | null, nowMs: number) =>
      settleAttempt(prisma, attemptId, { outcome: 'unknown', code, requestId }, new Date(nowMs)),
  };
}

async function startPrepay(
  { prisma, cipher }: DatabaseContext,
  outTradeNo: string,
  attempt: { readonly round: number; readonly timeoutMs: number; readonly nowMs: number },
): Promise<PrepayStart> {
  const { round, timeoutMs, nowMs } = attempt;
  const decrypt = (column: string, value: string | null) =>
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
    SELECT (SELECT id::text FROM a) AS "attemptId", o.channel, o.app_id AS "appId",
      o.merchant_id AS "merchantId", o.description, o.notify_url AS "notifyUrl",
      o.time_expire AS "timeExpire", o.total_fen AS "totalFen",
      o.openid_encrypted AS "openidEncrypted", o.client_ip_encrypted AS "clientIpEncrypted",
      o.profit_sharing AS "profitSharing"
    FROM o`;
  if (!row || row.attemptId === null) return { kind: 'settled' };
  const { attemptId, channel, openidEncrypted, clientIpEncrypted, ...request } = row;
  try {
    return {
      kind: 'send',
      attemptId,
      request: {
        ...request,
        api: CHANNELS[channel].api,
        outTradeNo,
        openid: decrypt('openid', openidEncrypted),
        clientIp: decrypt('client_ip', clientIpEncrypted),
      },
    };
  } catch (error) {
    // Nothing was sent, so WeChat can't have the order.
    await settleAttempt(prisma, attemptId, UNSENT, now);
    throw error;
  }
}

/** The end of an attempt whose request could not be read. */
const UNSENT = { outcome: 'refused', code: 'CONFIGURATION_ERROR', requestId: null } as const;

function acceptPrepay(
  { prisma }: DatabaseContext,
  outTradeNo: string,
  result: AcceptedPrepay,
): Promise<RunView | null> {
  const now = new Date(result.nowMs);
  return prisma.$transaction(async (tx) => {
    const order = await lockOrder(tx, outTradeNo);
    const { attemptId, requestId } = result;
    await settleAttempt(tx, attemptId, { outcome: 'accepted', code: null, requestId }, now);
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
      await changeStatus(tx, order, { event: 'prepaid', cause: 'prepay', now, dueAt });
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
  return withProducts(context, outTradeNo, async (tx) => {
    const order = await lockOrder(tx, outTradeNo);
    // The refusal "already paid" shows that WeChat has the order.
    const outcome = refusal.code === 'ORDER_PAID' ? 'unknown' : 'refused';
    const { wechatCode: code, requestId } = refusal;
    await settleAttempt(tx, attemptId, { outcome, code, requestId }, now);
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
      await closeLocked(context, tx, order, { cause: 'prepay_refused', now });
    }
    return readRunView(tx, outTradeNo);
  });
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from '../../config/logger';
import type { InboxWriter } from '../../database/inbox/inbox-writer';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import { readRawBody } from '../http/json-body';
import { ApiError } from '../http/problem';
import type { Metrics } from '../health/metrics';
import type { DeliveryLog } from './delivery-log';

export interface CallbackDeps {
  readonly wechatpay: Pick<WechatPayClient, 'openCallback'>;
  readonly inbox: Pick<InboxWriter, 'add'>;
  readonly merchantId: string;
  /** Tells the order's run, after the answer. */
  readonly dispatch: (inboxId: string, outTradeNo: string) => void;
  /** Tells the run of a profit sharing to ask WeChat, after the answer: what was told decides nothing. */
  readonly hintSharing: (outOrderNo: string) => void;
  readonly deliveries: Pick<DeliveryLog, 'record'>;
  readonly metrics: Pick<Metrics, 'callbacks'>;
  readonly logger: Logger;
  readonly now: () => number;
}

/** WeChat's callbacks are 1–3 KiB. */
const MAX_CALLBACK_BYTES = 64 * 1024;
/** WeChat waits 5 s; one deadline for all that happens before the answer (P2). */
const DEADLINE_MS = 4_000;

/** One delivery, as far as it is known when it is answered. */
interface Delivery {
  /** Unix ms, and the monotonic clock: from the moment Node has read the request's head. */
  readonly receivedAtMs: number;
  readonly startedAtMs: number;
  notificationId: string | null;
  outTradeNo: string | null;
}

interface Answer {
  readonly status: number;
  readonly outcome: string;
}

/**
 * The callback route, below Express's middleware because it is the hot path. It does five things in
 * order and nothing else: verify the raw bytes, decrypt, parse, store, answer (S10). The status alone
 * decides at WeChat's side: 204 is accepted, anything else is sent again.
 */
export function createCallbackHandler(deps: CallbackDeps) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    const delivery: Delivery = {
      receivedAtMs: deps.now(),
      startedAtMs: performance.now(),
      notificationId: null,
      outTradeNo: null,
    };
    const timer = setTimeout(() => {
      // Who sends a body that doesn't end is at fault; else it is us.
      const tooSlow = request.complete
        ? { status: 503, outcome: 'unavailable' }
        : { status: 408, outcome: 'too_slow' };
      response.shouldKeepAlive = false;
      answer(deps, response, delivery, tooSlow);
    }, DEADLINE_MS);
    void handle(deps, request, delivery)
      .catch((error: unknown) => failed(deps, error))
      .then((result) => answer(deps, response, delivery, result))
      .finally(() => clearTimeout(timer));
  };
}

async function handle(
  deps: CallbackDeps,
  request: IncomingMessage,
  delivery: Delivery,
): Promise<Answer> {
  if (request.method !== 'POST') {
    request.resume();
    return { status: 405, outcome: 'method' };
  }
  const rawBody = await readRawBody(request, MAX_CALLBACK_BYTES);
  const opened = await deps.wechatpay.openCallback({
    headers: request.headers,
    rawBody,
    nowMs: deps.now(),
  });
  if (opened.kind === 'rejected') return { status: opened.status, outcome: opened.reason };
  const { notice, notificationId } = opened;
  const outTradeNo =
    notice.kind === 'payment' || notice.kind === 'refund' ? notice.outTradeNo : null;
  delivery.notificationId = notificationId;
  delivery.outTradeNo = outTradeNo;
  const stored = await deps.inbox.add({
    notificationId,
    merchantId: deps.merchantId,
    kind: notice.kind,
    eventType: opened.eventType,
    outTradeNo,
    resource: opened.resource,
  });
  if (stored.kind !== 'duplicate') {
    if (stored.kind === 'conflicting') {
      deps.logger.error({ notificationId, outTradeNo }, 'callback.same_id_other_content');
    }
    if (notice.kind === 'profit_sharing' && notice.outOrderNo !== null) {
      setImmediate(deps.hintSharing, notice.outOrderNo);
    } else if (outTradeNo === null) {
      deps.logger.error({ notificationId, kind: notice.kind }, 'callback.ignored');
    } else setImmediate(deps.dispatch, stored.id, outTradeNo);
  }
  return { status: 204, outcome: stored.kind };
}

function failed(deps: CallbackDeps, error: unknown): Answer {
  if (error instanceof ApiError) {
    const status = error.code === 'PAYLOAD_TOO_LARGE' ? 413 : 400;
    return { status, outcome: status === 413 ? 'too_large' : 'malformed' };
  }
  deps.logger.warn({ err: error }, 'callback.not_stored');
  return { status: 503, outcome: 'unavailable' };
}

function answer(
  deps: CallbackDeps,
  response: ServerResponse,
  delivery: Delivery,
  { status, outcome }: Answer,
): void {
  if (response.headersSent) return;
  deps.metrics.callbacks.inc({ outcome });
  if (status === 204) response.writeHead(204).end();
  else refuse(response, status, outcome);
  const { startedAtMs, ...known } = delivery;
  const durationMs = performance.now() - startedAtMs;
  deps.deliveries.record({ ...known, outcome, httpStatus: status, durationMs });
}

function refuse(response: ServerResponse, status: number, outcome: string): void {
  const body = JSON.stringify({ code: 'FAIL', message: outcome });
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...(status === 405 ? { allow: 'POST' } : {}),
  });
  response.end(body);
}

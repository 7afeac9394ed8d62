// Handles a callback of WeChat: verify, decrypt, parse, store, reply.
import type { AlertPort } from '../../domain/interventions/alert';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import type { Logger } from '../../config/logger';
import type { InboxWriter } from '../../database/inbox/inbox-writer';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import { readRawBody } from '../http/json-body';
import { ApiError } from '../http/problem';
import type { Metrics } from '../health/metrics';
import type { DeliveryLog } from './delivery-log';

/** The dependencies of the callback handler. */
export interface CallbackDeps {
  readonly wechatpay: Pick<WechatPayClient, 'openCallback'>;
  readonly inbox: Pick<InboxWriter, 'add'>;
  readonly merchantId: string;
  /** Wakes the order's run; called after the reply. */
  readonly wakeOrder: (inboxId: string, outTradeNo: string) => void;
  /** Wakes the run of a profit sharing to query WeChat; called after the reply. */
  readonly wakeSharing: (outOrderNo: string) => void;
  /** Sends at most one alert an hour of a kind. */
  readonly hourlyAlerts: AlertPort;
  readonly deliveries: Pick<DeliveryLog, 'record'>;
  readonly metrics: Pick<Metrics, 'callbacks'>;
  readonly logger: Logger;
  readonly now: () => number;
}

/** WeChat's callbacks are 1–3 KiB. */
const MAX_CALLBACK_BYTES = 64 * 1024;
/** WeChat waits 5 s for a reply; this one deadline covers everything before the reply (P2). */
const DEADLINE_MS = 4_000;

/** A refused callback has this long to arrive as a whole. */
const LINGER_MS = 1_000;

/** One callback, as far as it is known when it is replied to. */
interface Delivery {
  /** When Node had read the head of the request: in Unix ms, and on the monotonic clock. */
  readonly receivedAtMs: number;
  readonly startedAtMs: number;
  notificationId: string | null;
  outTradeNo: string | null;
}

interface CallbackReply {
  readonly status: number;
  readonly outcome: string;
}

/**
 * Makes the handler of the callback route. It runs without Express's middleware, because it is the
 * hot path. It does five things in order and nothing else: verify the raw bytes, decrypt, parse,
 * store, reply (S10). WeChat looks only at the status: after 204 the callback is done, after any
 * other status WeChat sends it again.
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
      // An incomplete body is the sender's fault; otherwise the database or the keys are too slow.
      const tooSlow = request.complete
        ? { status: 503, outcome: 'unavailable' }
        : { status: 408, outcome: 'too_slow' };
      reply(deps, response, delivery, tooSlow);
    }, DEADLINE_MS);
    void handle(deps, request, delivery)
      .catch((error: unknown) => failed(deps, error))
      .then((result) => reply(deps, response, delivery, result))
      .finally(() => clearTimeout(timer));
  };
}

/** Everything before the reply. */
async function handle(
  deps: CallbackDeps,
  request: IncomingMessage,
  delivery: Delivery,
): Promise<CallbackReply> {
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
      setImmediate(deps.wakeSharing, notice.outOrderNo);
    } else if (outTradeNo === null) {
      setImmediate(reportIgnored, deps, notificationId, notice.kind);
    } else setImmediate(deps.wakeOrder, stored.id, outTradeNo);
  }
  return { status: 204, outcome: stored.kind };
}

/** A callback about nothing that we know: a person has to learn of it. Called after the reply. */
function reportIgnored(
  { hourlyAlerts, logger }: CallbackDeps,
  notificationId: string,
  kind: string,
): void {
  logger.error({ notificationId, kind }, 'callback.ignored');
  const text =
    'WeChat sent a callback that names no order, or has an unknown shape. Oncepay keeps and ' +
    'ignores it. Search the log for callback.ignored.';
  hourlyAlerts
    .alert({ kind: 'callback_ignored', count: 1, numbers: [], text })
    .catch((error: unknown) => logger.warn({ err: error }, 'alert.not_sent'));
}

/** The reply for an error. */
function failed(deps: CallbackDeps, error: unknown): CallbackReply {
  if (error instanceof ApiError) {
    const status = error.code === 'PAYLOAD_TOO_LARGE' ? 413 : 400;
    return { status, outcome: status === 413 ? 'too_large' : 'malformed' };
  }
  deps.logger.warn({ err: error }, 'callback.not_stored');
  return { status: 503, outcome: 'unavailable' };
}

/** Replies once, then counts and logs the callback. */
function reply(
  deps: CallbackDeps,
  response: ServerResponse,
  delivery: Delivery,
  { status, outcome }: CallbackReply,
): void {
  if (response.headersSent) return;
  deps.metrics.callbacks.inc({ outcome });
  if (status === 204) response.writeHead(204).end();
  else refuse(response, status, outcome);
  const { startedAtMs, ...known } = delivery;
  const durationMs = performance.now() - startedAtMs;
  deps.deliveries.record({ ...known, outcome, httpStatus: status, durationMs });
}

/**
 * Replies in the form that WeChat documents for failures. The connection ends, so that it can't
 * send the next request that will be refused.
 */
function refuse(response: ServerResponse, status: number, outcome: string): void {
  const body = JSON.stringify({ code: 'FAIL', message: outcome });
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    ...(status === 405 ? { allow: 'POST' } : {}),
  });
  const { req: request } = response;
  if (request.complete) {
    response.end(body);
    return;
  }
  // A connection that ends while its sender still sends can lose the reply on the way.
  response.write(body);
  request.resume();
  const timer = setTimeout(() => response.end(), LINGER_MS);
  finished(request, () => {
    clearTimeout(timer);
    response.end();
  });
}

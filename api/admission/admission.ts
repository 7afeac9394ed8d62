// Admits requests: callbacks at once, all others in line, and ends connections that may not stay.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { ApiError, sendProblem } from '../http/problem';
import type { Gate } from '../http/server';
import { createKeptConnections } from './kept-connections';
import { createLines, KEY_LIMITS } from './lines';
import { createLoopLoad } from './loop-load';
import { createOneAtATime } from './one-at-a-time';
import { runInPlace } from './places';

/** The route of WeChat's callbacks. No other load holds them up. */
export const CALLBACK_PATH = '/callbacks/wechat';
/** Their replies are shared by all who request them at the same time, so they need no place. */
const SHARED = ['/healthz', '/readyz', '/metrics'];
/** A full line has moved on by then. */
const RETRY_AFTER_SECONDS = 1;
/** The body of a request that will be refused is dropped up to these limits before the reply. */
const MAX_DROPPED = { bytes: 64 * 1024, ms: 1_000 };

/**
 * Makes the admission. Callbacks go on at once: their handler refuses those without a good
 * signature. All other requests wait in the line of their API key, or in the one line of those
 * without a valid key, and get 429 when it is full.
 * @param keyOf the name of the API key that a request was sent with; null without a valid one
 */
export function createAdmission(keyOf: (request: IncomingMessage) => string | null): Gate {
  const oneAtATime = createOneAtATime();
  const connections = createKeptConnections();
  const lines = createLines(() => load.maxAtWork());
  const load = createLoopLoad({
    atWork: lines.atWork,
    onLook: lines.pump,
    most: 2 * KEY_LIMITS.atWork,
  });

  function enter(
    key: string | null,
    request: IncomingMessage,
    response: ServerResponse,
    listener: RequestListener,
  ): void {
    const isAdmitted = lines.enter(key, (place) => {
      load.watch();
      if (request.socket.destroyed) {
        place.leave();
        return;
      }
      runInPlace(place, ({ hold }) => {
        response.once('close', hold());
        listener(request, response);
      });
    });
    if (!isAdmitted) refuse(request, response);
  }

  function admit(
    request: IncomingMessage,
    response: ServerResponse,
    listener: RequestListener,
  ): void {
    const path = pathOf(request);
    if (path === CALLBACK_PATH) {
      if (!connections.keep(request.socket)) closeAfter(response);
      listener(request, response);
      return;
    }
    const key = keyOf(request);
    if (key === null || !connections.keep(request.socket)) closeAfter(response);
    if (SHARED.includes(path)) listener(request, response);
    else if (key !== null) enter(key, request, response, listener);
    else dropBody(request, () => enter(null, request, response, listener));
  }

  return {
    wrap: (listener) =>
      oneAtATime.wrap((request, response) => {
        admit(request, response, listener);
      }),
    takeOver: oneAtATime.takeOver,
  };
}

function pathOf({ url = '' }: IncomingMessage): string {
  const end = url.indexOf('?');
  return end < 0 ? url : url.slice(0, end);
}

/** Ends the connection after this reply. */
export function closeAfter(response: ServerResponse): void {
  response.setHeader('connection', 'close');
}

function refuse(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  const detail =
    'Too many requests of this caller are under way; send the request again a little later';
  const headers = { 'retry-after': String(RETRY_AFTER_SECONDS) };
  sendProblem(response, new ApiError('TOO_MANY_REQUESTS', detail, { headers }));
}

/**
 * Reads and drops the body of a request that will be refused. A connection that ends while its
 * sender still sends can lose the reply on the way.
 */
export function dropBody(request: IncomingMessage, then: () => void): void {
  if (request.complete || isWithoutBody(request)) {
    then();
    return;
  }
  let bytes = 0;
  let isDone = false;
  const done = () => {
    if (isDone) return;
    isDone = true;
    clearTimeout(timer);
    then();
  };
  const timer = setTimeout(done, MAX_DROPPED.ms);
  request.on('data', (data: Buffer) => {
    bytes += data.length;
    if (bytes > MAX_DROPPED.bytes) done();
  });
  request.once('end', done).once('close', done);
}

function isWithoutBody({ headers }: IncomingMessage): boolean {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = headers;
  return length === '0' && encoding === undefined;
}

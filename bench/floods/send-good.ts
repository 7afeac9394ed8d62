// Sends good callbacks at a fixed rate, each on a new connection or all on kept ones.
import { Agent, request as send } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { SignedCallback } from '../ground/signed-callbacks';

/** WeChat hangs up after 5 s. */
const TIMEOUT_MS = 5_000;
/** More than wait at the same time, so that none waits for another one here. */
const KEPT_CONNECTIONS = 128;

/** The reply to one good callback. */
export interface GoodReply {
  readonly id: string;
  /** 0 without a reply. */
  readonly status: number;
  /** From the time when the callback was due. */
  readonly ms: number;
}

/** Sends callbacks at a fixed rate, however slowly the replies come (open loop). */
export async function sendGood(
  port: number,
  callbacks: readonly SignedCallback[],
  perSecond: number,
  connections: 'new' | 'kept',
): Promise<GoodReply[]> {
  const agent =
    connections === 'kept' && new Agent({ keepAlive: true, maxSockets: KEPT_CONNECTIONS });
  const startedMs = performance.now();
  const replies: Promise<GoodReply>[] = [];
  for (const [index, callback] of callbacks.entries()) {
    const dueMs = startedMs + (index * 1_000) / perSecond;
    await delay(Math.max(0, dueMs - performance.now()));
    replies.push(
      post(port, callback, agent).then((status) => {
        return { id: callback.id, status, ms: performance.now() - dueMs };
      }),
    );
  }
  const all = await Promise.all(replies);
  if (agent) agent.destroy();
  return all;
}

function post(port: number, callback: SignedCallback, agent: Agent | false): Promise<number> {
  return new Promise((resolve) => {
    const headers = { ...callback.headers, 'content-length': Buffer.byteLength(callback.body) };
    const place = { host: '127.0.0.1', port, path: '/callbacks/wechat' };
    const request = send({ ...place, agent, method: 'POST', headers, timeout: TIMEOUT_MS });
    request.on('response', (response) => {
      response.resume();
      response.on('close', () => resolve(response.complete ? (response.statusCode ?? 0) : 0));
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(0));
    request.end(callback.body);
  });
}

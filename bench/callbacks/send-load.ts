// Sends callbacks as fast as the server replies, or at a fixed rate, and records each reply.
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import type { SignedCallback } from '../ground/signed-callbacks';

const PATH = '/callbacks/wechat';
/** Enough for each run here, as long as the server replies at all. */
const MAX_CONNECTIONS = 256;

/** The result of sending many callbacks. */
export interface Burst {
  readonly seconds: number;
  /** Of each callback, in ms. At a fixed rate it counts from the time the callback was due. */
  readonly latenciesMs: readonly number[];
  /** How often each status came as a reply. */
  readonly statuses: ReadonlyMap<number, number>;
  /** The ids of the callbacks with the reply 204. */
  readonly acceptedIds: readonly string[];
}

function record(expected: readonly SignedCallback[]) {
  const latenciesMs: number[] = [];
  const statuses = new Map<number, number>();
  const acceptedIds: string[] = [];
  const startedMs = performance.now();
  return {
    startedMs,
    recordReply(callback: SignedCallback, status: number, latencyMs: number) {
      latenciesMs.push(latencyMs);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 204) acceptedIds.push(callback.id);
    },
    finish(): Burst {
      if (latenciesMs.length !== expected.length) throw new Error('Some callbacks got no reply');
      const seconds = (performance.now() - startedMs) / 1_000;
      return { seconds, latenciesMs, statuses, acceptedIds };
    },
  };
}

async function post(pool: Pool, { headers, body }: SignedCallback): Promise<number> {
  const response = await pool.request({ method: 'POST', path: PATH, headers, body });
  await response.body.dump();
  return response.statusCode;
}

/** Sends all callbacks as fast as `callers` keep-alive connections get replies (closed loop). */
export async function hammer(
  origin: string,
  callbacks: readonly SignedCallback[],
  callers: number,
): Promise<Burst> {
  const pool = new Pool(origin, { connections: callers, pipelining: 1 });
  const log = record(callbacks);
  const left = callbacks[Symbol.iterator]();
  const call = async () => {
    for (const callback of left) {
      const sentMs = performance.now();
      const status = await post(pool, callback);
      log.recordReply(callback, status, performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: callers }, call));
  const burst = log.finish();
  await pool.close();
  return burst;
}

/** Sends all callbacks at a fixed rate, however slowly the replies come (open loop). */
export async function pace(
  origin: string,
  callbacks: readonly SignedCallback[],
  perSecond: number,
): Promise<Burst> {
  const pool = new Pool(origin, { connections: MAX_CONNECTIONS, pipelining: 1 });
  const log = record(callbacks);
  const underWay: Promise<void>[] = [];
  for (const [index, callback] of callbacks.entries()) {
    const dueMs = log.startedMs + (index * 1_000) / perSecond;
    const waitMs = dueMs - performance.now();
    if (waitMs > 0.5) await delay(waitMs);
    underWay.push(
      post(pool, callback).then((status) =>
        log.recordReply(callback, status, performance.now() - dueMs),
      ),
    );
  }
  await Promise.all(underWay);
  const burst = log.finish();
  await pool.close();
  return burst;
}

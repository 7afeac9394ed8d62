// Limits how long a caller waits for the database: one limit for a whole request.
import { AsyncLocalStorage } from 'node:async_hooks';
import { ApiError } from './problem';

/**
 * A caller gets 503 within 5 s while the database is away or hangs. The rest is for the request's
 * wait in line and its way there and back.
 */
const DATABASE_DEADLINE_MS = 4_250;

/** The time for the database that a request has left. */
interface DatabaseTime {
  /** The calls of a request have this much together, in ms. */
  leftMs: number;
  /** When the database last responded to this request, or to the check beside its wait. */
  respondedAtMs: number;
}

const requests = new AsyncLocalStorage<DatabaseTime>();

/** Handles a request: all its calls of {@link inTime} share one limit. */
export function withDatabaseTime<T>(handle: () => Promise<T>): Promise<T> {
  return requests.run({ leftMs: DATABASE_DEADLINE_MS, respondedAtMs: Date.now() }, handle);
}

/**
 * Waits for the database, at most until the request's time for it is over: counted from the last
 * response of the database, and over all calls of the request. The work goes on after the limit and
 * may still succeed; the caller sends the request again, and every write is safe to repeat.
 * @param deadlineMs the limit of this call; the request's when left out
 * @throws ApiError 503 when the limit passes first; else what the work throws
 */
export async function inTime<T>(work: Promise<T>, deadlineMs?: number): Promise<T> {
  const time = requests.getStore();
  const startMs = Date.now();
  const limitMs = deadlineMs ?? leftOf(time, startMs);
  try {
    return await limited(work, limitMs);
  } finally {
    if (time) {
      time.respondedAtMs = Date.now();
      time.leftMs -= time.respondedAtMs - startMs;
    }
  }
}

function leftOf(time: DatabaseTime | undefined, nowMs: number): number {
  if (!time) return DATABASE_DEADLINE_MS;
  const sinceResponseMs = nowMs - time.respondedAtMs;
  return Math.max(0, Math.min(time.leftMs, DATABASE_DEADLINE_MS - sinceResponseMs));
}

/** Waits for work, at most `limitMs`. @throws ApiError 503 after that; else what the work throws */
function limited<T>(work: Promise<T>, limitMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(noResponse()), limitMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Between two checks of the database beside a wait. */
const CHECK_PAUSE_MS = 500;
/** Without a response for so long, a wait ends, in time for the reply within 5 s. */
const SILENCE_MS = 3_500;

/** Waits for something else than the database, and notices when the database goes away. */
export type BesideDatabase = <T>(work: Promise<T>) => Promise<T>;

/**
 * Makes the function that waits for something else than the database, like the reply of a run.
 * Meanwhile it checks the database: when that goes away, the caller need not wait for a reply that
 * can't be read. All requests that wait share one check at a time. The function throws ApiError 503
 * when the database has not responded for a while; else what the work throws.
 * @param ping sends the database something small
 */
export function createBesideDatabase(ping: () => Promise<unknown>): BesideDatabase {
  const check = createCheck(ping);
  return async (work) => {
    const time = requests.getStore() ?? { leftMs: 0, respondedAtMs: 0 };
    time.respondedAtMs = Date.now();
    const ended = new AbortController();
    try {
      return await Promise.race([work, silence(time, check, ended.signal)]);
    } finally {
      ended.abort();
    }
  };
}

/** Makes the check that all waits share. @returns when the last ping with a response was sent */
function createCheck(ping: () => Promise<unknown>): () => number {
  let sentAtMs = 0;
  let respondedAtMs = 0;
  let isUnderWay = false;
  return () => {
    const nowMs = Date.now();
    if (!isUnderWay && nowMs - sentAtMs >= CHECK_PAUSE_MS) {
      sentAtMs = nowMs;
      isUnderWay = true;
      ping()
        .then(
          () => {
            respondedAtMs = nowMs;
          },
          () => 'counts as silence',
        )
        .finally(() => {
          isUnderWay = false;
        });
    }
    return respondedAtMs;
  };
}

/** Never resolves. @throws ApiError 503 when the database has not responded for a while */
function silence(time: DatabaseTime, check: () => number, ended: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const look = () => {
      time.respondedAtMs = Math.max(time.respondedAtMs, check());
      if (Date.now() - time.respondedAtMs > SILENCE_MS) reject(noResponse());
    };
    const timer = setInterval(look, CHECK_PAUSE_MS / 2);
    ended.addEventListener('abort', () => clearInterval(timer), { once: true });
  });
}

function noResponse(): ApiError {
  const detail = 'The database did not respond in time; send the same request again';
  return new ApiError('TEMPORARY_FAILURE', detail);
}

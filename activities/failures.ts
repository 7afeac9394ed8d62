import { ApplicationFailure, Context } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import { isUnavailable } from '../database/errors';
import type { ErrorCode } from '../domain/error-catalogue';
import { DEFAULT_POLICIES, retryDelayMs, type RetryOperation } from '../domain/retry-policy';

/**
 * Ends an attempt whose operation is to be tried again, with the delay its policy says. Temporal keeps
 * the time; a spent budget ends the activity for good.
 * @param attempt Temporal's number of this attempt, from 1
 */
export function retryByPolicy(
  operation: RetryOperation,
  attempt: number,
  code: ErrorCode,
): ApplicationFailure {
  const delayMs = retryDelayMs(DEFAULT_POLICIES[operation], attempt - 1, Math.random());
  if (delayMs === null) return ApplicationFailure.nonRetryable(`${operation}: ${code}`, code);
  return retryIn(delayMs, code, operation);
}

/** Ends an attempt that is to be made again after `delayMs`. The retries add no events (P9). */
export function retryIn(delayMs: number, code: ErrorCode, what: string): ApplicationFailure {
  return ApplicationFailure.create({
    message: `${what}: ${code}`,
    type: code,
    nextRetryDelay: Math.max(1, Math.round(delayMs)),
    // "Nothing yet" is no failure: it is not worth a line in the log at each attempt.
    ...(code === 'NOT_YET' ? { category: ApplicationFailureCategory.BENIGN } : {}),
  });
}

/** Below the promise that everything open goes on within a minute when the database is back. */
const DATABASE_RETRY_MS = { base: 3_000, spread: 4_000 };

type Activities = Record<string, (...args: never[]) => Promise<unknown>>;

/**
 * Gives every activity the same answer to a database that is away: again in some seconds, however many
 * attempts there were before (Temporal's own back-off counts them all). A local activity keeps its few
 * quick tries: what it can't do becomes a regular one.
 */
export function withDatabaseRetry<T extends Activities>(activities: T): T {
  const guarded = Object.entries(activities).map(([name, run]) => [
    name,
    async (...args: never[]) => {
      try {
        return await run(...args);
      } catch (error) {
        if (!isUnavailable(error) || Context.current().info.isLocal) throw error;
        const delayMs = DATABASE_RETRY_MS.base + DATABASE_RETRY_MS.spread * Math.random();
        throw retryIn(delayMs, 'TEMPORARY_FAILURE', name);
      }
    },
  ]);
  return Object.fromEntries(guarded) as T;
}

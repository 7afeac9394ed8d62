import { ApplicationFailure } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { ErrorCode } from '../domain/error-catalogue';
import { RETRY_POLICIES, retryDelayMs, type Operation } from '../domain/retry-policy';

/**
 * Ends an attempt whose operation is to be tried again, with the delay its policy says. Temporal keeps
 * the time; a spent budget ends the activity for good.
 * @param attempt Temporal's number of this attempt, from 1
 */
export function retryByPolicy(
  operation: Operation,
  attempt: number,
  code: ErrorCode,
): ApplicationFailure {
  const delayMs = retryDelayMs(RETRY_POLICIES[operation], attempt - 1, Math.random());
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

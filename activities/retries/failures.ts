import { ApplicationFailure } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { ErrorCode } from '../../domain/error-catalogue';
import type { RetryOperation } from '../../domain/retries/retry-policy';

/** What was decided about a failed operation. */
export type RetryDecision =
  /** It is tried again after this. */
  | { readonly kind: 'again'; readonly delayMs: number; readonly attempts: number }
  /** It is not; a person is asked. `isNews` when the question was opened by this. */
  | { readonly kind: 'spent'; readonly isNews: boolean; readonly attempts: number };

/** What a person needs to decide; never personal data. */
export interface FailureEvidence {
  readonly message?: string | null;
  /** As WeChat wrote it. */
  readonly wechat_code?: string | null;
  /** WeChat's `Request-ID`, which its support asks for first. */
  readonly request_id?: string | null;
  /** HTTP status; null when no answer came. */
  readonly status?: number | null;
  readonly [name: string]: unknown;
}

/** One operation that failed. Activities state facts; the interceptor alone decides what follows. */
export interface FailedOperation {
  readonly operation: RetryOperation;
  /** Of the order or the refund. */
  readonly number: string;
  /** What of it: an effect, a delivery, an activity. Attempts are counted per subject. */
  readonly subject: string;
  readonly code: ErrorCode;
  readonly evidence: FailureEvidence;
  /** Failed attempts, this one included, where a row of its own counts them; else they are counted. */
  readonly attempts?: number;
  /** Called with the decision, before the attempt ends: for times that are kept in rows. */
  readonly settle?: (verdict: RetryDecision) => Promise<void>;
  /** After its budget is spent and a person was asked it goes on at this pace, instead of ending. */
  readonly afterSpent?: { readonly delayMs: number };
}

/** Several operations of one attempt that failed, each decided on its own. */
export class OperationFailures extends Error {
  override readonly name: string = 'OperationFailures';
  readonly failures: readonly FailedOperation[];
  /** What follows the decisions: when the next of them is tried, in ms; null when none is. */
  readonly finish: (nextDelayMs: number | null) => Promise<void>;
  /** The next attempt comes no later than this: something else waits for it too. */
  readonly withinMs: number;

  constructor(
    failures: readonly FailedOperation[],
    more: {
      readonly finish?: (nextDelayMs: number | null) => Promise<void>;
      readonly withinMs?: number;
    } = {},
  ) {
    super(failures.map(({ operation, code }) => `${operation}: ${code}`).join(', '));
    this.failures = failures;
    this.finish = more.finish ?? (() => Promise.resolve());
    this.withinMs = more.withinMs ?? Number.POSITIVE_INFINITY;
  }
}

/** An operation that failed. */
export class OperationFailure extends OperationFailures {
  override readonly name = 'OperationFailure';

  constructor(failure: FailedOperation, more: { readonly withinMs?: number } = {}) {
    super([failure], more);
  }
}

/**
 * Ends an attempt in which nothing failed: there is nothing to tell yet, and it is made again after
 * `delayMs`. The retries add no events (P9); no budget pays for them.
 */
export function retryIn(delayMs: number, code: ErrorCode, what: string): ApplicationFailure {
  return ApplicationFailure.create({
    message: `${what}: ${code}`,
    type: code,
    nextRetryDelay: Math.max(1, Math.round(delayMs)),
    // Not worth a line in the log at each attempt.
    category: ApplicationFailureCategory.BENIGN,
  });
}

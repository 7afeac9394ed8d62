// The errors by which activities report failed operations.
import { ApplicationFailure } from '@temporalio/activity';
import { ApplicationFailureCategory } from '@temporalio/common';
import type { UnreadableValueError } from '../../database/encryption/unreadable-value';
import type { ErrorCode } from '../../domain/error-catalogue';
import type { RetryOperation } from '../../domain/retries/retry-policy';

/** The decision about a failed operation. */
export type RetryDecision =
  /** It is tried again after `delayMs`. `inOutage`: WeChat is known to be down. */
  | {
      readonly kind: 'again';
      readonly delayMs: number;
      readonly attempts: number;
      readonly inOutage?: true;
    }
  /** Its budget is spent. `hasOpened` says whether this failure has opened the intervention. */
  | { readonly kind: 'spent'; readonly hasOpened: boolean; readonly attempts: number };

/** The facts that a person needs to resolve an intervention; never personal data. */
export interface FailureEvidence {
  readonly message?: string | null;
  /** WeChat's own code. */
  readonly wechat_code?: string | null;
  /** WeChat's `Request-ID`, which its support asks for first. */
  readonly request_id?: string | null;
  /** HTTP status; null when no response came. */
  readonly status?: number | null;
  readonly [name: string]: unknown;
}

/** A failed operation. The activity states the facts; the retry decider decides what follows. */
export interface FailedOperation {
  readonly operation: RetryOperation;
  /** The number of the order, the refund or the sharing. */
  readonly number: string;
  /** The part that failed: an effect, a delivery, an activity. Attempts are counted per subject. */
  readonly subject: string;
  readonly code: ErrorCode;
  readonly evidence: FailureEvidence;
  /** The value that can't be decrypted, where that is why it failed. */
  readonly unreadable?: UnreadableValueError;
  /** Failed attempts, this one included, where a row counts them; else the decider counts them. */
  readonly attempts?: number;
  /** Called with the decision before the attempt ends, to store its time in a row. */
  readonly settle?: (decision: RetryDecision) => Promise<void>;
  /**
   * Called when the budget is spent, in place of an intervention about the failure: the caller
   * writes what a person has to decide.
   */
  readonly giveUp?: () => Promise<void>;
  /** When set, the operation goes on at this pace after its budget is spent, instead of ending. */
  readonly afterSpent?: { readonly delayMs: number };
}

/** Several failed operations of one attempt. The decider decides about each. */
export class OperationFailures extends Error {
  override readonly name: string = 'OperationFailures';
  readonly failures: readonly FailedOperation[];
  /** Called after the decisions with the shortest delay in ms, or null when none is tried again. */
  readonly finish: (nextDelayMs: number | null) => Promise<void>;
  /** The next attempt comes no later than this, because it has something else to do as well. */
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

/** The only failed operation of an attempt. */
export class OperationFailure extends OperationFailures {
  override readonly name = 'OperationFailure';

  constructor(failure: FailedOperation, more: { readonly withinMs?: number } = {}) {
    super([failure], more);
  }
}

/**
 * Makes the error that ends an attempt in which nothing failed: the activity is tried again after
 * `delayMs`, because there is no result yet. Such retries add no events (P9) and spend no budget.
 * @param what the operation, for the message
 */
export function retryIn(delayMs: number, code: ErrorCode, what: string): ApplicationFailure {
  return ApplicationFailure.create({
    message: `${what}: ${code}`,
    type: code,
    nextRetryDelay: Math.max(1, Math.round(delayMs)),
    // Keeps these ends out of the log.
    category: ApplicationFailureCategory.BENIGN,
  });
}

// Tells the kinds of errors that can end an attempt apart.
import { ApplicationFailure, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import { errorChain, isUnavailable, sqlStateOf } from '../../database/core/classify-errors';
import { UnreadableValueError } from '../../database/encryption/unreadable-value';
import { WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import type { RetryOperation } from '../../domain/retries/retry-policy';
import { OperationFailure, OperationFailures } from './failures';

/** The attempt of an activity that failed. */
export interface Attempt {
  readonly activity: string;
  /** Its first argument, the number it works on; the activity's name when it has no argument. */
  readonly number: string;
  /** Temporal's count of the activity's attempts, from 1. */
  readonly attempt: number;
}

export type Classified =
  /** The activity decided itself how to end: a delayed retry, a cancellation, an end on purpose. */
  | { readonly kind: 'as_it_is' }
  /** The database could not be reached, or others held a row for too long. */
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'failed'; readonly failures: OperationFailures };

/** Activities that only read. */
const READING = ['loadRun', 'readRefund'];
/**
 * A step with an open intervention is still tried this often: its cause may be repaired by then.
 */
const STUCK_DELAY_MS = 30_000;

/** Says what kind of error ended an attempt; the only place that does (S13). */
export function classify(error: unknown, { activity, number }: Attempt): Classified {
  if (error instanceof OperationFailures) return { kind: 'failed', failures: error };
  if (
    error instanceof ApplicationFailure ||
    error instanceof CancelledFailure ||
    error instanceof CompleteAsyncError
  ) {
    return { kind: 'as_it_is' };
  }
  if (error instanceof UnreadableValueError) {
    return { kind: 'failed', failures: unreadable(error, activity, number) };
  }
  if (isUnavailable(error)) return { kind: 'unavailable' };
  const failures = new OperationFailure({
    operation: READING.includes(activity) ? 'database.read' : 'database.write',
    number,
    subject: activity,
    code: 'INTERNAL_ERROR',
    evidence: { errors: errorChain(error), sql_state: sqlStateOf(error) },
    afterSpent: { delayMs: STUCK_DELAY_MS },
  });
  return { kind: 'failed', failures };
}

/**
 * A value that the activity needs can't be decrypted. No attempt can succeed before the key is
 * back, so that no policy retries it: the intervention opens at once, and its `retry` goes on.
 */
function unreadable(
  error: UnreadableValueError,
  activity: string,
  number: string,
): OperationFailure {
  const operation = operationOf(activity, error);
  const failure = {
    operation,
    number,
    code: 'CONFIGURATION_ERROR',
    evidence: error.evidence,
    unreadable: error,
  } as const;
  switch (operation) {
    case 'database.write':
      return new OperationFailure({
        ...failure,
        subject: activity,
        afterSpent: { delayMs: STUCK_DELAY_MS },
      });
    case 'wechat.prepay':
      return new OperationFailure({ ...failure, subject: WECHAT_SUBJECTS.prepay });
    default:
      return new OperationFailure({ ...failure, subject: number });
  }
}

/** The operation whose intervention a person resolves. */
function operationOf(activity: string, { place }: UnreadableValueError): RetryOperation {
  switch (activity) {
    case 'prepay':
      return 'wechat.prepay';
    case 'settleRefund':
      return place.table === 'refunds' ? 'wechat.refund' : 'wechat.return';
    case 'settleSharing':
    case 'lookAtSharing':
      return 'wechat.sharing';
    default:
      return 'database.write';
  }
}

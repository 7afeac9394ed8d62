// Tells the kinds of errors that can end an attempt apart.
import { ApplicationFailure, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import { errorChain, isUnavailable, sqlStateOf } from '../../database/core/classify-errors';
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
  /** The database could not be reached. */
  | { readonly kind: 'database_away' }
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
  if (isUnavailable(error)) return { kind: 'database_away' };
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

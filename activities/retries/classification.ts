import { ApplicationFailure, CancelledFailure, CompleteAsyncError } from '@temporalio/activity';
import { errorChain, isUnavailable, sqlStateOf } from '../../database/core/classify-errors';
import { OperationFailure, OperationFailures } from './failures';

/** The attempt that failed. */
export interface Attempt {
  readonly activity: string;
  /** Its first argument, the number it works on; its own name when it has none. */
  readonly number: string;
  /** Temporal's count of this run of the activity, from 1. */
  readonly attempt: number;
}

export type Classified =
  /** Decided by whoever threw it: "not yet", a cancel, an end on purpose. */
  | { readonly kind: 'as_it_is' }
  /** The database could not be asked. */
  | { readonly kind: 'database_away' }
  | { readonly kind: 'failed'; readonly failures: OperationFailures };

/** Activities that only read. */
const READING = ['loadRun', 'readRefund'];
/** A step that a person was asked about is still tried this often: it may be repaired by then. */
const STUCK_DELAY_MS = 30_000;

/** The one place that says what kind of error ended an attempt (S13). */
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

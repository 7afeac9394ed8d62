// Decides how a failed attempt of an activity ends: with another attempt, or with an intervention.
import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import type { Database } from '../../database/database';
import { isRowHeld, isUnavailable } from '../../database/core/classify-errors';
import {
  BUDGET_SPENT,
  delayAfterFailure,
  delayInOutage,
  isOutageCode,
  seriesEndsAfterMs,
} from '../../domain/retries/retry-policy';
import type { FailedOperation, OperationFailures, RetryDecision } from './failures';
import { classify, type Attempt } from './classify-error';
import type { RetryControl } from './control';

export interface RetryDeciderDeps {
  readonly database: Pick<Database, 'budgets' | 'escalations'>;
  readonly control: Pick<RetryControl, 'policy' | 'wechatIsDown'>;
  /**
   * Called when the database could not be reached.
   * @returns true while that is known already
   */
  readonly onDatabaseAway: () => boolean;
  readonly log: (event: string, ids: Readonly<Record<string, unknown>>) => void;
  readonly now: () => number;
  /** Returns 0 ≤ random < 1. */
  readonly random: () => number;
}

/** The wait while the database is away. Everything open must go on within 60 s of its return. */
const DATABASE_RETRY_MS = { base: 3_000, spread: 4_000 };

export type RetryDecider = ReturnType<typeof createRetryDecider>;

/**
 * Makes the function that decides what follows a failed attempt; no other place decides that.
 * Either the operation is tried again after the delay of its policy, or it escalates: an
 * intervention is opened (P10). The policy is read for each attempt, so a change counts from the
 * next one on, also for an operation that has been retried for hours.
 */
export function createRetryDecider(deps: RetryDeciderDeps) {
  const later = (activity: string, isKnown: boolean) => {
    const delayMs = DATABASE_RETRY_MS.base + DATABASE_RETRY_MS.spread * deps.random();
    return again(`${activity}: TEMPORARY_FAILURE`, 'TEMPORARY_FAILURE', { delayMs, isKnown });
  };
  const unavailable = (error: unknown, { activity, number }: Attempt) => {
    if (!isRowHeld(error)) return later(activity, deps.onDatabaseAway());
    deps.log('retry.row_held', { activity, number });
    return later(activity, true);
  };

  /** @returns the error that the attempt has to end with */
  return async (error: unknown, attempt: Attempt): Promise<unknown> => {
    const classified = classify(error, attempt);
    if (classified.kind === 'as_it_is') return error;
    if (classified.kind === 'unavailable') return unavailable(error, attempt);
    try {
      return await decideAll(deps, classified.failures, attempt);
    } catch (fault) {
      if (isUnavailable(fault)) return unavailable(fault, attempt);
      // Temporal's static policy sets the delay; the decider decides about the next attempt again.
      deps.log('retry.undecided', { activity: attempt.activity, number: attempt.number });
      return fault;
    }
  };
}

async function decideAll(
  deps: RetryDeciderDeps,
  failed: OperationFailures,
  attempt: Attempt,
): Promise<ApplicationFailure> {
  const decisions: RetryDecision[] = [];
  for (const failure of failed.failures) {
    const decision = await decideOne(deps, failure, attempt);
    await failure.settle?.(decision);
    decisions.push(decision);
  }
  const delays = decisions.flatMap((one) => (one.kind === 'again' ? [one.delayMs] : []));
  const delayMs = delays.length > 0 ? Math.min(...delays) : null;
  await failed.finish(delayMs);
  const hasOpened = decisions.some((one) => one.kind === 'spent' && one.hasOpened);
  // The run has to read a new intervention; it starts the activity again for the other operations.
  if (delayMs === null || hasOpened) {
    return ApplicationFailure.nonRetryable(failed.message, BUDGET_SPENT);
  }
  const code = failed.failures[0]?.code ?? 'INTERNAL_ERROR';
  const isKnown = decisions.every((one) => one.kind === 'again' && one.inOutage === true);
  return again(failed.message, code, { delayMs: Math.min(delayMs, failed.withinMs), isKnown });
}

async function decideOne(
  deps: RetryDeciderDeps,
  failure: FailedOperation,
  { attempt }: Attempt,
): Promise<RetryDecision> {
  const { operation, number, subject, code, evidence, unreadable, afterSpent } = failure;
  const { control, database, now, random } = deps;
  const policy = await control.policy(operation);
  if (operation.startsWith('wechat.') && isOutageCode(code) && (await control.wechatIsDown())) {
    const delayMs = delayInOutage(policy, attempt, random());
    return { kind: 'again', delayMs, attempts: 0, inOutage: true };
  }
  const series = { code, seriesEndsAfterMs: seriesEndsAfterMs(policy) };
  const key = { operation, number, subject };
  if (failure.attempts !== undefined) await database.budgets.count(operation, code, now());
  const attempts = failure.attempts ?? (await database.budgets.spend(key, series, now()));
  const delayMs = delayAfterFailure(policy, { attempts, code }, random());
  if (delayMs !== null) return { kind: 'again', delayMs, attempts };
  if (failure.giveUp) {
    await failure.giveUp();
    deps.log('retry.given_up', { operation, number, subject, code, attempts });
    return { kind: 'spent', hasOpened: true, attempts };
  }
  const escalation = { ...key, code, attempts, evidence, unreadable };
  const result = await database.escalations.escalate(escalation, now());
  deps.log('retry.spent', { operation, number, subject, code, attempts, result });
  if (result === 'open' && afterSpent) {
    return { kind: 'again', delayMs: afterSpent.delayMs, attempts };
  }
  return { kind: 'spent', hasOpened: result === 'opened', attempts };
}

/**
 * A failure that a known outage explains stays out of the worker's log: ten thousand open orders
 * would write one with its stack for each try. The outage has its alert.
 */
function again(
  message: string,
  type: string,
  { delayMs, isKnown }: { readonly delayMs: number; readonly isKnown: boolean },
): ApplicationFailure {
  const nextRetryDelay = Math.max(1, Math.round(delayMs));
  const quiet = isKnown ? { category: ApplicationFailureCategory.BENIGN } : {};
  return ApplicationFailure.create({ message, type, nextRetryDelay, ...quiet });
}

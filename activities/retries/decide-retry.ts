import { ApplicationFailure } from '@temporalio/activity';
import type { Database } from '../../database/database';
import { isUnavailable } from '../../database/core/classify-errors';
import {
  BUDGET_SPENT,
  delayAfterFailure,
  delayInOutage,
  isOutageCode,
  seriesEndsAfterMs,
} from '../../domain/retries/retry-policy';
import type { FailedOperation, OperationFailures, RetryDecision } from './failures';
import { classify, type Attempt } from './classification';
import type { RetryControl } from './control';

export interface RetryDeciderDeps {
  readonly database: Pick<Database, 'budgets' | 'escalations'>;
  readonly control: Pick<RetryControl, 'policy' | 'wechatIsDown'>;
  /** The database could not be asked. */
  readonly onDatabaseAway: () => void;
  readonly log: (event: string, ids: Readonly<Record<string, unknown>>) => void;
  readonly now: () => number;
  /** 0 ≤ random < 1 */
  readonly random: () => number;
}

/** Below the promise that everything open goes on within a minute when the database is back. */
const DATABASE_RETRY_MS = { base: 3_000, spread: 4_000 };

export type RetryDecider = ReturnType<typeof createRetryDecider>;

/**
 * Decides what follows a failed attempt, in the one place that does: again after what the policy says,
 * or the end and a person (P10). Policies are read for each attempt, so a change counts from the next
 * one on, also for what has been retried for hours.
 */
export function createRetryDecider(deps: RetryDeciderDeps) {
  const away = (activity: string) => {
    deps.onDatabaseAway();
    const delayMs = DATABASE_RETRY_MS.base + DATABASE_RETRY_MS.spread * deps.random();
    return again(`${activity}: TEMPORARY_FAILURE`, 'TEMPORARY_FAILURE', delayMs);
  };

  /** @returns what the attempt is to end with */
  return async (error: unknown, attempt: Attempt): Promise<unknown> => {
    const seen = classify(error, attempt);
    if (seen.kind === 'as_it_is') return error;
    if (seen.kind === 'database_away') return away(attempt.activity);
    try {
      return await decideAll(deps, seen.failures, attempt);
    } catch (fault) {
      if (isUnavailable(fault)) return away(attempt.activity);
      // Temporal's static policy serves; the next attempt is judged again.
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
  const verdicts: RetryDecision[] = [];
  for (const failure of failed.failures) {
    const verdict = await decideOne(deps, failure, attempt);
    await failure.settle?.(verdict);
    verdicts.push(verdict);
  }
  const delays = verdicts.flatMap((one) => (one.kind === 'again' ? [one.delayMs] : []));
  const delayMs = delays.length > 0 ? Math.min(...delays) : null;
  await failed.finish(delayMs);
  const isNews = verdicts.some((one) => one.kind === 'spent' && one.isNews);
  // The run has to hear of a new question; whatever else is left it starts again.
  if (delayMs === null || isNews) {
    return ApplicationFailure.nonRetryable(failed.message, BUDGET_SPENT);
  }
  const code = failed.failures[0]?.code ?? 'INTERNAL_ERROR';
  return again(failed.message, code, Math.min(delayMs, failed.withinMs));
}

async function decideOne(
  deps: RetryDeciderDeps,
  failure: FailedOperation,
  { attempt }: Attempt,
): Promise<RetryDecision> {
  const { operation, number, subject, code, evidence, afterSpent } = failure;
  const { control, database, now, random } = deps;
  const policy = await control.policy(operation);
  if (operation.startsWith('wechat.') && isOutageCode(code) && (await control.wechatIsDown())) {
    return { kind: 'again', delayMs: delayInOutage(policy, attempt, random()), attempts: 0 };
  }
  const series = { code, seriesEndsAfterMs: seriesEndsAfterMs(policy) };
  const key = { operation, number, subject };
  const attempts = failure.attempts ?? (await database.budgets.spend(key, series, now()));
  const delayMs = delayAfterFailure(policy, { attempts, code }, random());
  if (delayMs !== null) return { kind: 'again', delayMs, attempts };
  const result = await database.escalations.escalate({ ...key, code, attempts, evidence }, now());
  deps.log('retry.spent', { operation, number, subject, code, attempts, result });
  if (result === 'open' && afterSpent) {
    return { kind: 'again', delayMs: afterSpent.delayMs, attempts };
  }
  return { kind: 'spent', isNews: result === 'opened', attempts };
}

function again(message: string, type: string, delayMs: number): ApplicationFailure {
  const nextRetryDelay = Math.max(1, Math.round(delayMs));
  return ApplicationFailure.create({ message, type, nextRetryDelay });
}

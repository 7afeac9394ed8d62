// Applies a notice behind a savepoint: one that can't be booked holds no other.
import { errorChain, isUnavailable, sqlStateOf } from '../core/classify-errors';
import { lockOrder } from '../core/lock-order';
import type { InboxRow, Scope, Verdict } from '../core/scope';
import { setNoticeAside } from './set-notice-aside';

/**
 * True for an error that a row itself causes: a value that the database can't hold (SQLSTATE
 * classes 22 and 23), or one that the program can't handle. Every other refusal of the database may
 * be mended behind the scenes, and the same rows are tried again.
 */
export function isOfOneRow(error: unknown): boolean {
  if (isUnavailable(error)) return false;
  const state = sqlStateOf(error);
  return state === null || /^2[23]/.test(state);
}

/**
 * Applies one row. When that fails for a reason of its own, everything that it wrote is taken back,
 * and an intervention is opened about it, or WeChat is queried.
 * @throws when the cause is not the row: then all rows are tried again
 */
export async function applyIsolated(
  scope: Scope,
  row: InboxRow,
  apply: () => Promise<Verdict | null>,
): Promise<Verdict | null> {
  const { tx } = scope;
  const before = snapshot(scope);
  await tx.$executeRaw`SAVEPOINT one_notice`;
  try {
    const verdict = await apply();
    await tx.$executeRaw`RELEASE SAVEPOINT one_notice`;
    return verdict;
  } catch (error) {
    if (!isOfOneRow(error)) throw error;
    await tx.$executeRaw`ROLLBACK TO SAVEPOINT one_notice`;
    before.restore();
    scope.order = await lockOrder(tx, scope.outTradeNo);
    scope.unbooked.add(row.id);
    return setNoticeAside(scope, row, {
      why: 'not_booked',
      errors: errorChain(error),
      sql_state: sqlStateOf(error),
    });
  }
}

/** Keeps the scope as it was before a row, so that nothing of a failed row stays. */
function snapshot(scope: Scope): { readonly restore: () => void } {
  const { verdicts, toQuery, unreadable, refunds, sharings } = scope;
  const { changed, decideAgain, paymentApplied, refundsLeft, reportedRefunds } = scope;
  const maps = [
    [verdicts, new Map(verdicts)],
    [unreadable, new Map(unreadable)],
  ] as const;
  const sets = [
    [toQuery, new Set(toQuery)],
    [refunds, new Set(refunds)],
    [sharings, new Set(sharings)],
  ] as const;
  return {
    restore() {
      for (const [current, kept] of maps) {
        (current as Map<string, unknown>).clear();
        for (const [key, value] of kept) (current as Map<string, unknown>).set(key, value);
      }
      for (const [current, kept] of sets) {
        current.clear();
        for (const value of kept) current.add(value);
      }
      Object.assign(scope, { changed, decideAgain, paymentApplied, refundsLeft, reportedRefunds });
    },
  };
}

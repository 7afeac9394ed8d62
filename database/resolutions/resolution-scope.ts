import type { ErrorCode } from '../../domain/error-catalogue';
import type { DatabaseContext, Transaction } from '../core/context';
import type { Scope, Verdict } from '../core/scope';
import { lockOrder } from '../core/order-row';

/** The question that is answered. */
export interface OpenQuestion {
  readonly id: string;
  readonly reason: string;
  readonly subject: string;
  readonly amountFen: number | null;
  readonly evidence: unknown;
}

/** What carrying out an answer came to. */
export type Outcome =
  | { readonly kind: 'done' }
  /** It can't be done as things stand; the question stays open. */
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly detail: string };

export type Params = Readonly<Record<string, string>>;

/** What an answer is carried out with, under the order's lock. */
export interface Answering {
  readonly context: DatabaseContext;
  readonly scope: Scope;
  readonly question: OpenQuestion;
  readonly params: Params;
}

export const DONE: Outcome = { kind: 'done' };

export function refused(code: ErrorCode, detail: string): Outcome {
  return { kind: 'refused', code, detail };
}

/** A scope on a number of ours or not, its order locked. */
export async function openScope(tx: Transaction, outTradeNo: string, now: Date): Promise<Scope> {
  const order = await lockOrder(tx, outTradeNo);
  const work = { refunds: new Set<string>(), sharings: new Set<string>() };
  const notices = { told: [], verdicts: new Map<string, Verdict>(), judgeAnew: false };
  return { tx, outTradeNo, now, order, changed: false, ...notices, ...work };
}

/** The order as it is now, after what earlier steps of the transaction changed. */
export async function currentOrder(scope: Scope): Promise<Scope['order']> {
  if (scope.changed) {
    scope.order = await lockOrder(scope.tx, scope.outTradeNo);
    scope.changed = false;
  }
  return scope.order;
}

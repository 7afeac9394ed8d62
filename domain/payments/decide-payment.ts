// Decides what is written for a reported payment: a pure function from the facts to one plan.
// Sandbox: deterministic only.
import type { InterventionReason } from '../interventions/reasons';
import type { Fen } from '../money';
import type {
  FittingPayment,
  Mismatch,
  PaymentMatch,
  TransactionStatus,
  UnclearPayment,
  UnfitPayment,
} from './match-payment';
import type { PaymentNotice } from './notices';

/** The row of a transaction that WeChat has reported before. */
export interface KnownTransaction {
  readonly status: TransactionStatus;
  readonly outTradeNo: string;
  readonly totalFen: Fen | null;
  readonly currency: string | null;
  readonly appId: string | null;
  /** Held by refunds that are not closed. */
  readonly heldFen: Fen;
}

/** How the query ended that a notice asked for. */
export type QueriedState =
  /** WeChat named a transaction, which has a notice of its own in the inbox. */
  | 'found'
  /** WeChat said something else, or nothing until the budget was spent. */
  | 'not_found';

/** Everything that the decision depends on, read under the order's lock. */
export interface PaymentFacts {
  readonly notice: PaymentNotice;
  /** The number that the notice was stored under. */
  readonly outTradeNo: string;
  /** How the notice came: a `callback`, a `query` of ours, or a query for a line of a `bill`. */
  readonly source: string;
  readonly match: PaymentMatch;
  /** null when this notice is the first of its transaction, and when it names none. */
  readonly known: KnownTransaction | null;
  /** The end of the query that an unclear notice asked for; null as long as there was none. */
  readonly queried: QueriedState | null;
  /** The policy for late money; null when the match does not need it. */
  readonly latePayment: 'refund' | 'ask' | null;
}

/** The intervention that a payment opens. */
export interface PaymentIntervention {
  readonly reason: InterventionReason;
  readonly mismatches: readonly Mismatch[];
}

/** How Oncepay learnt of a payment, for the history of its order. */
type PaymentCause = 'payment_notice' | 'payment_found_by_query' | 'payment_found_in_bill';

/** All that is written for a payment, besides the row of a transaction that is new. */
export type PaymentPlan =
  /** Nothing: the notice carries no money, or nothing new. */
  | { readonly kind: 'change_nothing'; readonly verdict: 'ignored' | 'already_applied' }
  /** WeChat is queried; the notice gets its verdict when the query has ended. */
  | { readonly kind: 'query_wechat'; readonly verdict: null }
  /** The order's move, its effects and its deliveries; then the next step. */
  | {
      readonly kind: 'pay_order';
      readonly verdict: 'applied';
      /** `reopened`: its row was rejected before, and counts as the order's payment from now on. */
      readonly transaction: 'new' | 'reopened';
      readonly to: 'paid' | 'paid_late';
      readonly cause: PaymentCause;
      readonly next: NextStep;
    }
  /** The order stays as it is; the next step says what becomes of the money. */
  | { readonly kind: 'keep_order'; readonly verdict: 'conflict'; readonly next: NextStep }
  /** WeChat contradicts what it has reported of this transaction: an intervention alone. */
  | ({ readonly kind: 'open_intervention'; readonly verdict: 'conflict' } & PaymentIntervention);

/**
 * The step after the transaction has its row. WeChat may have reported refunds of it earlier
 * than the payment: each step applies them, and says when.
 */
export type NextStep =
  | { readonly kind: 'apply_reported_refunds' }
  /**
   * Applies the reported refunds, then refunds what they left of the payment. How much that is, is
   * known only then: where nothing is left, {@link isWhollyHeld} decides whether the payment has
   * been refunded already, or `otherwise` is opened.
   */
  | {
      readonly kind: 'refund_payment';
      readonly origin: 'late_payment' | 'surplus_payment';
      readonly otherwise: PaymentIntervention;
    }
  /** Opens an intervention, then applies the reported refunds: one that explains it resolves it. */
  | ({ readonly kind: 'open_intervention' } & PaymentIntervention);

/** Decides what is written for a reported payment. */
export function decidePayment(facts: PaymentFacts): PaymentPlan {
  const { match, known } = facts;
  switch (match.kind) {
    case 'no_money':
      return { kind: 'change_nothing', verdict: 'ignored' };
    case 'already_applied':
      return { kind: 'change_nothing', verdict: 'already_applied' };
    case 'unclear':
      return decideUnclear(facts, match);
    case 'fits':
      return known === null ? payOrder(facts, match, 'new') : decideKnownFit(facts, match, known);
    case 'unfit':
      return known === null ? keepOrder(facts, match) : decideKnownUnfit(facts, match, known);
  }
}

/** Only a query can say what an unclear notice was about; where it can't, a person has to. */
function decideUnclear({ source, queried }: PaymentFacts, { lacks }: UnclearPayment): PaymentPlan {
  if (source === 'callback' && queried === null) return { kind: 'query_wechat', verdict: null };
  if (lacks === 'state' || queried === 'found') {
    return { kind: 'change_nothing', verdict: 'ignored' };
  }
  return contradicts('reconciliation', []);
}

/** The cause in the order's history, where no callback reported the payment. */
const CAUSES: Readonly<Record<string, PaymentCause>> = {
  query: 'payment_found_by_query',
  bill: 'payment_found_in_bill',
};

function payOrder(
  { source, latePayment }: PaymentFacts,
  { to, attention }: FittingPayment,
  transaction: 'new' | 'reopened',
): PaymentPlan {
  const cause = CAUSES[source] ?? 'payment_notice';
  const next = nextAfterPayment(attention, latePayment);
  return { kind: 'pay_order', verdict: 'applied', transaction, to, cause, next };
}

function nextAfterPayment(
  attention: FittingPayment['attention'],
  latePayment: PaymentFacts['latePayment'],
): NextStep {
  if (attention === null) return { kind: 'apply_reported_refunds' };
  const intervention = { reason: attention, mismatches: [] };
  if (attention === 'late_payment' && latePayment === 'refund') {
    return { kind: 'refund_payment', origin: 'late_payment', otherwise: intervention };
  }
  return { kind: 'open_intervention', ...intervention };
}

function keepOrder({ notice }: PaymentFacts, match: UnfitPayment): PaymentPlan {
  const { reason, mismatches, transactionStatus } = match;
  const intervention = { reason, mismatches };
  const next: NextStep =
    transactionStatus === 'surplus' && notice.tradeState === 'SUCCESS'
      ? { kind: 'refund_payment', origin: 'surplus_payment', otherwise: intervention }
      : { kind: 'open_intervention', ...intervention };
  return { kind: 'keep_order', verdict: 'conflict', next };
}

/** The same transaction with the same content changes nothing (S7), unless it is decided anew. */
function decideKnownFit(
  facts: PaymentFacts,
  match: FittingPayment,
  known: KnownTransaction,
): PaymentPlan {
  const isOfThisNumber = known.outTradeNo === facts.outTradeNo;
  if (isOfThisNumber && isDecidedAnew(facts, known)) return payOrder(facts, match, 'reopened');
  if (isSameContent(facts, known)) return { kind: 'change_nothing', verdict: 'already_applied' };
  return contradicts('amount_mismatch', []);
}

/** These say more than that the content differs: accepting such money is never an option. */
const KEPT_REASONS: readonly InterventionReason[] = [
  'identity_mismatch',
  'reconciliation',
  'unknown_order',
];

function decideKnownUnfit(
  facts: PaymentFacts,
  { reason, mismatches }: UnfitPayment,
  known: KnownTransaction,
): PaymentPlan {
  if (isSameContent(facts, known) && !isDecidedAnew(facts, known)) {
    return { kind: 'change_nothing', verdict: 'already_applied' };
  }
  return contradicts(KEPT_REASONS.includes(reason) ? reason : 'amount_mismatch', mismatches);
}

function contradicts(reason: InterventionReason, mismatches: readonly Mismatch[]): PaymentPlan {
  return { kind: 'open_intervention', verdict: 'conflict', reason, mismatches };
}

/**
 * A query reports a rejected transaction only after an operator resolved its intervention with
 * `retry`: then it is decided anew, unless a refund holds its money already.
 */
function isDecidedAnew({ source }: PaymentFacts, known: KnownTransaction): boolean {
  return source === 'query' && known.status === 'rejected' && known.heldFen === 0;
}

function isSameContent({ notice, outTradeNo }: PaymentFacts, known: KnownTransaction): boolean {
  return (
    known.outTradeNo === outTradeNo &&
    known.totalFen === notice.totalFen &&
    known.currency === notice.currency &&
    known.appId === notice.appId
  );
}

/** True when refunds hold all of a payment, so that nobody has to decide about it. */
export function isWhollyHeld(paid: {
  readonly totalFen: number | null;
  readonly heldFen: number;
}): boolean {
  return paid.heldFen > 0 && paid.heldFen >= (paid.totalFen ?? 0);
}

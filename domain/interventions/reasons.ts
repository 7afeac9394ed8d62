import { isCompensation } from '../fulfilment/effects';

/**
 * Why a person is needed, and what a person may answer. The one table of it (S5): the API offers and
 * checks actions by it, the run carries them out, and docs/operate/reasons/ has a page for each.
 */
export const INTERVENTIONS = {
  /** Amount or currency of a payment don't match the order. */
  amount_mismatch: ['refund', 'accept', 'retry'],
  /** Another merchant's or app's money. */
  identity_mismatch: ['dismiss'],
  /** A paid number that is not ours. */
  unknown_order: ['refund', 'dismiss'],
  /** Money after the close, where the setting says to ask. */
  late_payment: ['refund', 'accept'],
  /** The automatic refund of a second payment failed. */
  surplus_payment: ['retry', 'dismiss'],
  effect_failed: ['retry', 'skip', 'refund'],
  no_stock: ['retry', 'skip', 'refund'],
  no_codes: ['retry', 'skip', 'refund'],
  /** Prepay, query or close: budget spent, or refused. */
  wechat_failed: ['retry', 'close'],
  refund_failed: ['retry', 'dismiss'],
  refund_closed: ['new_number', 'dismiss'],
  refund_abnormal: ['to_user', 'to_bank_card', 'dismiss'],
  sharing_failed: ['new_number', 'dismiss'],
  return_failed: ['retry', 'accept', 'dismiss'],
  undeliverable: ['retry', 'dismiss'],
  stuck: ['retry', 'dismiss'],
  invariant: ['retry', 'dismiss'],
  reconciliation: ['retry', 'dismiss', 'refund'],
} as const satisfies Record<string, readonly InterventionAction[]>;

export const INTERVENTION_ACTIONS = [
  'refund',
  'accept',
  'retry',
  'dismiss',
  'skip',
  'close',
  'new_number',
  'to_user',
  'to_bank_card',
] as const;
export type InterventionAction = (typeof INTERVENTION_ACTIONS)[number];

export type InterventionReason = keyof typeof INTERVENTIONS;
export const INTERVENTION_REASONS = Object.keys(INTERVENTIONS) as [
  InterventionReason,
  ...InterventionReason[],
];

/** Actions that move money: above a limit they need a second key. */
const MONEY_ACTIONS: readonly InterventionAction[] = [
  'refund',
  'accept',
  'new_number',
  'to_bank_card',
];

/** While one of these is open, queries and expiry of the order pause: its money is in question. */
export const PAUSING_REASONS: readonly InterventionReason[] = [
  'amount_mismatch',
  'identity_mismatch',
];

/** True for a string that names a reason. */
export function isInterventionReason(value: unknown): value is InterventionReason {
  return INTERVENTION_REASONS.some((reason) => reason === value);
}

/** True for a string that names an action. */
export function isInterventionAction(value: unknown): value is InterventionAction {
  return INTERVENTION_ACTIONS.some((action) => action === value);
}

/** Reasons whose subject is an effect. */
const EFFECT_REASONS: readonly InterventionReason[] = ['effect_failed', 'no_stock', 'no_codes'];

/**
 * The actions that answer a question, the usual one first; none for a reason of another version.
 * @param subject what is in question; left out, all that its reason has
 */
export function actionsFor(reason: string, subject = ''): readonly InterventionAction[] {
  if (!isInterventionReason(reason)) return [];
  const actions: readonly InterventionAction[] = INTERVENTIONS[reason];
  // What a refund has to take back is no reason for another refund.
  const ofRefund = EFFECT_REASONS.includes(reason) && isCompensation(subject);
  return ofRefund ? actions.filter((action) => action !== 'refund') : actions;
}

/** True when the action moves money, and may need a second person. */
export function movesMoney(action: InterventionAction): boolean {
  return MONEY_ACTIONS.includes(action);
}

/**
 * True when a second key has to approve.
 * @param amountFen what the answer may move, 0 for nothing; null when that is not known, which counts as much
 * @param limitFen the largest amount that one person may move
 */
export function needsSecondKey(amountFen: number | null, limitFen: number): boolean {
  return amountFen === null || amountFen > limitFen;
}

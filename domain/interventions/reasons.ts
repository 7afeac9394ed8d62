// Reasons of interventions and the actions that resolve each: the one table of both.
// Sandbox: deterministic only.
import { isCompensation } from '../fulfilment/effects';
import { parseSubject } from './subjects';

/**
 * The reasons why an intervention is opened, each with the actions that can resolve it (S5). The
 * API offers and checks actions by this table, the run carries them out, and docs/operate/reasons/
 * has a page for each.
 */
export const INTERVENTIONS = {
  /** Amount or currency of the payment differ from the order. */
  amount_mismatch: ['refund', 'accept', 'retry'],
  /** The payment names another merchant or app. */
  identity_mismatch: ['dismiss'],
  /** The paid number is not one of our orders. */
  unknown_order: ['refund', 'dismiss'],
  /** Money came after the close, and the setting is `ask`. */
  late_payment: ['refund', 'accept'],
  /** The automatic refund of a second payment failed. */
  surplus_payment: ['retry', 'dismiss'],
  effect_failed: ['retry', 'skip', 'refund'],
  no_stock: ['retry', 'skip', 'refund'],
  no_codes: ['retry', 'skip', 'refund'],
  /** WeChat refused a prepay, query or close, or its retry budget is spent. */
  wechat_failed: ['retry', 'close'],
  refund_failed: ['retry', 'dismiss'],
  refund_closed: ['new_number', 'dismiss'],
  refund_abnormal: ['to_user', 'to_bank_card', 'dismiss'],
  sharing_failed: ['new_number', 'retry', 'dismiss'],
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

/** While one of these is open, the order is neither queried nor expired: its money is unclear. */
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
export const EFFECT_REASONS: readonly InterventionReason[] = [
  'effect_failed',
  'no_stock',
  'no_codes',
];

/**
 * The actions that can resolve an intervention, the usual one first.
 * @param subject of the intervention; left out, all actions of the reason
 * @returns none for a reason that this version doesn't have
 */
export function actionsFor(reason: string, subject = ''): readonly InterventionAction[] {
  if (!isInterventionReason(reason)) return [];
  const actions: readonly InterventionAction[] = INTERVENTIONS[reason];
  // A compensation belongs to a refund already: another refund would not help.
  const isOfRefund = EFFECT_REASONS.includes(reason) && isCompensation(subject);
  // A bill is no payment.
  const isOfBill = parseSubject(subject).kind === 'bill';
  return isOfRefund || isOfBill ? actions.filter((action) => action !== 'refund') : actions;
}

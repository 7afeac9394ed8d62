/** Why a person is needed. The actions that answer each reason are listed in docs/runbook.md. */
export const INTERVENTION_REASONS = [
  'amount_mismatch',
  'identity_mismatch',
  'unknown_order',
  'late_payment',
  'surplus_payment',
  'effect_failed',
  'no_stock',
  'no_codes',
  'wechat_failed',
  'undeliverable',
  'reconciliation',
] as const;
export type InterventionReason = (typeof INTERVENTION_REASONS)[number];

/** While one of these is open, queries and expiry of the order pause: its money is in question. */
export const PAUSING_REASONS: readonly InterventionReason[] = [
  'amount_mismatch',
  'identity_mismatch',
  'reconciliation',
];

/** True for a string that names a reason. */
export function isInterventionReason(value: unknown): value is InterventionReason {
  return INTERVENTION_REASONS.some((reason) => reason === value);
}

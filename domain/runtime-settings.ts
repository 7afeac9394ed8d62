/** What operators change while everything runs; it takes the place of what the environment says. */
export interface RuntimeOverrides {
  readonly payment_window?: number;
  readonly query_schedule?: readonly number[];
  readonly refund_spacing?: number;
  readonly patrol_interval?: number;
  readonly late_payment?: LatePaymentPolicy;
}

export type RuntimeSettingName = keyof RuntimeOverrides;
export const RUNTIME_SETTING_NAMES = [
  'payment_window',
  'query_schedule',
  'refund_spacing',
  'patrol_interval',
  'late_payment',
] as const satisfies readonly RuntimeSettingName[];

/** What happens to money that comes after the close: it goes back by itself, or a person decides. */
export const LATE_PAYMENT_POLICIES = ['refund', 'ask'] as const;
export type LatePaymentPolicy = (typeof LATE_PAYMENT_POLICIES)[number];
export const DEFAULT_LATE_PAYMENT: LatePaymentPolicy = 'refund';

/** True for a string that names a setting. */
export function isRuntimeSettingName(value: unknown): value is RuntimeSettingName {
  return RUNTIME_SETTING_NAMES.some((name) => name === value);
}

/** What operators change while everything runs; it takes the place of what the environment says. */
export interface RuntimeOverrides {
  readonly payment_window?: number;
  readonly query_schedule?: readonly number[];
  readonly refund_spacing?: number;
  readonly patrol_interval?: number;
  /** The most of a payment that may be shared, in percent. */
  readonly sharing_ratio?: number;
  readonly sharing_delay?: number;
  readonly unfreeze_after?: number;
  readonly late_payment?: LatePaymentPolicy;
  readonly keep_callback_bodies?: number;
  readonly keep_idempotency_keys?: number;
  readonly keep_delivery_logs?: number;
}

export type RuntimeSettingName = keyof RuntimeOverrides;
export const RUNTIME_SETTING_NAMES = [
  'payment_window',
  'query_schedule',
  'refund_spacing',
  'patrol_interval',
  'sharing_ratio',
  'sharing_delay',
  'unfreeze_after',
  'late_payment',
  'keep_callback_bodies',
  'keep_idempotency_keys',
  'keep_delivery_logs',
] as const satisfies readonly RuntimeSettingName[];

/** What happens to money that comes after the close: it goes back by itself, or a person decides. */
export const LATE_PAYMENT_POLICIES = ['refund', 'ask'] as const;
export type LatePaymentPolicy = (typeof LATE_PAYMENT_POLICIES)[number];
export const DEFAULT_LATE_PAYMENT: LatePaymentPolicy = 'refund';

const DAY_MS = 24 * 3_600_000;

/** How long the patrol keeps what it purges, in ms. Orders, money and the audit log are kept for ever. */
export const DEFAULT_KEPT_MS = {
  /** Raw bodies are personal data; three months cover every dispute about what WeChat said. */
  keep_callback_bodies: 90 * DAY_MS,
  /** Callers repeat a request within minutes or, after an outage of theirs, days. */
  keep_idempotency_keys: 30 * DAY_MS,
  keep_delivery_logs: 30 * DAY_MS,
} as const;

/** How a payment is shared, where neither environment nor operators say otherwise. */
export const DEFAULT_SHARING = {
  /** WeChat's own cap for a merchant that has not asked for more, in percent. */
  ratioPercent: 30,
  /** WeChat takes no sharing in the first minute after a payment. */
  delayMs: 60_000,
  /** WeChat unfreezes the rest after 30 days; a day before that there is time for trouble. */
  unfreezeAfterMs: 29 * DAY_MS,
} as const;

/** True for a string that names a setting. */
export function isRuntimeSettingName(value: unknown): value is RuntimeSettingName {
  return RUNTIME_SETTING_NAMES.some((name) => name === value);
}

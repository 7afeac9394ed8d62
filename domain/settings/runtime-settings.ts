// The settings that operators change at run time, and their defaults.
// Sandbox: deterministic only.

/** The values that operators have set at run time. Each overrides the environment. */
export interface RuntimeOverrides {
  readonly payment_window?: number;
  readonly query_schedule?: readonly number[];
  readonly refund_spacing?: number;
  readonly patrol_interval?: number;
  /** The largest part of a payment that may be shared, in percent. */
  readonly sharing_ratio?: number;
  readonly sharing_delay?: number;
  readonly unfreeze_after?: number;
  readonly sharing_receivers?: SharingReceivers;
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
  'sharing_receivers',
  'late_payment',
  'keep_callback_bodies',
  'keep_idempotency_keys',
  'keep_delivery_logs',
] as const satisfies readonly RuntimeSettingName[];

/** A payment that comes after the close is refunded automatically, or a person decides (`ask`). */
export const LATE_PAYMENT_POLICIES = ['refund', 'ask'] as const;
export type LatePaymentPolicy = (typeof LATE_PAYMENT_POLICIES)[number];
export const DEFAULT_LATE_PAYMENT: LatePaymentPolicy = 'refund';

/**
 * With whom payments may be shared: with receivers that an admin added or that WeChat has paid a
 * share before, or with any.
 */
export const SHARING_RECEIVERS = ['known', 'any'] as const;
export type SharingReceivers = (typeof SHARING_RECEIVERS)[number];
export const DEFAULT_SHARING_RECEIVERS: SharingReceivers = 'known';

const DAY_MS = 24 * 3_600_000;

/**
 * How long the patrol keeps rows that it purges, in ms. It never purges orders, money, audit log.
 */
export const DEFAULT_KEPT_MS = {
  /** Raw bodies are personal data; three months are enough for a dispute about WeChat's reports. */
  keep_callback_bodies: 90 * DAY_MS,
  /** Callers repeat a request within minutes, or within days after an outage on their side. */
  keep_idempotency_keys: 30 * DAY_MS,
  keep_delivery_logs: 30 * DAY_MS,
} as const;

/** How a payment is shared when neither the environment nor an operator says otherwise. */
export const DEFAULT_SHARING = {
  /** WeChat's own limit for a merchant that has not applied for more, in percent. */
  ratioPercent: 30,
  /** WeChat accepts no sharing in the first minute after a payment. */
  delayMs: 60_000,
  /** WeChat unfreezes the rest after 30 days; one day less leaves time to retry. */
  unfreezeAfterMs: 29 * DAY_MS,
} as const;

/** True for a string that names a setting. */
export function isRuntimeSettingName(value: unknown): value is RuntimeSettingName {
  return RUNTIME_SETTING_NAMES.some((name) => name === value);
}

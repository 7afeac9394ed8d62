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
  /** The most that one person moves alone at once, in fen. */
  readonly two_person_fen?: number;
  /** The most that one person moves alone in 24 hours, in fen. */
  readonly two_person_day_fen?: number;
  /** The largest refund that a merchant key may request, in fen; 0 is no limit. */
  readonly merchant_refund_max_fen?: number;
  /** The most that a client refunds with merchant keys in 24 hours, in fen; 0 is no limit. */
  readonly merchant_refund_day_fen?: number;
  /** Order numbers of a bill that begin so belong to other systems. */
  readonly reconcile_foreign_prefixes?: readonly string[];
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
  'two_person_fen',
  'two_person_day_fen',
  'merchant_refund_max_fen',
  'merchant_refund_day_fen',
  'reconcile_foreign_prefixes',
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

/** `two_person_fen` where neither the environment nor an operator says otherwise: 1,000 元. */
export const DEFAULT_TWO_PERSON_FEN = 100_000;

/** The settings in force: those of the environment, with the overrides in their place. */
export type EffectiveSettings = Required<RuntimeOverrides>;

/** The settings without an override; the limits that are missing here have fixed defaults. */
export type InheritedSettings = Omit<EffectiveSettings, Exclude<LimitName, 'two_person_fen'>>;

/** `two_person_day_fen` where nobody has set it: so many times `two_person_fen`. */
const DAY_TIMES = 10;

/** Puts the overrides in the place of the inherited values. */
export function effectiveSettings(
  inherited: InheritedSettings,
  overrides: RuntimeOverrides,
): EffectiveSettings {
  const limits = effectiveLimits(inherited.two_person_fen, overrides);
  return { ...inherited, ...overrides, ...limits };
}

/** The settings that limit what persons and machines move. */
type LimitName =
  'two_person_fen' | 'two_person_day_fen' | 'merchant_refund_max_fen' | 'merchant_refund_day_fen';

/** @param inheritedFen `two_person_fen` of the environment */
export function effectiveLimits(
  inheritedFen: number,
  overrides: RuntimeOverrides,
): Pick<EffectiveSettings, LimitName> {
  const onceFen = overrides.two_person_fen ?? inheritedFen;
  return {
    two_person_fen: onceFen,
    two_person_day_fen: overrides.two_person_day_fen ?? DAY_TIMES * onceFen,
    merchant_refund_max_fen: overrides.merchant_refund_max_fen ?? 0,
    merchant_refund_day_fen: overrides.merchant_refund_day_fen ?? 0,
  };
}

/** True for a string that names a setting. */
export function isRuntimeSettingName(value: unknown): value is RuntimeSettingName {
  return RUNTIME_SETTING_NAMES.some((name) => name === value);
}

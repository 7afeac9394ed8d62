// Reads the settings that operators set while everything runs.
import { limitsAmong, type MoneyLimits } from '../../domain/proposals/limits';
import {
  DEFAULT_LATE_PAYMENT,
  DEFAULT_SHARING_RECEIVERS,
  effectiveLimits,
  isRuntimeSettingName,
  type LatePaymentPolicy,
  type RuntimeOverrides,
  type RuntimeSettingName,
  type SharingReceivers,
} from '../../domain/settings/runtime-settings';
import { createCached, type Cached } from '../core/cache-value';
import type { DatabaseContext, SharingRules, Tx } from '../core/context';

/** One setting. Its value is null when the override was removed; its version still grows. */
export interface StoredSetting {
  readonly name: RuntimeSettingName;
  readonly value: RuntimeOverrides[RuntimeSettingName] | null;
  readonly version: number;
  readonly updatedBy: string;
  readonly updatedAt: Date;
}

type SettingsReader = Pick<Tx, '$queryRaw'>;

/** Settings that override the environment. Times are in ms. */
export function createRuntimeSettings({ prisma }: DatabaseContext) {
  return {
    /** Returns the overrides that are in force. */
    read: async (): Promise<RuntimeOverrides> => overridesIn(await readRows(prisma)),

    /** Lists every setting that was ever overridden. */
    list: (): Promise<StoredSetting[]> => readRows(prisma),
  };
}

/** How old the settings may be that a process uses. */
const MAX_AGE_MS = 3_000;

/** Reads the overrides every few seconds; while the database is down, keeps the last known ones. */
export function createSettingsProvider(
  settings: { readonly read: () => Promise<RuntimeOverrides> },
  now: () => number,
): Cached<RuntimeOverrides> {
  return createCached(() => settings.read(), { maxAgeMs: MAX_AGE_MS, now });
}

/** Reads in this transaction what happens to a late payment. */
export async function latePaymentPolicy(tx: Tx): Promise<LatePaymentPolicy> {
  return (await readOverrides(tx)).late_payment ?? DEFAULT_LATE_PAYMENT;
}

/** Reads in this transaction how payments are shared. */
export async function sharingRules(
  { sharing }: Pick<DatabaseContext, 'sharing'>,
  tx: Tx,
): Promise<SharingRules & { readonly receivers: SharingReceivers }> {
  const set = await readOverrides(tx);
  return {
    receivers: set.sharing_receivers ?? DEFAULT_SHARING_RECEIVERS,
    ratioPercent: set.sharing_ratio ?? sharing.ratioPercent,
    delayMs: set.sharing_delay ?? sharing.delayMs,
    unfreezeAfterMs: set.unfreeze_after ?? sharing.unfreezeAfterMs,
  };
}

/** Reads in this transaction what one person may move alone, and the bounds of merchant keys. */
export async function moneyLimits(
  { twoPersonFen }: Pick<DatabaseContext, 'twoPersonFen'>,
  tx: Tx,
): Promise<MoneyLimits> {
  return limitsAmong(effectiveLimits(twoPersonFen, await readOverrides(tx)));
}

/** Reads in this transaction the overrides that are in force. */
export const readOverrides = async (tx: Tx): Promise<RuntimeOverrides> =>
  overridesIn(await readRows(tx));

/** Only change-setting.ts writes the rows, so each value has the type of its name. */
export function overridesIn(rows: readonly StoredSetting[]): RuntimeOverrides {
  const set = rows.filter(({ value }) => value !== null);
  return Object.fromEntries(set.map(({ name, value }) => [name, value]));
}

async function readRows(client: SettingsReader): Promise<StoredSetting[]> {
  const rows = await client.$queryRaw<StoredSetting[]>`
    SELECT name, value, version, updated_by AS "updatedBy", updated_at AS "updatedAt"
    FROM runtime_settings ORDER BY name`;
  return rows.filter(({ name }) => isRuntimeSettingName(name));
}

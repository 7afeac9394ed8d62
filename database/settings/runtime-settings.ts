// Reads and changes the settings that operators set while everything runs.
import {
  DEFAULT_LATE_PAYMENT,
  DEFAULT_SHARING_RECEIVERS,
  isRuntimeSettingName,
  type LatePaymentPolicy,
  type RuntimeOverrides,
  type RuntimeSettingName,
  type SharingReceivers,
} from '../../domain/settings/runtime-settings';
import { audit } from '../core/write-audit';
import { createCached, type Cached } from '../core/cache-value';
import type { Actor, DatabaseContext, SharingRules, Tx } from '../core/context';

/** One setting. Its value is null when the override was removed; its version still grows. */
export interface StoredSetting {
  readonly name: RuntimeSettingName;
  readonly value: RuntimeOverrides[RuntimeSettingName] | null;
  readonly version: number;
  readonly updatedBy: string;
  readonly updatedAt: Date;
}

/** The result of a change. */
export type SettingChange =
  | { readonly kind: 'ok'; readonly setting: StoredSetting }
  | { readonly kind: 'version_conflict'; readonly version: number };

export interface NewSetting {
  /** null removes the override. */
  readonly value: StoredSetting['value'];
  /** The version that the caller has read; null replaces whichever version is there. */
  readonly expectedVersion: number | null;
  readonly actor: Actor;
}

type SettingsReader = Pick<Tx, '$queryRaw'>;

/**
 * Settings that override the environment. Times are in ms. The api checks values before it writes
 * them.
 */
export function createRuntimeSettings(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /** Returns the overrides that are in force. */
    read: async (): Promise<RuntimeOverrides> => toOverrides(await readRows(prisma)),

    /** Lists every setting that was ever overridden. */
    list: (): Promise<StoredSetting[]> => readRows(prisma),

    /**
     * Overrides a setting, or removes the override.
     * @returns `version_conflict`, and nothing changed, when the setting has another version
     */
    put: (name: RuntimeSettingName, change: NewSetting): Promise<SettingChange> =>
      putSetting(context, name, change),
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
  return toOverrides(await readRows(tx)).late_payment ?? DEFAULT_LATE_PAYMENT;
}

/** Reads in this transaction how payments are shared. */
export async function sharingRules(
  { sharing }: Pick<DatabaseContext, 'sharing'>,
  tx: Tx,
): Promise<SharingRules & { readonly receivers: SharingReceivers }> {
  const set = toOverrides(await readRows(tx));
  return {
    receivers: set.sharing_receivers ?? DEFAULT_SHARING_RECEIVERS,
    ratioPercent: set.sharing_ratio ?? sharing.ratioPercent,
    delayMs: set.sharing_delay ?? sharing.delayMs,
    unfreezeAfterMs: set.unfreeze_after ?? sharing.unfreezeAfterMs,
  };
}

/** Only {@link putSetting} writes the rows, so each value has the type of its name. */
function toOverrides(rows: readonly StoredSetting[]): RuntimeOverrides {
  const set = rows.filter(({ value }) => value !== null);
  return Object.fromEntries(set.map(({ name, value }) => [name, value]));
}

async function readRows(client: SettingsReader): Promise<StoredSetting[]> {
  const rows = await client.$queryRaw<StoredSetting[]>`
    SELECT name, value, version, updated_by AS "updatedBy", updated_at AS "updatedAt"
    FROM runtime_settings ORDER BY name`;
  return rows.filter(({ name }) => isRuntimeSettingName(name));
}

function putSetting(
  { prisma }: DatabaseContext,
  name: RuntimeSettingName,
  { value, expectedVersion, actor }: NewSetting,
): Promise<SettingChange> {
  const json = JSON.stringify(value);
  return prisma
    .$transaction(async (tx): Promise<SettingChange> => {
      // Insert the row first, so that two first changes of a setting wait for each other.
      await tx.$executeRaw`
      INSERT INTO runtime_settings (name, value, version, updated_by)
      VALUES (${name}, 'null'::jsonb, 0, ${actor.name}) ON CONFLICT (name) DO NOTHING`;
      const [before] = await tx.$queryRaw<Pick<StoredSetting, 'value' | 'version'>[]>`
      SELECT value, version FROM runtime_settings WHERE name = ${name} FOR UPDATE`;
      const version = before?.version ?? 0;
      if (expectedVersion !== null && expectedVersion !== version) {
        throw new VersionConflict(version);
      }
      const [setting] = await tx.$queryRaw<StoredSetting[]>`
      UPDATE runtime_settings SET value = ${json}::jsonb, version = version + 1,
        updated_by = ${actor.name}, updated_at = now()
      WHERE name = ${name}
      RETURNING name, value, version, updated_by AS "updatedBy", updated_at AS "updatedAt"`;
      if (!setting) throw new Error(`The setting ${name} was not written`);
      await audit(tx, actor, {
        action: 'setting.put',
        subject: name,
        details: {
          before: { value: before?.value ?? null, version },
          after: { value, version: setting.version },
        },
      });
      return { kind: 'ok', setting };
    })
    .catch((error: unknown): SettingChange => {
      if (error instanceof VersionConflict)
        return { kind: 'version_conflict', version: error.version };
      throw error;
    });
}

/** Rolls the transaction back: a row that was inserted only to be locked must not stay. */
class VersionConflict extends Error {
  readonly version: number;
  constructor(version: number) {
    super('version conflict');
    this.version = version;
  }
}

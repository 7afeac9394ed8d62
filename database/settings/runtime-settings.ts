import {
  DEFAULT_LATE_PAYMENT,
  isRuntimeSettingName,
  type LatePaymentPolicy,
  type RuntimeOverrides,
  type RuntimeSettingName,
} from '../../domain/settings/runtime-settings';
import { audit } from '../core/write-audit';
import { createCached, type Cached } from '../core/cache-value';
import type { Actor, DatabaseContext, SharingRules, Tx } from '../core/context';

/** One row; a value of null is an override that was taken away, so that versions only grow. */
export interface StoredSetting {
  readonly name: RuntimeSettingName;
  readonly value: RuntimeOverrides[RuntimeSettingName] | null;
  readonly version: number;
  readonly updatedBy: string;
  readonly updatedAt: Date;
}

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

/** What operators set in place of the environment: times in ms, checked before they are written. */
export function createRuntimeSettings(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /** The overrides that are in force. */
    read: async (): Promise<RuntimeOverrides> => toOverrides(await readRows(prisma)),

    /** Every setting that was ever overridden. */
    list: (): Promise<StoredSetting[]> => readRows(prisma),

    /**
     * Overrides a setting, or removes the override.
     * @returns `version_conflict`, and nothing changed, when the setting has another version
     */
    put: (name: RuntimeSettingName, change: NewSetting): Promise<SettingChange> =>
      putSetting(context, name, change),
  };
}

/** How old the settings may be that a process goes by. */
const MAX_AGE_MS = 3_000;

/** The overrides as a process goes by them: read every few seconds, the last known while it can't. */
export function createSettingsProvider(
  settings: { readonly read: () => Promise<RuntimeOverrides> },
  now: () => number,
): Cached<RuntimeOverrides> {
  return createCached(() => settings.read(), { maxAgeMs: MAX_AGE_MS, now });
}

/** What happens to a late payment, as it stands in this transaction. */
export async function latePaymentPolicy(tx: Tx): Promise<LatePaymentPolicy> {
  return toOverrides(await readRows(tx)).late_payment ?? DEFAULT_LATE_PAYMENT;
}

/** How payments are shared, as it stands in this transaction. */
export async function sharingRules(
  { sharing }: Pick<DatabaseContext, 'sharing'>,
  tx: Tx,
): Promise<SharingRules> {
  const set = toOverrides(await readRows(tx));
  return {
    ratioPercent: set.sharing_ratio ?? sharing.ratioPercent,
    delayMs: set.sharing_delay ?? sharing.delayMs,
    unfreezeAfterMs: set.unfreeze_after ?? sharing.unfreezeAfterMs,
  };
}

/** What nobody wrote but {@link putSetting} is of the type its name says. */
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
      // The row is made first, so that two who set it for the first time wait for each other.
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

/** Undoes the transaction: a row that was only made to be locked must not stay. */
class VersionConflict extends Error {
  readonly version: number;
  constructor(version: number) {
    super('version conflict');
    this.version = version;
  }
}

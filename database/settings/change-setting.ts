// Changes a setting: one person does, or two where the change lets more money move.
import { widenedSettings } from '../../domain/proposals/widening';
import {
  effectiveSettings,
  type InheritedSettings,
  type RuntimeSettingName,
} from '../../domain/settings/runtime-settings';
import { audit } from '../core/write-audit';
import type { DatabaseContext, Tx } from '../core/context';
import type { TxScope } from '../core/tx-scope';
import { keptRequestOf, type NewProposal, type Submission } from '../proposals/proposal-row';
import {
  endApproved,
  matchProposal,
  propose,
  type ApprovalRefusal,
} from '../proposals/two-persons';
import { readOverrides, type StoredSetting } from './runtime-settings';

/** The result of a change. */
export type SettingChange =
  | { readonly kind: 'ok'; readonly setting: StoredSetting }
  | { readonly kind: 'version_conflict'; readonly version: number }
  /** A second person has to request the same; nothing is changed. */
  | { readonly kind: 'proposed'; readonly proposal: NewProposal }
  | { readonly kind: 'refused'; readonly code: ApprovalRefusal };

export interface NewSetting extends Submission {
  /** null removes the override. */
  readonly value: StoredSetting['value'];
  /** The version that the caller has read; null replaces whichever version is there. */
  readonly expectedVersion: number | null;
  /** The values without overrides, from the environment. */
  readonly inherited: InheritedSettings;
  /** The body of the request: a proposal keeps it. */
  readonly body: { readonly value: string | null };
}

/** Changes of settings. The api checks values before it writes them. */
export function createSettingChanges(context: DatabaseContext) {
  return {
    /**
     * Overrides a setting, or removes the override. A change that lets more money move becomes a
     * proposal.
     * @returns `version_conflict`, and nothing changed, when the setting has another version
     */
    put: (name: RuntimeSettingName, change: NewSetting, nowMs: number): Promise<SettingChange> =>
      context.prisma
        .$transaction((tx) => changeSetting(context, { tx, now: new Date(nowMs) }, name, change))
        .catch((error: unknown): SettingChange => {
          if (!(error instanceof VersionConflict)) throw error;
          return { kind: 'version_conflict', version: error.version };
        }),
  };
}

async function changeSetting(
  context: DatabaseContext,
  scope: TxScope,
  name: RuntimeSettingName,
  change: NewSetting,
): Promise<SettingChange> {
  const { tx } = scope;
  const { value, expectedVersion, actor, body } = change;
  const request = {
    action: 'setting',
    subject: name,
    amountFen: null,
    content: [value],
    body,
    shown: { value: body.value },
  } as const;
  const match = await matchProposal(context, scope, change, request);
  if (match.kind === 'proposed' || match.kind === 'refused') return match;
  await tx.$executeRaw`SAVEPOINT changed_setting`;
  const before = await lockSetting(tx, name, actor.name);
  requireVersion(before, expectedVersion);
  if (match.kind === 'approved') {
    const kept = keptRequestOf(context, match.proposal).body as { readonly version?: number };
    requireVersion(before, kept.version ?? null);
    await endApproved(context, scope, match.proposal, { submission: change });
  } else if (await widens(tx, name, change)) {
    // The row that was inserted only to be locked must not stay.
    await tx.$executeRaw`ROLLBACK TO SAVEPOINT changed_setting`;
    const { replaces } = match;
    return {
      kind: 'proposed',
      proposal: await propose(context, scope, { actor, request, replaces }),
    };
  }
  return { kind: 'ok', setting: await writeSetting(tx, name, change, before) };
}

type LockedSetting = Pick<StoredSetting, 'value' | 'version'>;

/** Inserts the row first, so that two first changes of a setting wait for each other. */
async function lockSetting(tx: Tx, name: RuntimeSettingName, by: string): Promise<LockedSetting> {
  await tx.$executeRaw`
    INSERT INTO runtime_settings (name, value, version, updated_by)
    VALUES (${name}, 'null'::jsonb, 0, ${by}) ON CONFLICT (name) DO NOTHING`;
  const [row] = await tx.$queryRaw<LockedSetting[]>`
    SELECT value, version FROM runtime_settings WHERE name = ${name} FOR UPDATE`;
  return row ?? { value: null, version: 0 };
}

function requireVersion({ version }: LockedSetting, expected: number | null): void {
  if (expected !== null && expected !== version) throw new VersionConflict(version);
}

/** True when the values in force after the change let more money move than those before it. */
async function widens(
  tx: Tx,
  name: RuntimeSettingName,
  { value, inherited }: NewSetting,
): Promise<boolean> {
  const overrides = await readOverrides(tx);
  const { [name]: _replaced, ...others } = overrides;
  const before = effectiveSettings(inherited, overrides);
  const after = effectiveSettings(
    inherited,
    value === null ? others : { ...others, [name]: value },
  );
  return widenedSettings(before, after).length > 0;
}

async function writeSetting(
  tx: Tx,
  name: RuntimeSettingName,
  { value, actor }: NewSetting,
  before: LockedSetting,
): Promise<StoredSetting> {
  const [setting] = await tx.$queryRaw<StoredSetting[]>`
    UPDATE runtime_settings SET value = ${JSON.stringify(value)}::jsonb, version = version + 1,
      updated_by = ${actor.name}, updated_at = now()
    WHERE name = ${name}
    RETURNING name, value, version, updated_by AS "updatedBy", updated_at AS "updatedAt"`;
  if (!setting) throw new Error(`The setting ${name} was not written`);
  await audit(tx, actor, {
    action: 'setting.put',
    subject: name,
    details: { before, after: { value, version: setting.version } },
  });
  return setting;
}

/** Rolls the transaction back: a row that was inserted only to be locked must not stay. */
class VersionConflict extends Error {
  readonly version: number;
  constructor(version: number) {
    super('version conflict');
    this.version = version;
  }
}

// The routes of the settings that can be changed while Oncepay runs.
import { z } from 'zod';
import { formatDuration } from '../../config/durations';
import * as field from '../../config/fields';
import type { Settings } from '../../config/settings';
import type { Database } from '../../database/database';
import type { Submission } from '../../database/proposals/proposal-row';
import { overridesIn, type StoredSetting } from '../../database/settings/runtime-settings';
import type { Role } from '../../config/fields';
import {
  DEFAULT_KEPT_MS,
  DEFAULT_LATE_PAYMENT,
  DEFAULT_SHARING_RECEIVERS,
  effectiveSettings,
  isRuntimeSettingName,
  LATE_PAYMENT_POLICIES,
  RUNTIME_SETTING_NAMES,
  SHARING_RECEIVERS,
  type InheritedSettings,
  type RuntimeOverrides,
  type RuntimeSettingName,
} from '../../domain/settings/runtime-settings';
import { inTime } from '../http/deadline';
import { ALL_ROLES, operation, type Operation, type Reply } from '../http/operations';
import { ApiError, versionConflict } from '../http/problem';
import { parse } from '../http/validation';
import type { Approvable } from '../proposals/approvable';
import { notApproved, orProposed, proposedReplyOf } from '../proposals/replies';
import { settingListReply, settingReply } from './replies';
import { settingBody } from './schemas';

export interface SettingRouteDeps {
  readonly database: Pick<Database, 'settings'>;
  readonly settings: EnvironmentSettings;
  /** Makes this process read the new value at once; other processes read it within seconds. */
  readonly forget: () => void;
  readonly now: () => number;
}

type EnvironmentSettings = Pick<
  Settings,
  | 'paymentWindowMs'
  | 'queryGapsMs'
  | 'refundSpacingMs'
  | 'patrolIntervalMs'
  | 'sharing'
  | 'twoPersonFen'
  | 'given'
>;

/** The schema of each setting's text, with the same checks as for the environment. */
const VALUES = {
  payment_window: field.paymentWindow,
  query_schedule: field.durations,
  refund_spacing: field.refundSpacing,
  patrol_interval: field.patrolInterval,
  sharing_ratio: field.percent,
  sharing_delay: field.sharingDelay,
  unfreeze_after: field.unfreezeAfter,
  sharing_receivers: z.enum(SHARING_RECEIVERS, 'must be known or any'),
  late_payment: z.enum(LATE_PAYMENT_POLICIES, 'must be refund or ask'),
  keep_callback_bodies: field.keptTime,
  keep_idempotency_keys: field.keptTime,
  keep_delivery_logs: field.keptTime,
  two_person_fen: field.fenLimit,
  two_person_day_fen: field.fenLimit,
  merchant_refund_max_fen: field.fenLimit,
  merchant_refund_day_fen: field.fenLimit,
  reconcile_foreign_prefixes: field.numberPrefixes,
} as const satisfies Record<RuntimeSettingName, z.ZodType>;

const settingPath = z.object({ name: z.string() });

const CHANGING_ROLES: readonly Role[] = ['admin'];

/**
 * Makes the operations on settings. An override takes the place of the environment's value, without
 * a restart.
 */
export function settingOperations(deps: SettingRouteDeps): Operation[] {
  const { database } = deps;
  return [
    operation({
      id: 'listSettings',
      method: 'get',
      path: '/v1/settings',
      summary: 'Lists the settings that can be changed at runtime',
      roles: ALL_ROLES,
      reply: settingListReply,
      replies: { 200: 'All settings that can be changed at runtime' },
      handle: async () => {
        const rows = await inTime(database.settings.list());
        const data = RUNTIME_SETTING_NAMES.map((name) => render(deps, name, rows));
        return { status: 200, body: { data } };
      },
    }),
    operation({
      id: 'getSetting',
      method: 'get',
      path: '/v1/settings/:name',
      summary: 'Reads a setting and the source of its value',
      roles: ALL_ROLES,
      params: settingPath,
      reply: settingReply,
      replies: { 200: 'The setting', 404: 'There is no setting with this name' },
      handle: async ({ params }) => {
        const name = nameOf(params.name);
        const rows = await inTime(database.settings.list());
        return { status: 200, body: render(deps, name, rows) };
      },
    }),
    operation({
      id: 'putSetting',
      method: 'put',
      path: '/v1/settings/:name',
      summary: 'Overrides a setting; null removes the override',
      roles: CHANGING_ROLES,
      params: settingPath,
      body: settingBody,
      reply: orProposed(settingReply),
      replies: {
        200: 'The setting',
        202: 'The value lets more money move: a second person has to approve the proposal',
        404: 'There is no setting with this name',
        409: 'This version is no longer the current one',
      },
      handle: ({ params, body, caller }) =>
        putSetting(deps, params.name, body, { actor: caller, approves: null }),
    }),
  ];
}

/** The approval of a change that was proposed. */
export function settingApproval(deps: SettingRouteDeps): Approvable {
  return {
    roles: CHANGING_ROLES,
    reply: settingReply,
    approve: ({ id, subject, body, note }, caller) =>
      putSetting(deps, subject, parse(settingBody, body), { actor: caller, approves: id, note }),
  };
}

async function putSetting(
  deps: SettingRouteDeps,
  given: string,
  body: z.output<typeof settingBody>,
  submission: Submission,
): Promise<Reply> {
  const name = nameOf(given);
  const { value: text, version } = body;
  const value =
    text === null ? null : parse(z.object({ value: VALUES[name] }), { value: text }).value;
  const { settings } = deps.database;
  const change = await inTime(
    settings.put(
      name,
      {
        ...submission,
        value,
        expectedVersion: version ?? null,
        inherited: inherited(deps.settings),
        body,
      },
      deps.now(),
    ),
  );
  if (change.kind === 'proposed') return proposedReplyOf(change.proposal);
  if (change.kind === 'refused') throw notApproved(change.code);
  if (change.kind === 'version_conflict') {
    throw versionConflict('setting', change.version);
  }
  deps.forget();
  return { status: 200, body: render(deps, name, await inTime(settings.list())) };
}

/** @throws ApiError 404 */
function nameOf(name: string): RuntimeSettingName {
  if (isRuntimeSettingName(name)) return name;
  const detail = `There is no setting ${name.slice(0, 64)}; GET /v1/settings lists them`;
  throw new ApiError('NOT_FOUND', detail);
}

function render(
  { settings }: SettingRouteDeps,
  name: RuntimeSettingName,
  rows: readonly StoredSetting[],
): z.output<typeof settingReply> {
  const row = rows.find((one) => one.name === name);
  const override = row?.value ?? null;
  const source = settings.given.includes(name) ? 'environment' : 'default';
  return {
    name,
    value: toText(name, effectiveSettings(inherited(settings), overridesIn(rows))[name]),
    source: override === null ? source : 'override',
    version: row?.version ?? 0,
    updated_by: row?.updatedBy ?? null,
    updated_at: row?.updatedAt.toISOString() ?? null,
  };
}

/** The values without overrides: from the environment, else the defaults. */
function inherited(settings: EnvironmentSettings): InheritedSettings {
  return {
    payment_window: settings.paymentWindowMs,
    query_schedule: settings.queryGapsMs,
    refund_spacing: settings.refundSpacingMs,
    patrol_interval: settings.patrolIntervalMs,
    sharing_ratio: settings.sharing.ratioPercent,
    sharing_delay: settings.sharing.delayMs,
    unfreeze_after: settings.sharing.unfreezeAfterMs,
    sharing_receivers: DEFAULT_SHARING_RECEIVERS,
    late_payment: DEFAULT_LATE_PAYMENT,
    two_person_fen: settings.twoPersonFen,
    reconcile_foreign_prefixes: [],
    ...DEFAULT_KEPT_MS,
  };
}

/** Writes a value as the text that a PUT accepts. */
function toText(
  name: RuntimeSettingName,
  value: NonNullable<RuntimeOverrides[RuntimeSettingName]>,
): string {
  if (name.endsWith('_fen')) return String(value);
  if (name === 'sharing_ratio') return `${String(value)}%`;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatDuration(value);
  return value.map((one) => (typeof one === 'number' ? formatDuration(one) : one)).join(',');
}

import { z } from 'zod';
import { formatDuration } from '../../config/durations';
import * as field from '../../config/fields';
import type { Settings } from '../../config/settings';
import type { Database } from '../../database/database';
import type { StoredSetting } from '../../database/settings/runtime-settings';
import {
  DEFAULT_KEPT_MS,
  DEFAULT_LATE_PAYMENT,
  isRuntimeSettingName,
  LATE_PAYMENT_POLICIES,
  RUNTIME_SETTING_NAMES,
  type RuntimeOverrides,
  type RuntimeSettingName,
} from '../../domain/settings/runtime-settings';
import { inTime } from '../http/deadline';
import { ApiError } from '../http/problem';
import { parse } from '../http/validation';
import { ALL_ROLES, type Call, type Operation, type Reply } from '../http/operations';
import { settingListReply } from './schemas';
import { settingReply } from './schemas';
import { settingBody } from './schemas';

export interface SettingRouteDeps {
  readonly database: Pick<Database, 'settings'>;
  readonly settings: EnvironmentTimes;
  /** This process goes by the new value at once; others within seconds. */
  readonly forget: () => void;
}

type EnvironmentTimes = Pick<
  Settings,
  'paymentWindowMs' | 'queryGapsMs' | 'refundSpacingMs' | 'patrolIntervalMs' | 'sharing' | 'given'
>;

/** How the text of each setting is read; the same checks as for the environment. */
const VALUES = {
  payment_window: field.paymentWindow,
  query_schedule: field.durations,
  refund_spacing: field.refundSpacing,
  patrol_interval: field.patrolInterval,
  sharing_ratio: field.percent,
  sharing_delay: field.sharingDelay,
  unfreeze_after: field.unfreezeAfter,
  late_payment: z.enum(LATE_PAYMENT_POLICIES, 'must be refund or ask'),
  keep_callback_bodies: field.keptTime,
  keep_idempotency_keys: field.keptTime,
  keep_delivery_logs: field.keptTime,
} as const satisfies Record<RuntimeSettingName, z.ZodType>;

/** What the environment says, unless somebody overrides it while everything runs. */
export function settingOperations(deps: SettingRouteDeps): Operation[] {
  const { database } = deps;
  return [
    {
      id: 'listSettings',
      method: 'get',
      path: '/v1/settings',
      summary: 'The settings that can be changed while everything runs',
      roles: ALL_ROLES,
      reply: settingListReply,
      replies: { 200: 'All of them' },
      handle: async () => {
        const rows = await inTime(database.settings.list());
        const data = RUNTIME_SETTING_NAMES.map((name) => render(deps, name, rows));
        return { status: 200, body: { data } };
      },
    },
    {
      id: 'getSetting',
      method: 'get',
      path: '/v1/settings/:name',
      summary: 'A setting, and where its value comes from',
      roles: ALL_ROLES,
      reply: settingReply,
      replies: { 200: 'The setting', 404: 'No such setting' },
      handle: async (call) => {
        const name = nameOf(call);
        const rows = await inTime(database.settings.list());
        return { status: 200, body: render(deps, name, rows) };
      },
    },
    {
      id: 'putSetting',
      method: 'put',
      path: '/v1/settings/:name',
      summary: 'Overrides a setting, or, with null, goes back to the environment',
      roles: ['admin'],
      body: settingBody,
      reply: settingReply,
      replies: { 200: 'The setting', 404: 'No such setting', 409: 'Not this version any more' },
      handle: (call) => putSetting(deps, call),
    },
  ];
}

async function putSetting(deps: SettingRouteDeps, call: Call): Promise<Reply> {
  const name = nameOf(call);
  const { value: text, version } = call.body as z.output<typeof settingBody>;
  const value =
    text === null ? null : parse(z.object({ value: VALUES[name] }), { value: text }).value;
  const { settings } = deps.database;
  const change = await inTime(
    settings.put(name, { value, expectedVersion: version ?? null, actor: call.caller }),
  );
  if (change.kind === 'version_conflict') {
    throw new ApiError('VERSION_CONFLICT', `The setting has version ${change.version} now`, {
      errors: [{ field: 'version', message: 'is not the current one' }],
    });
  }
  deps.forget();
  return { status: 200, body: render(deps, name, [change.setting]) };
}

/** @throws ApiError 404 */
function nameOf(call: Call): RuntimeSettingName {
  const name = call.params['name'];
  if (isRuntimeSettingName(name)) return name;
  throw new ApiError('NOT_FOUND', `There is no setting ${(name ?? '').slice(0, 64)}`);
}

function render(
  { settings }: SettingRouteDeps,
  name: RuntimeSettingName,
  rows: readonly StoredSetting[],
): z.output<typeof settingReply> {
  const row = rows.find((one) => one.name === name);
  const override = row?.value ?? null;
  const inherited = settings.given.includes(name) ? 'environment' : 'default';
  return {
    name,
    value: toText(name, override ?? inEnvironment(settings)[name]),
    source: override === null ? inherited : 'override',
    version: row?.version ?? 0,
    updated_by: row?.updatedBy ?? null,
    updated_at: row?.updatedAt.toISOString() ?? null,
  };
}

function inEnvironment(settings: EnvironmentTimes): Required<RuntimeOverrides> {
  return {
    payment_window: settings.paymentWindowMs,
    query_schedule: settings.queryGapsMs,
    refund_spacing: settings.refundSpacingMs,
    patrol_interval: settings.patrolIntervalMs,
    sharing_ratio: settings.sharing.ratioPercent,
    sharing_delay: settings.sharing.delayMs,
    unfreeze_after: settings.sharing.unfreezeAfterMs,
    late_payment: DEFAULT_LATE_PAYMENT,
    ...DEFAULT_KEPT_MS,
  };
}

function toText(
  name: RuntimeSettingName,
  value: NonNullable<RuntimeOverrides[RuntimeSettingName]>,
): string {
  if (name === 'sharing_ratio') return `${String(value)}%`;
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatDuration(value);
  return value.map(formatDuration).join(',');
}

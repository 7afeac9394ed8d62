// Makes changes that need two persons, in tests that are about something else.
import type { Database } from '../../../database/database';
import type { NewSetting } from '../../../database/settings/change-setting';
import type { RetryOperation, RetryPolicy } from '../../../domain/retries/retry-policy';
import {
  DEFAULT_KEPT_MS,
  DEFAULT_LATE_PAYMENT,
  DEFAULT_SHARING_RECEIVERS,
  type InheritedSettings,
  type RuntimeSettingName,
} from '../../../domain/settings/runtime-settings';

/** The values of an environment that sets nothing. */
export const INHERITED: InheritedSettings = {
  payment_window: 1_800_000,
  query_schedule: [30_000, 60_000],
  refund_spacing: 60_000,
  patrol_interval: 300_000,
  sharing_ratio: 30,
  sharing_delay: 60_000,
  unfreeze_after: 29 * 24 * 3_600_000,
  sharing_receivers: DEFAULT_SHARING_RECEIVERS,
  late_payment: DEFAULT_LATE_PAYMENT,
  ...DEFAULT_KEPT_MS,
  two_person_fen: 100_000,
  reconcile_foreign_prefixes: [],
};

export const admin = (name: string) => ({ name, role: 'admin' });

/** Requests the same as two persons, where one is not enough. */
export async function byTwo<T extends { readonly kind: string }>(
  request: (name: string) => Promise<T>,
): Promise<T> {
  const first = await request('first');
  return first.kind === 'proposed' ? request('second') : first;
}

/** Replaces a policy. */
export const putPolicy = (
  { policies }: Pick<Database, 'policies'>,
  operation: RetryOperation,
  policy: RetryPolicy,
) =>
  byTwo((name) =>
    policies.put(
      operation,
      { policy, expectedVersion: null, actor: admin(name), approves: null },
      Date.now(),
    ),
  );

/** Changes a setting as one person. */
export const putAlone = (
  { settings }: Pick<Database, 'settings'>,
  name: RuntimeSettingName,
  change: Partial<NewSetting> & Pick<NewSetting, 'value'>,
  nowMs = Date.now(),
) =>
  settings.put(
    name,
    {
      expectedVersion: null,
      inherited: INHERITED,
      body: { value: JSON.stringify(change.value) },
      actor: admin('first'),
      approves: null,
      ...change,
    },
    nowMs,
  );

/** Changes a setting. */
export const putSetting = (
  database: Pick<Database, 'settings'>,
  name: RuntimeSettingName,
  value: NewSetting['value'],
) => byTwo((by) => putAlone(database, name, { value, actor: admin(by) }));

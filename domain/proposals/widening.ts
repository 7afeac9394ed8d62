// Decides whether a change of a setting lets more money move, or hides more of what moved.
// Sandbox: deterministic only.
import {
  RUNTIME_SETTING_NAMES,
  type EffectiveSettings,
  type RuntimeSettingName,
} from '../settings/runtime-settings';
import { SETTINGS } from './who-decides';

/** Queries closer together than this flood WeChat, which then refuses all of them. */
const SHORTEST_GAP_MS = 1_000;

type Widens = { readonly [N in RuntimeSettingName]?: Compare<EffectiveSettings[N]> };
type Compare<T> = (before: T, after: T) => boolean;

const isMore: Compare<number> = (before, after) => after > before;
const isLess: Compare<number> = (before, after) => after < before;
/** 0 is no limit at all. */
const isLooserLimit: Compare<number> = (before, after) =>
  before !== 0 && (after === 0 || after > before);

/** True when a number becomes foreign that no prefix named before. */
function hidesMore(before: readonly string[], after: readonly string[]): boolean {
  return after.some((prefix) => !before.some((one) => prefix.startsWith(one)));
}

/** When a setting that {@link SETTINGS} calls `widening` allows more than before. */
const WIDENS: Widens = {
  query_schedule: (before, after) =>
    after.some((ms) => ms < SHORTEST_GAP_MS) && after.join() !== before.join(),
  patrol_interval: isMore,
  sharing_ratio: isMore,
  sharing_receivers: (before, after) => before !== 'any' && after === 'any',
  keep_callback_bodies: isLess,
  keep_idempotency_keys: isLess,
  keep_delivery_logs: isLess,
  two_person_fen: isMore,
  two_person_day_fen: isMore,
  merchant_refund_max_fen: isLooserLimit,
  merchant_refund_day_fen: isLooserLimit,
  reconcile_foreign_prefixes: hidesMore,
};

/**
 * The settings that need two persons for a change, judged by the values in force: also where one
 * setting changes another, or where an override is removed.
 */
export function widenedSettings(
  before: EffectiveSettings,
  after: EffectiveSettings,
): RuntimeSettingName[] {
  return RUNTIME_SETTING_NAMES.filter((name) => isWidened(name, before, after));
}

function isWidened(
  name: RuntimeSettingName,
  before: EffectiveSettings,
  after: EffectiveSettings,
): boolean {
  switch (SETTINGS[name]) {
    case 'free':
      return false;
    case 'any change':
      return String(before[name]) !== String(after[name]);
    case 'widening': {
      // The rule of a setting compares its own values.
      const widens = WIDENS[name] as Compare<unknown> | undefined;
      if (!widens) throw new Error(`No rule says when ${name} is widened`);
      return widens(before[name], after[name]);
    }
  }
}

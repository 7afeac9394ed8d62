// When a change of a setting needs two persons.
import { widenedSettings } from '../../../domain/proposals/widening';
import {
  DEFAULT_KEPT_MS,
  effectiveSettings,
  type InheritedSettings,
  type RuntimeOverrides,
  type RuntimeSettingName,
} from '../../../domain/settings/runtime-settings';

const DAY_MS = 24 * 3_600_000;
const INHERITED: InheritedSettings = {
  payment_window: 1_800_000,
  query_schedule: [30_000, 60_000],
  refund_spacing: 60_000,
  patrol_interval: 300_000,
  sharing_ratio: 30,
  sharing_delay: 60_000,
  unfreeze_after: 29 * DAY_MS,
  sharing_receivers: 'known',
  late_payment: 'refund',
  ...DEFAULT_KEPT_MS,
  two_person_fen: 100_000,
  reconcile_foreign_prefixes: [],
};

const widened = (before: RuntimeOverrides, after: RuntimeOverrides) =>
  widenedSettings(effectiveSettings(INHERITED, before), effectiveSettings(INHERITED, after));

test.each<[RuntimeSettingName, RuntimeOverrides, RuntimeOverrides, boolean]>([
  ['sharing_ratio', {}, { sharing_ratio: 31 }, true],
  ['sharing_ratio', {}, { sharing_ratio: 29 }, false],
  ['sharing_ratio', { sharing_ratio: 10 }, {}, true],
  ['sharing_ratio', { sharing_ratio: 50 }, {}, false],
  ['two_person_fen', {}, { two_person_fen: 100_001 }, true],
  ['two_person_fen', {}, { two_person_fen: 0 }, false],
  ['two_person_fen', { two_person_fen: 0 }, {}, true],
  ['two_person_day_fen', {}, { two_person_day_fen: 1_000_001 }, true],
  ['two_person_day_fen', {}, { two_person_day_fen: 1_000_000 }, false],
  ['two_person_day_fen', { two_person_day_fen: 5 }, {}, true],
  ['two_person_day_fen', {}, { two_person_fen: 200_000 }, true],
  ['merchant_refund_max_fen', {}, { merchant_refund_max_fen: 5 }, false],
  ['merchant_refund_max_fen', { merchant_refund_max_fen: 5 }, { merchant_refund_max_fen: 6 }, true],
  [
    'merchant_refund_max_fen',
    { merchant_refund_max_fen: 5 },
    { merchant_refund_max_fen: 4 },
    false,
  ],
  ['merchant_refund_max_fen', { merchant_refund_max_fen: 5 }, { merchant_refund_max_fen: 0 }, true],
  ['merchant_refund_max_fen', { merchant_refund_max_fen: 5 }, {}, true],
  ['merchant_refund_day_fen', { merchant_refund_day_fen: 5 }, {}, true],
  ['reconcile_foreign_prefixes', {}, { reconcile_foreign_prefixes: ['POS'] }, true],
  [
    'reconcile_foreign_prefixes',
    { reconcile_foreign_prefixes: ['POS'] },
    { reconcile_foreign_prefixes: ['POS-1'] },
    false,
  ],
  ['reconcile_foreign_prefixes', { reconcile_foreign_prefixes: ['POS'] }, {}, false],
  ['keep_idempotency_keys', {}, { keep_idempotency_keys: DAY_MS }, true],
  ['keep_callback_bodies', {}, { keep_callback_bodies: 89 * DAY_MS }, true],
  ['keep_delivery_logs', {}, { keep_delivery_logs: 31 * DAY_MS }, false],
  ['keep_delivery_logs', { keep_delivery_logs: 40 * DAY_MS }, {}, true],
  ['patrol_interval', {}, { patrol_interval: DAY_MS }, true],
  ['patrol_interval', {}, { patrol_interval: 1_000 }, false],
  ['query_schedule', {}, { query_schedule: [30_000, 999] }, true],
  ['query_schedule', {}, { query_schedule: [1_000] }, false],
  ['query_schedule', { query_schedule: [1] }, { query_schedule: [1] }, false],
  ['query_schedule', { query_schedule: [1] }, {}, false],
  ['late_payment', {}, { late_payment: 'ask' }, true],
  ['late_payment', { late_payment: 'ask' }, {}, true],
  ['late_payment', {}, { late_payment: 'refund' }, false],
  ['payment_window', {}, { payment_window: 1_000 }, false],
  ['refund_spacing', {}, { refund_spacing: 0 }, false],
  ['sharing_delay', {}, { sharing_delay: 0 }, false],
  ['unfreeze_after', {}, { unfreeze_after: 1_000 }, false],
])('%s: from %p to %p needs two persons: %p', (name, before, after, two) => {
  expect(widened(before, after).includes(name)).toBe(two);
});

// Everything that moves money, or decides where to or how much, says whether one person decides.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../config/paths';
import {
  INTERVENTION_REASONS,
  INTERVENTIONS,
  actionsFor,
  type InterventionAction,
} from '../../../domain/interventions/reasons';
import {
  isResolvedSingly,
  measureOf,
  OPERATIONS,
  RESOLUTIONS,
  RETRY_POLICIES,
  SETTINGS,
} from '../../../domain/proposals/who-decides';
import { RETRY_OPERATIONS } from '../../../domain/retries/retry-policy';
import { RUNTIME_SETTING_NAMES } from '../../../domain/settings/runtime-settings';

/** The operations that the api's routes define, with their methods. */
function definedOperations(): { id: string; method: string }[] {
  const api = join(packageRoot(), 'api');
  return readdirSync(api, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('routes.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(api, file), 'utf8');
      return [...text.matchAll(/\bid: '(\w+)',\s+method: '(\w+)'/g)];
    })
    .map(([, id = '', method = '']) => ({ id, method }));
}

test('every operation of the api that changes something says who decides', () => {
  const changing = definedOperations().filter(({ method }) => method !== 'get');
  expect(changing.length).toBeGreaterThan(10);
  expect(Object.keys(OPERATIONS).sort()).toEqual(changing.map(({ id }) => id).sort());
});

test('every resolution, setting and retry policy says who decides', () => {
  const pairs = (table: Readonly<Record<string, readonly string[]>>) =>
    Object.entries(table).map(([reason, actions]) => [reason, [...actions].sort()]);
  const measured = Object.fromEntries(
    Object.entries(RESOLUTIONS).map(([reason, actions]) => [reason, Object.keys(actions)]),
  );
  expect(pairs(measured).sort()).toEqual(pairs(INTERVENTIONS).sort());
  expect(Object.keys(SETTINGS).sort()).toEqual([...RUNTIME_SETTING_NAMES].sort());
  expect(Object.keys(RETRY_POLICIES).sort()).toEqual([...RETRY_OPERATIONS].sort());
});

test('what the design lists needs two persons, and nothing else does', () => {
  const two = (table: Readonly<Record<string, string>>, one: string) =>
    Object.keys(table).filter((name) => table[name] !== one);
  expect(two(OPERATIONS, 'one person')).toEqual([
    'createRefund',
    'shareProfit',
    'addReceiver',
    'resolveIntervention',
    'resolveOrder',
    'putRetryPolicy',
    'putSetting',
    'approveProposal',
  ]);
  expect(two(SETTINGS, 'free')).toEqual([
    'query_schedule',
    'patrol_interval',
    'sharing_ratio',
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
  ]);
  expect(two(RETRY_POLICIES, 'free')).toEqual([
    'wechat.refund',
    'wechat.refund_query',
    'wechat.sharing',
    'wechat.sharing_query',
  ]);
});

test('an unknown pair of reason and action needs two persons for any amount', () => {
  expect(measureOf('not_a_reason', 'refund')).toBe('typed');
  expect(measureOf('stuck', 'refund')).toBe('typed');
  expect(measureOf('constructor', 'retry')).toBe('typed');
});

test.each<[string, InterventionAction, boolean]>([
  ['invariant', 'dismiss', true],
  ['unknown_order', 'dismiss', true],
  ['identity_mismatch', 'dismiss', true],
  ['reconciliation', 'dismiss', true],
  ['surplus_payment', 'dismiss', true],
  ['refund_abnormal', 'to_user', true],
  ['reconciliation', 'retry', false],
  ['undeliverable', 'dismiss', false],
  ['refund_failed', 'dismiss', false],
])('%s · %s has to be submitted one by one: %p', (reason, action, singly) => {
  expect(isResolvedSingly(reason, action)).toBe(singly);
});

test('every action that moves money by itself has to be submitted one by one', () => {
  const money: InterventionAction[] = ['refund', 'accept', 'new_number', 'to_user', 'to_bank_card'];
  const many = INTERVENTION_REASONS.flatMap((reason) =>
    actionsFor(reason)
      .filter((action) => money.includes(action) && !isResolvedSingly(reason, action))
      .map((action) => [reason, action]),
  );
  expect(many).toEqual([]);
});

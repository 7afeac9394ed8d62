// Says for each operation, resolution, setting and retry policy whether one person decides or two.
// Sandbox: deterministic only.
import {
  actionsFor,
  type InterventionAction,
  type InterventionReason,
  type INTERVENTIONS,
} from '../interventions/reasons';
import { parseSubject, type UNREADABLE_VALUE } from '../interventions/subjects';
import type { InvariantKind } from '../patrol/findings';
import type { RetryOperation } from '../retries/retry-policy';
import type { RuntimeSettingName } from '../settings/runtime-settings';

/**
 * - `one person`: moves no money, and decides neither where money goes nor how much may move.
 * - `two persons`: one person up to a limit, or as long as it widens nothing; else two.
 * - `two persons, machines bound`: the same for persons; keys of the role `merchant` are machines,
 *   and have bounds of their own.
 */
export type WhoDecides = 'one person' | 'two persons' | 'two persons, machines bound';

/** Every operation of the API that changes something, by its `operationId`. */
export const OPERATIONS: Readonly<Record<string, WhoDecides>> = {
  createOrder: 'one person',
  createPayment: 'one person',
  closeOrder: 'one person',
  createRefund: 'two persons, machines bound',
  // Machines are bound by `sharing_ratio`, which only two persons raise.
  shareProfit: 'two persons, machines bound',
  // A destination of money; a known one only gets another name.
  addReceiver: 'two persons',
  removeReceiver: 'one person',
  putProduct: 'one person',
  changeStock: 'one person',
  addCodes: 'one person',
  useCodes: 'one person',
  // Only resolutions that move nothing by themselves, and explain no money.
  resolveManyInterventions: 'one person',
  resolveIntervention: 'two persons',
  resolveOrder: 'two persons',
  putRetryPolicy: 'two persons',
  putSetting: 'two persons',
  approveProposal: 'two persons',
  withdrawProposal: 'one person',
  // It compares, and books only what WeChat reports of payments and refunds that took place.
  reconcile: 'one person',
};

/**
 * The amount that decides whether one person may resolve an intervention:
 * - `moved`: only what the resolution would move now;
 * - `own`: the amount of the intervention, or what it would move now where that is more;
 * - `payment`: it says what a payment is for, so the larger of order and payment;
 * - `unexplained`: the same, of money that nobody can explain; never many in one call;
 * - `typed`: a person types in where the money goes, so two persons for any amount.
 */
export type Measure = 'moved' | 'own' | 'payment' | 'unexplained' | 'typed';

type ResolutionTable = {
  readonly [R in InterventionReason]: Readonly<Record<(typeof INTERVENTIONS)[R][number], Measure>>;
};

const OF_EFFECT = { retry: 'moved', skip: 'moved', refund: 'own' } as const;

/** The measure of each resolution. */
export const RESOLUTIONS: ResolutionTable = {
  amount_mismatch: { refund: 'payment', accept: 'payment', retry: 'moved' },
  identity_mismatch: { dismiss: 'unexplained' },
  unknown_order: { refund: 'payment', dismiss: 'unexplained' },
  late_payment: { refund: 'payment', accept: 'payment' },
  surplus_payment: { retry: 'moved', dismiss: 'payment' },
  effect_failed: OF_EFFECT,
  no_stock: OF_EFFECT,
  no_codes: OF_EFFECT,
  wechat_failed: { retry: 'moved', close: 'moved' },
  refund_failed: { retry: 'moved', dismiss: 'moved' },
  refund_closed: { new_number: 'own', dismiss: 'moved' },
  refund_abnormal: { to_user: 'typed', to_bank_card: 'typed', dismiss: 'moved' },
  sharing_failed: { new_number: 'own', retry: 'moved', dismiss: 'moved' },
  return_failed: { retry: 'moved', accept: 'own', dismiss: 'moved' },
  undeliverable: { retry: 'moved', dismiss: 'moved' },
  stuck: { retry: 'moved', dismiss: 'moved' },
  invariant: { retry: 'moved', dismiss: 'unexplained' },
  reconciliation: { retry: 'moved', dismiss: 'unexplained', refund: 'payment' },
};

/** Whether an invariant is about money that left or came in, or about what it brought about. */
const INVARIANTS: Readonly<Record<InvariantKind | typeof UNREADABLE_VALUE, 'money' | 'other'>> = {
  transaction_overdrawn: 'money',
  status_without_transaction: 'money',
  effects_disagree: 'other',
  effect_twice: 'other',
  stock_disagrees: 'other',
  sales_disagree: 'other',
  reservation_leaked: 'other',
  unreadable_value: 'other',
};

/**
 * True for an intervention about money. The subject of an `invariant` begins with its kind; a bill
 * that could not be had, or is wrong itself, moved nothing.
 */
export function isAboutMoney(reason: string, subject: string): boolean {
  if (parseSubject(subject).kind === 'bill') return false;
  if (reason !== 'invariant') return true;
  const kinds: Readonly<Record<string, 'money' | 'other'>> = INVARIANTS;
  return kinds[subject.slice(0, subject.indexOf(':'))] !== 'other';
}

/** True for a resolution that has to be submitted one by one: it moves or explains money. */
export function isResolvedSingly(reason: string, action: InterventionAction): boolean {
  return actionsFor(reason).includes(action) && measureOf(reason, action) !== 'moved';
}

/** The measure of a resolution; `typed` for a pair that this version doesn't have. */
export function measureOf(reason: string, action: InterventionAction): Measure {
  const actions: Readonly<Record<string, Partial<Record<InterventionAction, Measure>>>> =
    RESOLUTIONS;
  return actions[reason]?.[action] ?? 'typed';
}

/**
 * - `free`: one person changes it.
 * - `widening`: two persons where the value in force afterwards allows more, else one.
 * - `any change`: two persons for each change.
 */
export type ChangeRule = 'free' | 'widening' | 'any change';

/** Each setting. `domain/proposals/widening.ts` says when a value allows more. */
export const SETTINGS: Readonly<Record<RuntimeSettingName, ChangeRule>> = {
  payment_window: 'free',
  query_schedule: 'widening',
  refund_spacing: 'free',
  patrol_interval: 'widening',
  sharing_ratio: 'widening',
  sharing_delay: 'free',
  unfreeze_after: 'free',
  sharing_receivers: 'widening',
  late_payment: 'any change',
  keep_callback_bodies: 'widening',
  keep_idempotency_keys: 'widening',
  keep_delivery_logs: 'widening',
  two_person_fen: 'widening',
  two_person_day_fen: 'widening',
  merchant_refund_max_fen: 'widening',
  merchant_refund_day_fen: 'widening',
  reconcile_foreign_prefixes: 'widening',
};

/** Each retry policy. */
export const RETRY_POLICIES: Readonly<Record<RetryOperation, Exclude<ChangeRule, 'widening'>>> = {
  'wechat.prepay': 'free',
  'wechat.query': 'free',
  'wechat.close': 'free',
  'wechat.refund': 'any change',
  'wechat.refund_query': 'any change',
  'wechat.sharing': 'any change',
  'wechat.sharing_query': 'any change',
  'wechat.return': 'free',
  'wechat.bill': 'free',
  'inventory.stock': 'free',
  'fulfilment.points': 'free',
  'fulfilment.sales': 'free',
  'fulfilment.delivery': 'free',
  'notification.webhook': 'free',
  'notification.message': 'free',
  'database.read': 'free',
  'database.write': 'free',
};

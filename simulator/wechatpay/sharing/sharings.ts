// WeChat's rules for profit sharing.
import { isDeepStrictEqual } from 'node:util';
import { paramError, refuse, type Reply } from '../http/reply';
import { beijingDay } from '../time/beijing-time';
import { randomDigits } from '../keys/crypto';
import { undecryptable } from '../http/encrypted-fields';
import type { Merchant } from '../keys/merchants';
import { sharingBody } from './sharing-body';
import { SHAREABLE_MS } from './sharing-money';
import { type Balances } from '../payments/balance';
import type { ReceiverBody, ShareBody, UnfreezeBody } from './sharing-schemas';
import type { Sharable } from '../payments/balance';
import type { SharedPart, SharingStore, SimulatedSharing } from './sharing-store';
import type { Transactions } from '../payments/transactions';

const MAX_SHARINGS_PER_PAYMENT = 50;
const DEFAULT_AFTER_MS = 60_000;
const DEFAULT_MAX_PERCENT = 30;

/** Limits of WeChat that a test can change. */
export interface SharingRules {
  /** The time since the payment. Default WeChat's minute. */
  readonly shareableAfterMs?: number | undefined;
  /** Percent of a payment, over all its sharings. Default 30. */
  readonly maxSharingPercent?: number | undefined;
}

export interface SharingsDeps {
  readonly transactions: Transactions;
  readonly store: SharingStore;
  readonly balanceOf: Balances;
  readonly now: () => number;
  readonly rules: SharingRules;
  /** Called when the parts are on their way. */
  readonly begin: (sharing: SimulatedSharing) => void;
}

/** Reads an encrypted field; null when it can't. */
type Read = (text: string) => string | null;

export interface Sharings {
  addReceiver: (merchant: Merchant, body: ReceiverBody, read: Read) => Reply;
  /** Makes a new sharing, or returns the one that the same request made before, as it is now. */
  share: (merchant: Merchant, body: ShareBody, read: Read) => Reply;
  query: (merchant: Merchant, outOrderNo: string, transactionId: unknown) => Reply;
  unfreeze: (merchant: Merchant, body: UnfreezeBody) => Reply;
  unsplitAmount: (merchant: Merchant, transactionId: string) => Reply;
  setRules: (rules: SharingRules) => void;
}

const invalid = (message: string): Reply => refuse(400, 'INVALID_REQUEST', message);
const replyOf = (sharing: SimulatedSharing): Reply => ({
  status: 200,
  body: sharingBody(sharing),
});
/** 28 digits, as WeChat's. */
export const newSharingId = (nowMs: number): string =>
  `30${randomDigits(8)}${beijingDay(nowMs)}${randomDigits(10)}`;

function checkAppId(merchant: Merchant, appId: string): Reply | null {
  if (merchant.appIds.has(appId)) return null;
  return refuse(400, 'APPID_MCHID_NOT_MATCH', 'appid和mchid不匹配');
}

type NamedReceiver = ShareBody['receivers'][number];

/** The names as WeChat reads them, or the refusal that names the first unreadable one. */
function readNames(receivers: readonly NamedReceiver[], read: Read): Reply | NamedReceiver[] {
  const named: NamedReceiver[] = [];
  for (const [index, receiver] of receivers.entries()) {
    const name = receiver.name === undefined ? undefined : read(receiver.name);
    if (name === null) return undecryptable(`/receivers/${index}/name`);
    named.push(name === undefined ? receiver : { ...receiver, name });
  }
  return named;
}

function newPart(receiver: NamedReceiver, nowMs: number): SharedPart {
  return {
    type: receiver.type,
    account: receiver.account,
    amountFen: receiver.amount,
    description: receiver.description,
    name: receiver.name ?? null,
    detailId: newSharingId(nowMs),
    createdAtMs: nowMs,
    result: 'PENDING',
    failReason: null,
    finishedAtMs: null,
  };
}

/** The merchant's own part of an unfreezing, done at once. */
function restOf({ order }: Sharable, amountFen: number, description: string, nowMs: number) {
  const type = 'MERCHANT_ID' as const;
  const receiver = { type, account: order.merchantId, amount: amountFen, description };
  return { ...newPart(receiver, nowMs), result: 'SUCCESS' as const, finishedAtMs: nowMs };
}

function findPaid(deps: SharingsDeps, { merchantId }: Merchant, transactionId: string) {
  const found = deps.transactions.findByTransaction(transactionId);
  return found?.order.merchantId === merchantId ? found : null;
}

/** Null when this payment can be shared, or the rest of it unfrozen. */
function checkFrozen(deps: SharingsDeps, { order, payment }: Sharable): Reply | null {
  if (!order.profitSharing) return invalid('非分账订单不支持分账');
  if (deps.now() - payment.successTimeMs > SHAREABLE_MS) return invalid('订单已超过可分账的期限');
  const over = deps.store.sharings.of(payment).some(({ unfreezes }) => unfreezes);
  return over ? invalid('订单剩余资金已解冻') : null;
}

/** Null when WeChat's rules allow to share this amount with these receivers now. */
function checkShare(
  deps: SharingsDeps,
  rules: SharingRules,
  paid: Sharable,
  { receivers }: ShareBody,
): Reply | null {
  const { order, payment } = paid;
  const ageMs = deps.now() - payment.successTimeMs;
  if (ageMs < (rules.shareableAfterMs ?? DEFAULT_AFTER_MS)) {
    return refuse(403, 'RULE_LIMIT', '订单支付成功后一分钟内不允许分账');
  }
  if (deps.store.sharings.of(payment).length >= MAX_SHARINGS_PER_PAYMENT) {
    return refuse(403, 'RULE_LIMIT', '订单分账次数超过限制');
  }
  const stranger = receivers.find(
    ({ type, account }) => !deps.store.hasReceiver(order.merchantId, type, account),
  );
  if (stranger !== undefined) return invalid('分账接收方关系不存在，请先添加分账接收方');
  const amountFen = receivers.reduce((all, { amount }) => all + amount, 0);
  const { totalFen, sharedFen, frozenFen } = deps.balanceOf(paid);
  if (amountFen > frozenFen) return refuse(403, 'NOT_ENOUGH', '分账金额不足');
  const maxPercent = rules.maxSharingPercent ?? DEFAULT_MAX_PERCENT;
  if ((sharedFen + amountFen) * 100 > totalFen * maxPercent) {
    return refuse(403, 'RULE_LIMIT', '分账金额超出最大分账比例');
  }
  return null;
}

function share(
  deps: SharingsDeps,
  rules: SharingRules,
  merchant: Merchant,
  body: ShareBody,
): Reply {
  const known = deps.store.sharings.find(merchant.merchantId, body.out_order_no);
  if (known !== null) {
    return known.kind === 'share' && isDeepStrictEqual(known.content, body)
      ? replyOf(known)
      : invalid('同一商户分账单号的请求参数与之前不一致');
  }
  const paid = findPaid(deps, merchant, body.transaction_id);
  if (paid === null) return refuse(404, 'ORDER_NOT_EXIST', '订单不存在');
  const refusal = checkFrozen(deps, paid) ?? checkShare(deps, rules, paid, body);
  if (refusal !== null) return refusal;
  const nowMs = deps.now();
  const sharing: SimulatedSharing = {
    ...paid,
    kind: 'share',
    outOrderNo: body.out_order_no,
    orderId: newSharingId(nowMs),
    content: body,
    parts: body.receivers.map((receiver) => newPart(receiver, nowMs)),
    unfreezes: body.unfreeze_unsplit,
    createdAtMs: nowMs,
  };
  deps.store.sharings.add(sharing);
  deps.begin(sharing);
  return replyOf(sharing);
}

function unfreeze(deps: SharingsDeps, merchant: Merchant, body: UnfreezeBody): Reply {
  // The number was used before: WeChat reports success and does nothing.
  const known = deps.store.sharings.find(merchant.merchantId, body.out_order_no);
  if (known !== null) return replyOf(known);
  const paid = findPaid(deps, merchant, body.transaction_id);
  if (paid === null) return refuse(404, 'ORDER_NOT_EXIST', '订单不存在');
  const refusal = checkFrozen(deps, paid);
  if (refusal !== null) return refusal;
  const nowMs = deps.now();
  const { frozenFen } = deps.balanceOf(paid);
  const sharing: SimulatedSharing = {
    ...paid,
    kind: 'unfreeze',
    outOrderNo: body.out_order_no,
    orderId: newSharingId(nowMs),
    content: body,
    parts: frozenFen === 0 ? [] : [restOf(paid, frozenFen, body.description, nowMs)],
    unfreezes: true,
    createdAtMs: nowMs,
  };
  deps.store.sharings.add(sharing);
  return replyOf(sharing);
}

/** The rules of WeChat's profit sharing (https://pay.weixin.qq.com/doc/v3/merchant/4012067962). */
export function createSharings(deps: SharingsDeps): Sharings {
  let { rules } = deps;
  return {
    addReceiver: (merchant, body, read) => {
      const refusal = checkAppId(merchant, body.appid);
      if (refusal !== null) return refusal;
      if (body.name !== undefined && read(body.name) === null) return undecryptable('/name');
      if (body.relation_type === 'CUSTOM' && body.custom_relation === undefined) {
        const field = '/custom_relation';
        return paramError('自定义的分账关系必填', { field, issue: 'missing', location: 'body' });
      }
      deps.store.addReceiver(merchant.merchantId, body.type, body.account);
      const { appid: _appid, ...receiver } = body;
      return { status: 200, body: receiver };
    },
    share: (merchant, body, read) => {
      const refusal = checkAppId(merchant, body.appid);
      if (refusal !== null) return refusal;
      const receivers = readNames(body.receivers, read);
      return 'status' in receivers
        ? receivers
        : share(deps, rules, merchant, { ...body, receivers });
    },
    query: ({ merchantId }, outOrderNo, transactionId) => {
      const sharing = deps.store.sharings.find(merchantId, outOrderNo);
      return sharing?.payment.transactionId === transactionId && sharing !== null
        ? replyOf(sharing)
        : refuse(404, 'RESOURCE_NOT_EXISTS', '分账单不存在');
    },
    unfreeze: (merchant, body) => unfreeze(deps, merchant, body),
    unsplitAmount: (merchant, transactionId) => {
      const paid = findPaid(deps, merchant, transactionId);
      if (paid === null) return refuse(404, 'ORDER_NOT_EXIST', '订单不存在');
      if (!paid.order.profitSharing) return invalid('非分账订单不支持分账');
      const unsplit = deps.balanceOf(paid).frozenFen;
      return { status: 200, body: { transaction_id: transactionId, unsplit_amount: unsplit } };
    },
    setRules: (changed) => {
      rules = { ...rules, ...changed };
    },
  };
}

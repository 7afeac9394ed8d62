// Holds the amounts of a sharing on its payment, and frees them again.
import { v7 as uuidv7 } from 'uuid';
import type { ErrorCode } from '../../domain/error-catalogue';
import { fen, type Fen } from '../../domain/money';
import {
  MAX_SHARINGS,
  sharingCap,
  type ReceiverType,
  type RelationType,
} from '../../domain/sharing/profit-sharing';
import type { DatabaseContext, Tx } from '../core/context';
import { DUE_GRACE_MS } from '../core/due-times';
import { lockAppliedTransaction, type LockedTransaction } from '../core/lock-transaction';
import type { LockedOrder } from '../core/lock-order';
import { sharingRules } from '../settings/runtime-settings';
import { receiverPlace } from './read-receivers';
import { isUnfrozen, UNFREEZE_TEXT } from './unfreeze-rest';

export interface NewReceiver {
  readonly type: ReceiverType;
  readonly account: string;
  readonly name: string | null;
  readonly relationType: RelationType;
  readonly amountFen: Fen;
  readonly description: string;
  /** False: a sharing with it is refused, unless payments may be shared with any receiver. */
  readonly known: boolean;
}

export interface NewSharing {
  readonly outOrderNo: string;
  /** None: the request only unfreezes what is left. */
  readonly receivers: readonly NewReceiver[];
  readonly unfreezeRest: boolean;
  readonly origin: 'api' | 'resolution';
  /** Number of the sharing whose closed receivers this one is for; null when it replaces none. */
  readonly replaces: string | null;
  readonly contentHash: string;
  readonly now: Date;
}

export type SharingHold =
  /** `startsNow`: its time has come already. */
  { readonly kind: 'held'; readonly startsNow: boolean } | SharingRefusal;

/** Why a sharing can't be made, for the caller. */
export interface SharingRefusal {
  readonly kind: 'refused';
  readonly code: ErrorCode;
  readonly detail: string;
  /** More fields of the error reply. */
  readonly extra: Readonly<Record<string, unknown>>;
}

function refused(
  code: ErrorCode,
  detail: string,
  extra: Readonly<Record<string, unknown>> = {},
): SharingRefusal {
  return { kind: 'refused', code, detail, extra };
}

/**
 * Makes a sharing and holds its amounts on the payment, under the lock of the payment's row:
 * however many are requested at once, no more is shared than was paid and than the ratio allows
 * (P11).
 */
export async function holdSharing(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  sharing: NewSharing,
): Promise<SharingHold> {
  const { outTradeNo, paidAt } = order;
  if (!order.profitSharing) {
    const detail = `Order ${outTradeNo} was created without profit_sharing: true`;
    return refused('ORDER_NOT_FOR_SHARING', detail);
  }
  const paid = await lockAppliedTransaction(tx, outTradeNo);
  if (!paid || !paidAt || !['paid', 'fulfilled', 'refunded'].includes(order.status)) {
    return refused('ORDER_NOT_PAID', `Order ${outTradeNo} is ${order.status}`);
  }
  const rules = await sharingRules(context, tx);
  const refusal =
    (await refusalOf(tx, paid, sharing, rules.ratioPercent)) ??
    (rules.receivers === 'known' ? unknownReceivers(sharing) : null);
  if (refusal) return refusal;
  const notBefore = new Date(Math.max(sharing.now.getTime(), paidAt.getTime() + rules.delayMs));
  await insertSharing(context, tx, { ...sharing, order, paid, notBefore });
  return { kind: 'held', startsNow: notBefore <= sharing.now };
}

/** Why the payment can't be shared like this; null when it can. */
async function refusalOf(
  tx: Tx,
  paid: LockedTransaction,
  { receivers, now }: NewSharing,
  ratioPercent: number,
): Promise<SharingRefusal | null> {
  const before = await tx.profitSharing.count({
    where: { transactionKey: paid.id, kind: 'share' },
  });
  if (receivers.length > 0 && before >= MAX_SHARINGS) {
    const detail = `WeChat Pay takes at most ${MAX_SHARINGS} sharings of one payment`;
    return refused('SHARING_LIMIT', detail);
  }
  const totalFen = paid.totalFen ?? fen(0);
  const everSharedFen = paid.sharedFen + (await takenBackFen(tx, paid));
  const left = totalFen - paid.heldFen - everSharedFen;
  const wanted = sumOf(receivers);
  if ((await isUnfrozen(tx, paid.id, now)) || left <= 0) {
    const detail = 'Nothing is left: the rest of the payment is unfrozen, shared or being refunded';
    return refused('NOTHING_TO_SHARE', detail);
  }
  if (wanted > left) {
    return refused('NOTHING_TO_SHARE', `Only ${left} fen are left to share`, { left });
  }
  const allowed = Math.max(0, sharingCap(totalFen, ratioPercent) - everSharedFen);
  if (wanted > allowed) {
    const detail =
      `Only ${allowed} fen of the payment may still be shared: ` +
      `all its sharings together may take ${ratioPercent} %`;
    return refused('SHARING_OVER_CAP', detail, { allowed });
  }
  return null;
}

/** Names each receiver that is not known; null when all are. */
function unknownReceivers({ receivers }: NewSharing): SharingRefusal | null {
  const errors = receivers.flatMap(({ known }, index) =>
    known ? [] : [{ field: `receivers[${index}].account`, message: 'is not a known receiver' }],
  );
  if (errors.length === 0) return null;
  const detail =
    `These receivers are not known: ${errors.map(({ field }) => field).join(', ')}; nothing was ` +
    'done. An admin adds a receiver with POST /v1/receivers, then send the request again';
  return refused('RECEIVER_UNKNOWN', detail, { errors });
}

/** Shares that were taken back: they count for the ratio, and are not frozen any more. */
async function takenBackFen(tx: Tx, paid: LockedTransaction): Promise<number> {
  const { _sum } = await tx.profitSharingReceiver.aggregate({
    where: { sharing: { transactionKey: paid.id } },
    _sum: { returnedFen: true },
  });
  return _sum.returnedFen ?? 0;
}

function sumOf(receivers: readonly NewReceiver[]): number {
  return receivers.reduce((sum, { amountFen }) => sum + amountFen, 0);
}

async function insertSharing(
  context: DatabaseContext,
  tx: Tx,
  sharing: NewSharing & {
    readonly order: LockedOrder;
    readonly paid: LockedTransaction;
    readonly notBefore: Date;
  },
): Promise<void> {
  const { outOrderNo, receivers, order, paid, now, notBefore } = sharing;
  const isShare = receivers.length > 0;
  await tx.profitSharing.createMany({
    data: [
      {
        outOrderNo,
        outTradeNo: order.outTradeNo,
        transactionKey: paid.id,
        merchantId: paid.merchantId,
        appId: order.appId,
        transactionId: paid.transactionId,
        kind: isShare ? 'share' : 'unfreeze',
        unfreezeRest: sharing.unfreezeRest,
        description: UNFREEZE_TEXT,
        origin: sharing.origin,
        replaces: sharing.replaces,
        contentHash: sharing.contentHash,
        notBefore,
        dueAt: firstDueAt(notBefore, now),
        createdAt: now,
      },
    ],
  });
  if (!isShare) return;
  await tx.profitSharingReceiver.createMany({
    data: receivers.map((one, index) => sealed(context, outOrderNo, one, index + 1)),
  });
  await tx.paymentTransaction.updateMany({
    where: { id: paid.id },
    data: { sharedFen: { increment: sumOf(receivers) } },
  });
}

/** A run whose time has come is started at once; the sweep starts all others at theirs. */
function firstDueAt(notBefore: Date, now: Date): Date {
  return notBefore > now ? notBefore : new Date(now.getTime() + DUE_GRACE_MS);
}

/** A receiver's row, with account and name encrypted. */
function sealed(
  { cipher, hash }: DatabaseContext,
  outOrderNo: string,
  receiver: NewReceiver,
  line: number,
) {
  const id = uuidv7();
  const { account, name, known: _, ...open } = receiver;
  return {
    ...open,
    id,
    outOrderNo,
    line,
    accountEncrypted: cipher.encrypt(receiverPlace('account', id), account),
    accountHash: hash.hex('account', account),
    nameEncrypted: name && cipher.encrypt(receiverPlace('name', id), name),
  };
}

/**
 * Frees shares that WeChat closed, or that were taken back: they can be shared or refunded anew.
 */
export async function freeSharedAmount(
  tx: Tx,
  transactionKey: string,
  amountFen: number,
): Promise<void> {
  if (amountFen === 0) return;
  await tx.paymentTransaction.updateMany({
    where: { id: transactionKey },
    data: { sharedFen: { decrement: amountFen } },
  });
}

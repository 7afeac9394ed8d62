import { v7 as uuidv7 } from 'uuid';
import type { ErrorCode } from '../../domain/error-catalogue';
import {
  MAX_SHARINGS,
  sharingCap,
  type ReceiverType,
  type RelationType,
} from '../../domain/sharing/profit-sharing';
import { OWN_PREFIX } from '../../domain/refunds/refund-number';
import { DUE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext, Tx } from '../core/context';
import { sharingRules } from '../settings/runtime-settings';
import type { LockedOrder } from '../core/order-row';
import { receiverPlace, type LockedSharing } from './lock-sharing';

export interface NewReceiver {
  readonly type: ReceiverType;
  readonly account: string;
  readonly name: string | null;
  readonly relationType: RelationType;
  readonly amountFen: number;
  readonly description: string;
}

export interface NewSharing {
  readonly outOrderNo: string;
  /** None: only unfreezes what is left. */
  readonly receivers: readonly NewReceiver[];
  readonly unfreezeRest: boolean;
  readonly origin: 'api' | 'resolution';
  readonly replaces: string | null;
  readonly contentHash: string;
  readonly now: Date;
}

export type SharingHold =
  /** `startsNow`: its time has come already. */
  | { readonly kind: 'reserved'; readonly startsNow: boolean }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly detail: string;
      readonly extra: Readonly<Record<string, unknown>>;
    };

interface LockedPayment {
  id: string;
  merchantId: string;
  transactionId: string;
  totalFen: number;
  heldFen: number;
  /** With what was taken back: it counts for the ratio, and is not frozen any more. */
  everSharedFen: number;
}

/** Hex digits: 160 bits. */
const DERIVED_LENGTH = 40;

/** What an unfreeze is called on the merchant's bill. */
const UNFREEZE_TEXT = 'unfreeze';

/**
 * A number of ours. Made of what it is for, so that it is the same one however often it is made, also by
 * someone whose database is older than what was sent (0018).
 */
export function makeOwnNumber({ hash }: DatabaseContext, of: readonly (string | number)[]): string {
  return `${OWN_PREFIX}${hash.hex('number', JSON.stringify(of)).slice(0, DERIVED_LENGTH)}`;
}

function refused(
  code: ErrorCode,
  detail: string,
  extra: Readonly<Record<string, unknown>> = {},
): SharingHold {
  return { kind: 'refused', code, detail, extra };
}

/**
 * Makes a sharing and holds its amounts on the payment, under its row lock: whoever asks at once, no
 * more is shared than was paid and than the ratio allows (P11). The order's row is locked by the caller.
 */
export async function holdSharing(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  sharing: NewSharing,
): Promise<SharingHold> {
  const { out_trade_no: outTradeNo, paid_at: paidAt } = order;
  if (!order.profit_sharing) {
    return refused('ORDER_NOT_FOR_SHARING', 'It was made without profit_sharing: true');
  }
  const [paid] = await tx.$queryRaw<LockedPayment[]>`
    SELECT id::text, merchant_id AS "merchantId", transaction_id AS "transactionId",
      coalesce(total_fen, 0) AS "totalFen", held_fen AS "heldFen", shared_fen AS "everSharedFen"
    FROM payment_transactions WHERE order_no = ${outTradeNo} AND status = 'applied'
    FOR NO KEY UPDATE`;
  if (!paid || !paidAt || !['paid', 'fulfilled', 'refunded'].includes(order.status)) {
    return refused('ORDER_NOT_PAID', `Order ${outTradeNo} is ${order.status}`);
  }
  paid.everSharedFen += await takenBackFen(tx, paid.id);
  const rules = await sharingRules(context, tx);
  const impossible = await whyNot(tx, paid, sharing, rules.ratioPercent);
  if (impossible) return impossible;
  const notBefore = new Date(Math.max(sharing.now.getTime(), paidAt.getTime() + rules.delayMs));
  await insertSharing(context, tx, order, paid, { ...sharing, notBefore });
  return { kind: 'reserved', startsNow: notBefore <= sharing.now };
}

/** Read under the payment's lock, which whoever books a take-back has too. */
async function takenBackFen(tx: Tx, transactionKey: string): Promise<number> {
  const { _sum } = await tx.profitSharingReceiver.aggregate({
    where: { sharing: { transactionKey } },
    _sum: { returnedFen: true },
  });
  return _sum.returnedFen ?? 0;
}

async function whyNot(
  tx: Tx,
  paid: LockedPayment,
  { receivers, now }: NewSharing,
  ratioPercent: number,
): Promise<SharingHold | null> {
  const before = await tx.profitSharing.count({
    where: { transactionKey: paid.id, kind: 'share' },
  });
  if (receivers.length > 0 && before >= MAX_SHARINGS) {
    return refused('SHARING_LIMIT', `WeChat Pay takes ${MAX_SHARINGS} sharings of a payment`);
  }
  const left = paid.totalFen - paid.heldFen - paid.everSharedFen;
  const wanted = receivers.reduce((sum, { amountFen }) => sum + amountFen, 0);
  if ((await isUnfrozen(tx, paid.id, now)) || left <= 0) {
    return refused('NOTHING_TO_SHARE', 'What was left is unfrozen, shared or on its way back');
  }
  if (wanted > left) {
    return refused('NOTHING_TO_SHARE', `${left} fen are left to share`, { left });
  }
  const allowed = sharingCap(paid.totalFen, ratioPercent) - paid.everSharedFen;
  if (wanted > allowed) {
    const detail = `${Math.max(0, allowed)} fen may still be shared: ${ratioPercent} % in all`;
    return refused('SHARING_OVER_CAP', detail, { allowed: Math.max(0, allowed) });
  }
  return null;
}

/** True when the rest was unfrozen, or is about to be; the one of the deadline counts from its time. */
async function isUnfrozen(tx: Tx, transactionKey: string, now: Date): Promise<boolean> {
  const rows = await tx.profitSharing.count({
    where: {
      transactionKey,
      kind: 'unfreeze',
      status: { not: 'closed' },
      NOT: { origin: 'deadline', status: 'pending', notBefore: { gt: now } },
    },
  });
  return rows > 0;
}

async function insertSharing(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  paid: LockedPayment,
  sharing: NewSharing & { readonly notBefore: Date },
): Promise<void> {
  const { outOrderNo, receivers, unfreezeRest, origin, replaces, contentHash } = sharing;
  const { now, notBefore } = sharing;
  const isShare = receivers.length > 0;
  await tx.profitSharing.createMany({
    data: [
      {
        outOrderNo,
        outTradeNo: order.out_trade_no,
        transactionKey: paid.id,
        merchantId: paid.merchantId,
        appId: order.app_id,
        transactionId: paid.transactionId,
        kind: isShare ? 'share' : 'unfreeze',
        unfreezeRest,
        description: UNFREEZE_TEXT,
        origin,
        replaces,
        contentHash,
        notBefore,
        dueAt: dueAtFirst(notBefore, now),
        createdAt: now,
      },
    ],
  });
  if (!isShare) return;
  await tx.profitSharingReceiver.createMany({
    data: receivers.map((one, index) => sealed(context, outOrderNo, one, index + 1)),
  });
  const wanted = receivers.reduce((sum, { amountFen }) => sum + amountFen, 0);
  await tx.paymentTransaction.updateMany({
    where: { id: paid.id },
    data: { sharedFen: { increment: wanted } },
  });
}

/** The run of one whose time has come is started at once; the sweep starts all others at theirs. */
function dueAtFirst(notBefore: Date, now: Date): Date {
  return notBefore > now ? notBefore : new Date(now.getTime() + DUE_GRACE_MS);
}

function sealed(
  { cipher, hash }: DatabaseContext,
  outOrderNo: string,
  receiver: NewReceiver,
  line: number,
) {
  const id = uuidv7();
  const { account, name, ...open } = receiver;
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
 * A payment that is frozen for sharing is unfrozen by itself in the end. Committed with the change that
 * makes the order paid; until its time comes, nobody reads the row.
 */
export async function addUnfreezeAtDeadline(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  now: Date,
): Promise<void> {
  if (!order.profit_sharing) return;
  const { unfreezeAfterMs } = await sharingRules(context, tx);
  const after = `${unfreezeAfterMs} milliseconds`;
  await tx.$executeRaw`
    INSERT INTO profit_sharings (out_order_no, out_trade_no, transaction_key, merchant_id, app_id,
      transaction_id, kind, description, origin, content_hash, not_before, due_at, created_at)
    SELECT 'op_rest_' || right(t.transaction_id, 56), t.order_no, t.id, t.merchant_id, ${order.app_id},
      t.transaction_id, 'unfreeze', ${UNFREEZE_TEXT}, 'deadline', '', d.at, d.at, ${now}
    FROM payment_transactions t CROSS JOIN LATERAL (
      SELECT least(coalesce(t.success_time, ${now}), ${now}) + ${after}::interval AS at) d
    WHERE t.order_no = ${order.out_trade_no} AND t.status = 'applied'
    ON CONFLICT DO NOTHING`;
}

/**
 * Unfreezes what a sharing has left, as was asked for with it.
 * @returns the number; null when it is unfrozen already
 */
export async function addUnfreezeOfRest(
  context: DatabaseContext,
  tx: Tx,
  sharing: LockedSharing,
  now: Date,
): Promise<string | null> {
  if (await isUnfrozen(tx, sharing.transactionKey, now)) return null;
  const outOrderNo = makeOwnNumber(context, ['rest', sharing.outOrderNo]);
  await tx.profitSharing.createMany({
    data: [
      {
        outOrderNo,
        outTradeNo: sharing.outTradeNo,
        transactionKey: sharing.transactionKey,
        merchantId: sharing.merchantId,
        appId: sharing.appId,
        transactionId: sharing.transactionId,
        kind: 'unfreeze',
        description: UNFREEZE_TEXT,
        origin: 'rest',
        contentHash: '',
        notBefore: now,
        dueAt: new Date(now.getTime() + DUE_GRACE_MS),
        createdAt: now,
      },
    ],
  });
  return outOrderNo;
}

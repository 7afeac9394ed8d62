// Names the states, kinds and limits of profit sharings (分账), and what a payment may share.
// Sandbox: deterministic only.
import { fen, type Fen } from '../money';

/**
 * The states of a profit sharing, and of an unfreeze, which is a sharing without receivers. It
 * holds the amounts of its receivers on the payment until WeChat has closed them.
 */
export const SHARING_STATUSES = [
  /** Its amounts are held; WeChat may have it or not. */
  'pending',
  /** WeChat has accepted it. */
  'processing',
  /** WeChat has decided on each receiver; that is not success. */
  'finished',
  /** It was never carried out, and won't be. */
  'closed',
] as const;
export type SharingStatus = (typeof SHARING_STATUSES)[number];

/** True when no report changes a sharing any more. */
export function isSharingSettled(status: SharingStatus): boolean {
  return status === 'finished' || status === 'closed';
}

/**
 * The states of a share return (分账回退): WeChat takes a receiver's share back for a refund.
 */
export const SHARE_RETURN_STATUSES = ['pending', 'processing', 'succeeded', 'failed'] as const;
export type ShareReturnStatus = (typeof SHARE_RETURN_STATUSES)[number];

export const SHARING_KINDS = ['share', 'unfreeze'] as const;
export type SharingKind = (typeof SHARING_KINDS)[number];

/**
 * Why a sharing exists: the shop requested it, the payment's deadline came, a sharing unfroze the
 * rest, or a person's resolution replaces one.
 */
export const SHARING_ORIGINS = ['api', 'deadline', 'rest', 'resolution'] as const;
export type SharingOrigin = (typeof SHARING_ORIGINS)[number];

/** WeChat's names of what a receiver is. https://pay.weixin.qq.com/doc/v3/merchant/4012525193 */
export const RECEIVER_TYPES = ['MERCHANT_ID', 'PERSONAL_OPENID'] as const;
export type ReceiverType = (typeof RECEIVER_TYPES)[number];

export const RECEIVER_RESULTS = ['PENDING', 'SUCCESS', 'CLOSED'] as const;
export type ReceiverResult = (typeof RECEIVER_RESULTS)[number];

/**
 * The relations of a receiver to the merchant, in WeChat's names.
 * https://pay.weixin.qq.com/doc/v3/merchant/4012528995
 */
export const RELATION_TYPES = [
  'PARTNER',
  'SERVICE_PROVIDER',
  'STORE',
  'STAFF',
  'STORE_OWNER',
  'HEADQUARTER',
  'BRAND',
  'DISTRIBUTOR',
  'USER',
  'SUPPLIER',
] as const;
export type RelationType = (typeof RELATION_TYPES)[number];
export const DEFAULT_RELATION: RelationType = 'PARTNER';

/** WeChat takes this many receivers in one request. */
export const MAX_RECEIVERS = 50;
/** WeChat takes this many sharings of one payment. */
export const MAX_SHARINGS = 50;
/** A receiver's share can be taken back for this long after the sharing. */
export const RETURNABLE_MS = 180 * 24 * 3_600_000;

/**
 * The most that all sharings of a payment together may share.
 * @param ratioPercent 0 to 100
 */
export function sharingCap(totalFen: Fen, ratioPercent: number): Fen {
  return fen(Math.floor((totalFen * ratioPercent) / 100));
}

/**
 * The amount that a refund lacks, because refunds and receivers together hold more than was paid.
 * @returns never more than the refund itself
 */
export function shortfallOf(
  payment: { readonly totalFen: Fen; readonly heldFen: Fen; readonly sharedFen: Fen },
  refundFen: Fen,
): Fen {
  const { totalFen, heldFen, sharedFen } = payment;
  return fen(Math.min(Math.max(0, heldFen + sharedFen - totalFen), refundFen));
}

/** Characters of an openid: enough to recognise it, too few to use it. */
const SHOWN_OF_OPENID = 4;

/** An account as everybody may see it: a merchant id in full, of an openid its beginning. */
export function shownAccount(receiver: {
  readonly type: ReceiverType;
  readonly account: string;
}): string {
  const { type, account } = receiver;
  return type === 'MERCHANT_ID' ? account : `${account.slice(0, SHOWN_OF_OPENID)}…`;
}

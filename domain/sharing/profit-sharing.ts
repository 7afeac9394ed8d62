/**
 * A profit sharing, and an unfreeze, which is one without receivers. It holds the amounts of its
 * receivers on the transaction until WeChat has closed them.
 */
export const SHARING_STATUSES = [
  /** Reserved; WeChat may have it or not. */
  'pending',
  /** WeChat has accepted it. */
  'processing',
  /** WeChat has decided on each receiver; that is not success. */
  'finished',
  /** WeChat never got it, and won't. */
  'closed',
] as const;
export type SharingStatus = (typeof SHARING_STATUSES)[number];

/** True when nothing changes a sharing any more. */
export function isSharingSettled(status: SharingStatus): boolean {
  return status === 'finished' || status === 'closed';
}

export const SHARE_RETURN_STATUSES = ['pending', 'processing', 'succeeded', 'failed'] as const;
export type ShareReturnStatus = (typeof SHARE_RETURN_STATUSES)[number];

export const SHARING_KINDS = ['share', 'unfreeze'] as const;
export type SharingKind = (typeof SHARING_KINDS)[number];

/** Why a sharing exists: on request, for a payment's deadline, to unfreeze the rest, or by an answer. */
export const SHARING_ORIGINS = ['api', 'deadline', 'rest', 'resolution'] as const;
export type SharingOrigin = (typeof SHARING_ORIGINS)[number];

/** WeChat's names. https://pay.weixin.qq.com/doc/v3/merchant/4012525193 */
export const RECEIVER_TYPES = ['MERCHANT_ID', 'PERSONAL_OPENID'] as const;
export type ReceiverType = (typeof RECEIVER_TYPES)[number];

export const RECEIVER_RESULTS = ['PENDING', 'SUCCESS', 'CLOSED'] as const;
export type ReceiverResult = (typeof RECEIVER_RESULTS)[number];

/** What a receiver is to the merchant. https://pay.weixin.qq.com/doc/v3/merchant/4012528995 */
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

/** WeChat takes so many receivers in one request, and so many requests for one payment. */
export const MAX_RECEIVERS = 50;
export const MAX_SHARINGS = 50;
/** Shared money can be taken back for so long. */
export const RETURNABLE_MS = 180 * 24 * 3_600_000;

/** What may be shared of a payment over all of its sharings, in fen. */
export function sharingCap(totalFen: number, ratioPercent: number): number {
  return Math.floor((totalFen * ratioPercent) / 100);
}

/**
 * What a refund lacks: refunds and receivers together hold more than was paid.
 * @returns fen, never more than the refund itself
 */
export function shortfallOf(
  transaction: { readonly totalFen: number; readonly heldFen: number; readonly sharedFen: number },
  refundFen: number,
): number {
  const { totalFen, heldFen, sharedFen } = transaction;
  return Math.min(Math.max(0, heldFen + sharedFen - totalFen), refundFen);
}

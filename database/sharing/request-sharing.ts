// Takes the shop's request for a sharing: a repeat finds the same one, a new one holds its amounts.
import type { ErrorCode } from '../../domain/error-catalogue';
import {
  DEFAULT_RELATION,
  isSharingSettled,
  type RelationType,
} from '../../domain/sharing/profit-sharing';
import { audit } from '../core/write-audit';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { claimKey, recordKey, type IdempotencyGuard } from '../core/claim-idempotency-key';
import { lockOrder } from '../core/lock-order';
import type { TxScope } from '../core/tx-scope';
import { findKnownReceivers } from './find-known-receivers';
import { holdSharing, type NewReceiver, type SharingRefusal } from './hold-sharing';
import { makeOwnNumber } from './make-own-number';
import { findSharing, type SharingView } from './view-sharing';

/** A receiver as the shop names it. */
export interface RequestedReceiver extends Omit<NewReceiver, 'known' | 'relationType'> {
  /** null: that of the known receiver, else the default. */
  readonly relationType: RelationType | null;
}

export interface SharingRequest {
  readonly outTradeNo: string;
  /** The caller's own number, or `key`: a number is made from its Idempotency-Key. */
  readonly number:
    { readonly kind: 'given'; readonly outOrderNo: string } | { readonly kind: 'key' };
  /** The caller's Idempotency-Key, also beside a number of its own; null without one. */
  readonly guard: IdempotencyGuard | null;
  /** None: the request only unfreezes what is left. */
  readonly receivers: readonly RequestedReceiver[];
  readonly unfreezeRest: boolean;
}

export type SharingRequestResult =
  /** `startsNow`: its run can start at once. */
  | { readonly kind: 'created'; readonly sharing: SharingView; readonly startsNow: boolean }
  /** The same sharing was requested before. */
  | { readonly kind: 'repeated'; readonly sharing: SharingView; readonly settled: boolean }
  | SharingRefusal;

/** Sharings on the shop's request. */
export function createSharingRequests(context: DatabaseContext) {
  return {
    /**
     * Commits a sharing, or finds the one that this number has: two equal requests make one (S9).
     */
    request: (
      request: SharingRequest,
      actor: Actor,
      nowMs: number,
    ): Promise<SharingRequestResult> =>
      context.prisma.$transaction((tx) =>
        requestSharing(context, { tx, now: new Date(nowMs) }, request, actor),
      ),

    /** A sharing of an order; null when the order has none with this number. */
    find: (outTradeNo: string, outOrderNo: string): Promise<SharingView | null> =>
      findSharing(context, context.prisma, { outOrderNo, outTradeNo }),
  };
}

async function requestSharing(
  context: DatabaseContext,
  { tx, now }: TxScope,
  request: SharingRequest,
  actor: Actor,
): Promise<SharingRequestResult> {
  const { outTradeNo, receivers, unfreezeRest, number, guard } = request;
  if (guard) {
    const claim = await claimKey(tx, guard, context.hash.hex('body', guard.body));
    if (claim.kind === 'key_reused') return numberTaken('key');
  }
  const order = await lockOrder(tx, outTradeNo);
  if (!order) return refused('NOT_FOUND', `There is no order ${outTradeNo}`);
  const outOrderNo = numberOf(context, request);
  const contentHash = contentOf(context, request);
  const known = await tx.profitSharing.findUnique({
    where: { outOrderNo },
    select: { contentHash: true },
  });
  if (known && known.contentHash !== contentHash) return numberTaken(number.kind);
  if (known) {
    if (guard) await recordKey(context, tx, guard, outTradeNo);
    return repeated(context, tx, outOrderNo);
  }
  // Requests for two orders hold different locks: the lock on the number decides which was first.
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${outOrderNo}, 0))`;
  const since = await tx.profitSharing.count({ where: { outOrderNo } });
  if (since > 0) return numberTaken(number.kind);
  const hold = await holdSharing(context, tx, order, {
    outOrderNo,
    receivers: await withWhatIsKnown(context, tx, receivers),
    unfreezeRest,
    origin: 'api',
    replaces: null,
    contentHash,
    now,
  });
  if (hold.kind === 'refused') return hold;
  if (guard) await recordKey(context, tx, guard, outTradeNo);
  await audit(tx, actor, {
    action: 'sharing.create',
    subject: outTradeNo,
    details: { out_order_no: outOrderNo },
  });
  const sharing = await findSharing(context, tx, { outOrderNo, outTradeNo });
  if (!sharing) throw new Error(`Sharing ${outOrderNo} was not written`);
  return { kind: 'created', sharing, startsNow: hold.startsNow };
}

/** A known receiver has the name and relation that are known, where the request names none. */
async function withWhatIsKnown(
  context: DatabaseContext,
  tx: Tx,
  receivers: readonly RequestedReceiver[],
): Promise<NewReceiver[]> {
  const known = await findKnownReceivers(context, tx, receivers);
  return receivers.map((requested, index): NewReceiver => {
    const found = known[index] ?? null;
    return {
      ...requested,
      name: requested.name ?? found?.name ?? null,
      relationType: requested.relationType ?? found?.relationType ?? DEFAULT_RELATION,
      known: found !== null,
    };
  });
}

function refused(code: ErrorCode, detail: string): SharingRequestResult {
  return { kind: 'refused', code, detail, extra: {} };
}

function numberTaken(by: 'given' | 'key'): SharingRequestResult {
  return by === 'key'
    ? refused(
        'IDEMPOTENCY_KEY_REUSED',
        'This Idempotency-Key was used with another request before; nothing was done',
      )
    : refused(
        'OUT_ORDER_NO_USED',
        'This out_order_no was used with another order or other content; nothing was done',
      );
}

async function repeated(
  context: DatabaseContext,
  tx: Tx,
  outOrderNo: string,
): Promise<SharingRequestResult> {
  const sharing = await findSharing(context, tx, { outOrderNo });
  if (!sharing) throw new Error(`Sharing ${outOrderNo} is gone`);
  return { kind: 'repeated', sharing, settled: isSharingSettled(sharing.status) };
}

/**
 * One key makes one number at all times, so that a repeat finds its sharing however late it comes.
 */
function numberOf(context: DatabaseContext, { number, guard }: SharingRequest): string {
  if (number.kind === 'given') return number.outOrderNo;
  if (!guard) throw new TypeError('A sharing needs a number or an Idempotency-Key');
  const { client, route, key } = guard;
  return makeOwnNumber(context, [client, route, key]);
}

/** The hash of a request's content. Receivers in another order are the same content. */
function contentOf({ hash }: DatabaseContext, request: SharingRequest): string {
  const { outTradeNo, receivers, unfreezeRest } = request;
  const texts = receivers.map((one) =>
    JSON.stringify([
      one.type,
      one.account,
      one.amountFen,
      one.description,
      one.name,
      one.relationType ?? DEFAULT_RELATION,
    ]),
  );
  return hash.hex('body', JSON.stringify([outTradeNo, unfreezeRest, texts.sort()]));
}

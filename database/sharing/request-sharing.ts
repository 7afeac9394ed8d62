import type { ErrorCode } from '../../domain/error-catalogue';
import { isSharingSettled } from '../../domain/sharing/profit-sharing';
import { audit } from '../core/audit';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { claimKey, rememberKey, type IdempotencyGuard } from '../core/idempotency';
import { lockOrder } from '../core/order-row';
import { findSharing, type SharingView } from './view-sharing';
import { makeOwnNumber, holdSharing, type NewReceiver } from './hold-sharing';

export interface SharingRequest {
  readonly outTradeNo: string;
  /** The caller's own number, or the key that one is made from. */
  readonly number:
    { readonly kind: 'given'; readonly outOrderNo: string } | { readonly kind: 'key' };
  /** Also beside a given number: a key that came with something else before is refused. */
  readonly guard: IdempotencyGuard | null;
  /** None: only unfreezes what is left. */
  readonly receivers: readonly NewReceiver[];
  readonly unfreezeRest: boolean;
}

export type SharingRequestResult =
  /** `startsNow`: its run can be started at once. */
  | { readonly kind: 'created'; readonly sharing: SharingView; readonly startsNow: boolean }
  /** The same was asked for before. */
  | { readonly kind: 'repeated'; readonly sharing: SharingView; readonly settled: boolean }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly detail: string;
      readonly extra: Readonly<Record<string, unknown>>;
    };

/** What the shop asks for. */
export function createSharingRequests(context: DatabaseContext) {
  return {
    /** Commits a sharing, or tells of the one that this number has. Asked twice, it is one (S9). */
    request: (request: SharingRequest, actor: Actor, nowMs: number): Promise<SharingRequestResult> =>
      context.prisma.$transaction((tx) =>
        requestSharing(context, tx, request, actor, new Date(nowMs)),
      ),

    /** null when the order has none of this number. */
    find: (outTradeNo: string, outOrderNo: string): Promise<SharingView | null> =>
      findSharing(context, context.prisma, outOrderNo, outTradeNo),
  };
}

async function requestSharing(
  context: DatabaseContext,
  tx: Tx,
  request: SharingRequest,
  actor: Actor,
  now: Date,
): Promise<SharingRequestResult> {
  const { outTradeNo, receivers, unfreezeRest, number, guard } = request;
  if (guard) {
    const claim = await claimKey(tx, guard, context.hash.hex('body', guard.body));
    if (claim.kind === 'key_reused') return taken('key');
  }
  const order = await lockOrder(tx, outTradeNo);
  if (!order) return refused('NOT_FOUND', `There is no order ${outTradeNo}`);
  const outOrderNo = numberOf(context, request);
  const contentHash = contentOf(context, request);
  const known = await tx.profitSharing.findUnique({
    where: { outOrderNo },
    select: { contentHash: true },
  });
  if (known && known.contentHash !== contentHash) return taken(number.kind);
  if (known) {
    if (guard) await rememberKey(context, tx, guard, outTradeNo);
    return repeated(context, tx, outOrderNo);
  }
  // Two orders don't wait for each other: the number itself decides who was first.
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${outOrderNo}, 0))`;
  const since = await tx.profitSharing.count({ where: { outOrderNo } });
  if (since > 0) return taken(number.kind);
  const reserved = await holdSharing(context, tx, order, {
    outOrderNo,
    receivers,
    unfreezeRest,
    origin: 'api',
    replaces: null,
    contentHash,
    now,
  });
  if (reserved.kind === 'refused') return reserved;
  if (guard) await rememberKey(context, tx, guard, outTradeNo);
  await audit(tx, actor, 'sharing.create', outTradeNo, { out_order_no: outOrderNo });
  const sharing = await findSharing(context, tx, outOrderNo, outTradeNo);
  if (!sharing) throw new Error(`Sharing ${outOrderNo} was not written`);
  return { kind: 'created', sharing, startsNow: reserved.startsNow };
}

function refused(code: ErrorCode, detail: string): SharingRequestResult {
  return { kind: 'refused', code, detail, extra: {} };
}

function taken(by: 'given' | 'key'): SharingRequestResult {
  return by === 'key'
    ? refused('IDEMPOTENCY_KEY_REUSED', 'This Idempotency-Key came with something else before')
    : refused('OUT_ORDER_NO_USED', 'This out_order_no was used with another order or content');
}

async function repeated(
  context: DatabaseContext,
  tx: Tx,
  outOrderNo: string,
): Promise<SharingRequestResult> {
  const sharing = await findSharing(context, tx, outOrderNo, null);
  if (!sharing) throw new Error(`Sharing ${outOrderNo} is gone`);
  return { kind: 'repeated', sharing, settled: isSharingSettled(sharing.status) };
}

/** One number per key for ever, so that a repeat finds what it repeats however late it comes. */
function numberOf(context: DatabaseContext, { number, guard }: SharingRequest): string {
  if (number.kind === 'given') return number.outOrderNo;
  if (!guard) throw new TypeError('A sharing needs a number or an Idempotency-Key');
  const { apiKeyName, route, key } = guard;
  return makeOwnNumber(context, [apiKeyName, route, key]);
}

/** The receivers in any order are the same content. */
function contentOf({ hash }: DatabaseContext, request: SharingRequest): string {
  const { outTradeNo, receivers, unfreezeRest } = request;
  const texts = receivers.map((one) =>
    JSON.stringify([
      one.type,
      one.account,
      one.amountFen,
      one.description,
      one.name,
      one.relationType,
    ]),
  );
  return hash.hex('body', JSON.stringify([outTradeNo, unfreezeRest, texts.sort()]));
}

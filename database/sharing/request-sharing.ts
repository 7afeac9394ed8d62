// Takes the shop's request for a sharing: a repeat finds the same one, a new one holds its amounts.
import type { ErrorCode } from '../../domain/error-catalogue';
import { isMachine } from '../../domain/proposals/person';
import {
  DEFAULT_RELATION,
  isSharingSettled,
  shownAccount,
  type RelationType,
} from '../../domain/sharing/profit-sharing';
import { audit } from '../core/write-audit';
import type { DatabaseContext, Tx } from '../core/context';
import { claimKey, recordKey, type IdempotencyGuard } from '../core/claim-idempotency-key';
import { lockOrder, type LockedOrder } from '../core/lock-order';
import type { TxScope } from '../core/tx-scope';
import { ALONE, moveAlone } from '../proposals/movements';
import type { NewProposal, ProposableRequest, Submission } from '../proposals/proposal-row';
import {
  carriedOutNumber,
  endApproved,
  matchProposal,
  propose,
  type ApprovalRefusal,
} from '../proposals/two-persons';
import { moneyLimits } from '../settings/runtime-settings';
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
  /** A second person has to request the same; nothing is held. */
  | { readonly kind: 'proposed'; readonly proposal: NewProposal }
  /** The proposal can't be approved. */
  | { readonly kind: 'not_approved'; readonly code: ApprovalRefusal }
  | SharingRefusal;

/** The caller of a request. */
export interface SharingSubmission extends Submission {
  /** The body of the request: a proposal keeps it. */
  readonly body: unknown;
}

/** Sharings on the shop's request. */
export function createSharingRequests(context: DatabaseContext) {
  return {
    /**
     * Commits a sharing, or finds the one that this number has: two equal requests make one (S9).
     */
    request: (
      request: SharingRequest,
      submission: SharingSubmission,
      nowMs: number,
    ): Promise<SharingRequestResult> =>
      context.limitRows([`order:${request.outTradeNo}`], () =>
        context.prisma.$transaction((tx) =>
          requestSharing(context, { tx, now: new Date(nowMs) }, { ...request, ...submission }),
        ),
      ),

    /** A sharing of an order; null when the order has none with this number. */
    find: (outTradeNo: string, outOrderNo: string): Promise<SharingView | null> =>
      findSharing(context, context.prisma, { outOrderNo, outTradeNo }),
  };
}

/** A request with its caller. */
type SubmittedSharing = SharingRequest & SharingSubmission;

async function requestSharing(
  context: DatabaseContext,
  scope: TxScope,
  request: SubmittedSharing,
): Promise<SharingRequestResult> {
  const { tx } = scope;
  const { outTradeNo, guard } = request;
  if (guard) {
    const claim = await claimKey(tx, guard, context.hash.hex('body', guard.body));
    if (claim.kind === 'key_reused') return numberTaken('key');
  }
  const order = await lockOrder(tx, outTradeNo);
  if (!order) return refused('NOT_FOUND', `There is no order ${outTradeNo}`);
  const ownNumber = numberOf(context, request);
  const known =
    ownNumber === null
      ? null
      : await findRepeated(
          context,
          tx,
          request,
          await carriedOutNumber(tx, 'profit_sharing', ownNumber),
        );
  if (known?.kind === 'repeated' && guard) await recordKey(context, tx, guard, outTradeNo);
  if (known) return known;
  const result = await holdOrPropose(context, scope, { ...request, order }, ownNumber);
  if (result.kind === 'created' && guard) await recordKey(context, tx, guard, outTradeNo);
  return result;
}

/** Holds the sharing where its caller may request it alone, or approves a proposal with it. */
async function holdOrPropose(
  context: DatabaseContext,
  scope: TxScope,
  request: SubmittedSharing & { readonly order: LockedOrder },
  ownNumber: string | null,
): Promise<SharingRequestResult> {
  const { tx } = scope;
  const { actor, outTradeNo } = request;
  const proposable = proposableOf(context, request, ownNumber);
  const match = await matchProposal(context, scope, request, proposable);
  if (match.kind === 'proposed') return match;
  if (match.kind === 'refused') return { kind: 'not_approved', code: match.code };
  const outOrderNo = match.kind === 'approved' ? match.proposal.number : ownNumber;
  if (outOrderNo === null) throw new TypeError('A sharing needs a number or an Idempotency-Key');
  await tx.$executeRaw`SAVEPOINT requested_sharing`;
  const held = await holdRequested(context, scope, { ...request, outOrderNo });
  if (held.kind !== 'created') return held;
  if (match.kind === 'approved') {
    await endApproved(context, scope, match.proposal, {
      submission: request,
      number: ownNumber,
      outTradeNo,
    });
    return held;
  }
  const movement = { ...proposable, alwaysTwo: false };
  const may = isMachine(actor.role)
    ? ALONE
    : await moveAlone(scope, actor, movement, await moneyLimits(context, tx));
  if (may.kind === 'alone') return held;
  await tx.$executeRaw`ROLLBACK TO SAVEPOINT requested_sharing`;
  const { replaces } = match;
  const proposal = await propose(context, scope, { actor, request: proposable, replaces });
  return { kind: 'proposed', proposal };
}

/** The sharing as a proposal keeps it. Requests with different numbers of their own differ. */
function proposableOf(
  context: DatabaseContext,
  request: SubmittedSharing,
  number: string | null,
): ProposableRequest {
  const { outTradeNo, receivers, unfreezeRest, guard, body } = request;
  const given = request.number.kind === 'given' ? request.number.outOrderNo : null;
  return {
    action: 'profit_sharing',
    subject: outTradeNo,
    amountFen: receivers.reduce((sum, { amountFen }) => sum + amountFen, 0),
    content: [contentOf(context, request), given],
    body,
    shown: {
      out_order_no: number,
      unfreeze_rest: unfreezeRest,
      receivers: receivers.map((one) => ({
        type: one.type,
        account: shownAccount(one),
        amount: one.amountFen,
        description: one.description,
      })),
    },
    number,
    guard,
  };
}

/** Holds the amounts of the receivers, under the lock of the sharing's number. */
async function holdRequested(
  context: DatabaseContext,
  { tx, now }: TxScope,
  request: SubmittedSharing & { readonly order: LockedOrder; readonly outOrderNo: string },
): Promise<SharingRequestResult> {
  const { outTradeNo, outOrderNo, receivers, unfreezeRest, number } = request;
  // Requests for two orders hold different locks: the lock on the number decides which was first.
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(hashtextextended(${outOrderNo}, 0))`;
  const since = await tx.profitSharing.count({ where: { outOrderNo } });
  if (since > 0) return numberTaken(number.kind);
  const hold = await holdSharing(context, tx, request.order, {
    outOrderNo,
    receivers: await withWhatIsKnown(context, tx, receivers),
    unfreezeRest,
    origin: 'api',
    replaces: null,
    contentHash: contentOf(context, request),
    now,
  });
  if (hold.kind === 'refused') return hold;
  await audit(tx, request.actor, {
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

/** Finds the sharing that has the number: one number means one sharing at all times. */
async function findRepeated(
  context: DatabaseContext,
  tx: Tx,
  request: SharingRequest,
  outOrderNo: string,
): Promise<SharingRequestResult | null> {
  const known = await tx.profitSharing.findUnique({
    where: { outOrderNo },
    select: { contentHash: true },
  });
  if (!known) return null;
  if (known.contentHash !== contentOf(context, request)) return numberTaken(request.number.kind);
  const sharing = await findSharing(context, tx, { outOrderNo });
  if (!sharing) throw new Error(`Sharing ${outOrderNo} is gone`);
  return { kind: 'repeated', sharing, settled: isSharingSettled(sharing.status) };
}

/**
 * One key makes one number at all times, so that a repeat finds its sharing however late it comes.
 */
function numberOf(
  context: DatabaseContext,
  { number, guard, approves }: SubmittedSharing,
): string | null {
  if (approves !== null) return null;
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

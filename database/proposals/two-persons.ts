// Finds the proposal that a request repeats or approves, or proposes what one person may not do.
import { v7 as uuidv7 } from 'uuid';
import { PROPOSAL_LIFE_MS } from '../../domain/proposals/limits';
import { personOf } from '../../domain/clients/person';
import { isMachine } from '../../domain/proposals/person';
import type { ProposalAction } from '../../domain/proposals/proposal';
import type { Prisma } from '../../generated/prisma/client';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { recordKey } from '../core/claim-idempotency-key';
import type { TxScope } from '../core/tx-scope';
import {
  auditProposal,
  contentHashOf,
  endProposal,
  keptRequestOf,
  lockOpenProposal,
  requestPlace,
  type KeptRequest,
  type NewProposal,
  type OpenProposal,
  type ProposableRequest,
  type Submission,
} from './proposal-row';

/** Why a proposal can't be approved. */
export type ApprovalRefusal = 'SAME_PERSON' | 'PROPOSAL_ENDED';

/** The relation of a request to the open proposal of its subject. */
export type ProposalMatch =
  /** No open proposal has this content: `replaces` is open with another one, or null. */
  | { readonly kind: 'new'; readonly replaces: OpenProposal | null }
  /** The same person requests it again. */
  | { readonly kind: 'proposed'; readonly proposal: NewProposal }
  /** A second person requests it: it is carried out under the proposal's number. */
  | { readonly kind: 'approved'; readonly proposal: OpenProposal }
  | { readonly kind: 'refused'; readonly code: ApprovalRefusal };

/**
 * Finds the open proposal of a request's subject and locks the subject until the transaction ends.
 * The caller has locked the order, where the subject is one. A machine approves nothing.
 */
export async function matchProposal(
  context: DatabaseContext,
  scope: TxScope,
  { actor, approves }: Submission,
  request: ProposableRequest,
): Promise<ProposalMatch> {
  if (isMachine(actor.role)) return { kind: 'new', replaces: null };
  const open = await lockOpenProposal(scope, request);
  const isMine = open?.person === personOf(actor);
  if (approves !== null) {
    if (open?.id !== approves) return { kind: 'refused', code: 'PROPOSAL_ENDED' };
    return isMine ? { kind: 'refused', code: 'SAME_PERSON' } : { kind: 'approved', proposal: open };
  }
  if (!open || open.contentHash !== contentHashOf(context, request)) {
    return { kind: 'new', replaces: open };
  }
  return isMine ? { kind: 'proposed', proposal: open } : { kind: 'approved', proposal: open };
}

/** A request that no open proposal has yet. */
interface NewRequest {
  readonly actor: Actor;
  readonly request: ProposableRequest;
  /** The open proposal with other content for the same subject. */
  readonly replaces: OpenProposal | null;
}

/** Stores a request for a second person, in the place of other content for the same subject. */
export async function propose(
  context: DatabaseContext,
  scope: TxScope,
  { actor, request, replaces }: NewRequest,
): Promise<NewProposal> {
  const { tx, now } = scope;
  if (replaces) await endProposal(scope, replaces, 'replaced', actor);
  const { action, subject, subjectKey = subject, amountFen, body, guard = null } = request;
  const proposal = {
    id: uuidv7(),
    action,
    subject,
    amountFen,
    proposedBy: actor.name,
    expiresAt: new Date(now.getTime() + PROPOSAL_LIFE_MS),
  };
  const kept: KeptRequest = { body, guard };
  await tx.proposal.createMany({
    data: [
      {
        ...proposal,
        subjectKey,
        contentHash: contentHashOf(context, request),
        requestEncrypted: context.cipher.encrypt(requestPlace(proposal.id), JSON.stringify(kept)),
        shown: { ...request.shown } as Prisma.InputJsonObject,
        number: request.number ?? null,
        person: personOf(actor),
        proposedAt: now,
      },
    ],
  });
  await auditProposal(tx, actor, 'made', { ...proposal, details: request.shown });
  return proposal;
}

/**
 * Ends a proposal in the transaction that carries it out. The keys of both persons then name the
 * number that it was carried out under.
 * @param own what the approver's request would have made alone; left out where it makes none
 */
export async function endApproved(
  context: DatabaseContext,
  { tx, now }: TxScope,
  proposal: OpenProposal,
  approver: {
    readonly submission: Submission;
    readonly number?: string | null;
    /** The order that an Idempotency-Key of the proposer names from now on. */
    readonly outTradeNo?: string;
  },
): Promise<void> {
  const { number = null, outTradeNo } = approver;
  const { actor, note } = approver.submission;
  const { count } = await tx.proposal.updateMany({
    where: { id: proposal.id, status: 'open' },
    data: {
      status: 'done',
      endedAt: now,
      approvedBy: actor.name,
      approverNumber: number === proposal.number ? null : number,
    },
  });
  if (count === 0) throw new Error(`The proposal ${proposal.id} is not open`);
  const { guard } = keptRequestOf(context, proposal);
  if (guard && outTradeNo !== undefined) await recordKey(context, tx, guard, outTradeNo);
  const details = { proposed_by: proposal.proposedBy, note: note ?? null };
  await auditProposal(tx, actor, 'approved', { ...proposal, details });
}

/**
 * The number that a request is carried out under: the proposer's, where the caller approved a
 * proposal by a request that would have had this number.
 */
export async function carriedOutNumber(
  tx: Tx,
  action: ProposalAction,
  number: string,
): Promise<string> {
  const approved = await tx.proposal.findFirst({
    where: { action, approverNumber: number },
    select: { number: true },
  });
  return approved?.number ?? number;
}

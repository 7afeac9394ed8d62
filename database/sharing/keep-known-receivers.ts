// Adds, lists and removes the receivers that payments may be shared with.
import { v7 as uuidv7 } from 'uuid';
import type { ReceiverType, RelationType } from '../../domain/sharing/profit-sharing';
import { maskAccount } from '../../domain/sharing/mask-account';
import type { Actor, DatabaseContext } from '../core/context';
import type { TxScope } from '../core/tx-scope';
import { audit } from '../core/write-audit';
import type { NewProposal, ProposableRequest, Submission } from '../proposals/proposal-row';
import {
  endApproved,
  matchProposal,
  propose,
  type ApprovalRefusal,
} from '../proposals/two-persons';
import {
  KNOWN_RECEIVER,
  knownPlace,
  viewKnownReceiver,
  type KnownReceiver,
} from './find-known-receivers';

/** A receiver that an admin makes known. */
export interface AddedReceiver {
  readonly type: ReceiverType;
  readonly account: string;
  /** null: the one that is known stays. */
  readonly name: string | null;
  /** null: the one that is known stays. */
  readonly relationType: RelationType | null;
}

interface ReceiverAdded {
  readonly kind: 'created' | 'known';
  readonly receiver: KnownReceiver;
}

export type AddReceiverResult =
  | ReceiverAdded
  | { readonly kind: 'proposed'; readonly proposal: NewProposal }
  | { readonly kind: 'refused'; readonly code: ApprovalRefusal };

/** Which page of the known receivers to read. */
export interface KnownReceiverPage {
  /** The last row of the page before. */
  readonly after: { readonly createdAt: Date; readonly id: string } | null;
  readonly limit: number;
}

/** The receivers that payments may be shared with. */
export function createKnownReceivers(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /**
     * Makes an account known; for a known one it replaces the name and the relation that are given.
     * A new account is a destination of money, so two persons have to request it.
     * @returns `created`: the account was not known before
     */
    add: (
      receiver: AddedReceiver,
      submission: Submission,
      nowMs: number,
    ): Promise<AddReceiverResult> =>
      prisma.$transaction((tx) =>
        requestReceiver(context, { tx, now: new Date(nowMs) }, receiver, submission),
      ),

    /** Lists the known receivers, the oldest first. */
    async list({ after, limit }: KnownReceiverPage): Promise<KnownReceiver[]> {
      const rows = await prisma.knownReceiver.findMany({
        where: {
          removedAt: null,
          ...(after && {
            OR: [
              { createdAt: { gt: after.createdAt } },
              { createdAt: after.createdAt, id: { gt: after.id } },
            ],
          }),
        },
        select: KNOWN_RECEIVER,
        orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
        take: limit,
      });
      return rows.map((row) => viewKnownReceiver(context, row));
    },

    /**
     * Removes a receiver: no sharing is requested with it any more. Those that were requested
     * before go on.
     * @returns false when there never was one with this id
     */
    remove: (id: string, actor: Actor, nowMs: number): Promise<boolean> =>
      prisma.$transaction((tx) => removeReceiver(context, { tx, now: new Date(nowMs) }, id, actor)),
  };
}

async function requestReceiver(
  context: DatabaseContext,
  scope: TxScope,
  receiver: AddedReceiver,
  submission: Submission,
): Promise<AddReceiverResult> {
  const { type, account, name, relationType } = receiver;
  const { actor } = submission;
  const accountHash = context.hash.hex('account', account);
  const body = { type, account, name, relation_type: relationType };
  const request: ProposableRequest = {
    action: 'receiver',
    subject: maskAccount(account),
    subjectKey: `${type} ${accountHash}`,
    amountFen: null,
    content: [name, relationType],
    body: Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)),
    shown: { type, account: maskAccount(account), relation_type: relationType },
  };
  const match = await matchProposal(context, scope, submission, request);
  if (match.kind === 'refused' || match.kind === 'proposed') return match;
  if (match.kind === 'new' && !(await isKnown(scope, type, accountHash))) {
    const { replaces } = match;
    return {
      kind: 'proposed',
      proposal: await propose(context, scope, { actor, request, replaces }),
    };
  }
  const added = await addReceiver(context, scope, receiver, actor);
  if (match.kind === 'approved') await endApproved(context, scope, match.proposal, { submission });
  return added;
}

async function isKnown({ tx }: TxScope, type: ReceiverType, accountHash: string): Promise<boolean> {
  return (await tx.knownReceiver.count({ where: { type, accountHash, removedAt: null } })) > 0;
}

async function addReceiver(
  context: DatabaseContext,
  { tx, now }: TxScope,
  { type, account, name, relationType }: AddedReceiver,
  actor: Actor,
): Promise<ReceiverAdded> {
  const { cipher, hash } = context;
  const ownId = uuidv7();
  const accountHash = hash.hex('account', account);
  const accountEncrypted = cipher.encrypt(knownPlace('account', ownId), account);
  // Inserted first, so that two requests for one account wait for each other.
  const { count: inserted } = await tx.knownReceiver.createMany({
    data: [{ id: ownId, type, accountHash, accountEncrypted, createdAt: now }],
    skipDuplicates: true,
  });
  const [locked] = await tx.$queryRaw<{ id: string; removed: boolean }[]>`
    SELECT id::text, removed_at IS NOT NULL AS removed FROM known_receivers
    WHERE type = ${type} AND account_hash = ${accountHash} FOR UPDATE`;
  if (!locked) throw new Error('The receiver was not written');
  const { id, removed } = locked;
  const isNew = inserted > 0 || removed;
  await tx.knownReceiver.updateMany({
    where: { id },
    data: {
      ...(name !== null && { nameEncrypted: cipher.encrypt(knownPlace('name', id), name) }),
      ...(relationType !== null && { relationType }),
      ...(removed && { removedAt: null, createdAt: now }),
    },
  });
  if (isNew || name !== null || relationType !== null) {
    await audit(tx, actor, {
      action: isNew ? 'receiver.add' : 'receiver.change',
      subject: id,
      details: { type, account: maskAccount(account), relation_type: relationType },
    });
  }
  const row = await tx.knownReceiver.findUniqueOrThrow({ where: { id }, select: KNOWN_RECEIVER });
  return { kind: isNew ? 'created' : 'known', receiver: viewKnownReceiver(context, row) };
}

async function removeReceiver(
  context: DatabaseContext,
  { tx, now }: TxScope,
  id: string,
  actor: Actor,
): Promise<boolean> {
  const { count: removed } = await tx.knownReceiver.updateMany({
    where: { id, removedAt: null },
    data: { removedAt: now },
  });
  const row = await tx.knownReceiver.findUnique({ where: { id }, select: KNOWN_RECEIVER });
  if (!row) return false;
  if (removed > 0) {
    const { type, account } = viewKnownReceiver(context, row);
    const details = { type, account: account && maskAccount(account) };
    await audit(tx, actor, { action: 'receiver.remove', subject: id, details });
  }
  return true;
}

// Locks, reads and ends the one open proposal of a subject.
import type { ProposalAction } from '../../domain/proposals/proposal';
import { personOf } from '../../domain/clients/person';
import { audit } from '../core/write-audit';
import type { IdempotencyGuard } from '../core/claim-idempotency-key';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import type { TxScope } from '../core/tx-scope';

/** A request that one person may not be allowed to make alone. */
export interface ProposableRequest {
  readonly action: ProposalAction;
  /** As callers see it: an order number, a name, a masked account. */
  readonly subject: string;
  /** A keyed hash of the thing that it is about; only where `subject` is masked. */
  readonly subjectKey?: string;
  /** Fen; null where no money moves. */
  readonly amountFen: number | null;
  /** All that two requests have in common when they are the same. */
  readonly content: readonly unknown[];
  /** The body of the request, from which it is carried out; it is kept encrypted. */
  readonly body: unknown;
  /** The request as callers see it; no personal data. */
  readonly shown: Readonly<Record<string, unknown>>;
  /** The number that the refund or sharing gets; null or left out where it makes none. */
  readonly number?: string | null;
  /** The Idempotency-Key of the request. */
  readonly guard?: IdempotencyGuard | null;
}

/** How a request comes: from a caller, or as the approval of a proposal. */
export interface Submission {
  readonly actor: Actor;
  /** The proposal that the caller approves by its id; null for a request with its own body. */
  readonly approves: string | null;
  /** The reason of the approval, for the audit log. */
  readonly note?: string;
}

/** An open proposal. */
export interface OpenProposal {
  readonly id: string;
  readonly action: ProposalAction;
  readonly subject: string;
  readonly amountFen: number | null;
  readonly contentHash: string;
  readonly requestEncrypted: string;
  readonly number: string | null;
  readonly proposedBy: string;
  readonly person: string;
  readonly expiresAt: Date;
}

/** A proposal as the reply 202 shows it. */
export type NewProposal = Pick<
  OpenProposal,
  'id' | 'action' | 'subject' | 'amountFen' | 'proposedBy' | 'expiresAt'
>;

const OPEN_PROPOSAL = {
  id: true,
  action: true,
  subject: true,
  amountFen: true,
  contentHash: true,
  requestEncrypted: true,
  number: true,
  proposedBy: true,
  person: true,
  expiresAt: true,
} as const;

const keyOf = ({ subject, subjectKey }: ProposableRequest): string => subjectKey ?? subject;

/** Hashes what two equal requests have in common. */
export function contentHashOf({ hash }: DatabaseContext, request: ProposableRequest): string {
  return hash.hex('body', JSON.stringify([request.action, keyOf(request), ...request.content]));
}

/** Apart from the locks of numbers. */
const SUBJECT_LOCKS = 2;

/**
 * Locks the subject until the transaction ends, and reads its open proposal. One whose time is over
 * expires here.
 */
export async function lockOpenProposal(
  { tx, now }: TxScope,
  request: ProposableRequest,
): Promise<OpenProposal | null> {
  const { action } = request;
  const subjectKey = keyOf(request);
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(
    hashtextextended(${`${action} ${subjectKey}`}, ${SUBJECT_LOCKS}::bigint))`;
  const open = await tx.proposal.findFirst({
    where: { action, subjectKey, status: 'open' },
    select: OPEN_PROPOSAL,
  });
  if (!open) return null;
  const proposal = { ...open, action };
  if (open.expiresAt > now) return proposal;
  await endProposal({ tx, now }, proposal, 'expired');
  return null;
}

/** The author of entries of the audit log that no key caused. */
const ONCEPAY: Actor = { name: 'oncepay', role: 'none' };

/** Ends a proposal without carrying it out: `replaced` by other content counts as withdrawn. */
export async function endProposal(
  { tx, now }: TxScope,
  proposal: AuditedProposal,
  how: 'withdrawn' | 'replaced' | 'expired',
  actor: Actor = ONCEPAY,
): Promise<void> {
  const status = how === 'expired' ? 'expired' : 'withdrawn';
  await tx.proposal.updateMany({
    where: { id: proposal.id, status: 'open' },
    data: { status, endedAt: now },
  });
  await auditProposal(tx, actor, how, proposal);
}

type AuditedProposal = Pick<OpenProposal, 'id' | 'action' | 'subject' | 'amountFen'>;

/** Writes into the audit log what became of a proposal. */
export function auditProposal(
  tx: Tx,
  actor: Actor,
  what: 'made' | 'approved' | 'withdrawn' | 'replaced' | 'expired',
  proposal: AuditedProposal & { readonly details?: Readonly<Record<string, unknown>> },
): Promise<void> {
  const { id, action, subject, amountFen, details } = proposal;
  return audit(tx, actor, {
    action: `proposal.${what}`,
    subject,
    details: { proposal_id: id, action, amount: amountFen, person: personOf(actor), ...details },
  });
}

/** A request as it is kept: its body, and the key that a repeat of it has. */
export interface KeptRequest {
  readonly body: unknown;
  readonly guard: IdempotencyGuard | null;
}

export const requestPlace = (id: string) => ({ table: 'proposals', column: 'request', row: id });

/** Decrypts the request of a proposal. */
export function keptRequestOf(
  { cipher }: Pick<DatabaseContext, 'cipher'>,
  { id, requestEncrypted }: Pick<OpenProposal, 'id' | 'requestEncrypted'>,
): KeptRequest {
  return JSON.parse(cipher.decrypt(requestPlace(id), requestEncrypted)) as KeptRequest;
}

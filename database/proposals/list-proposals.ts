// Lists proposals, withdraws them, announces new ones and ends those whose time is over.
import { MOVED_WITHIN_MS, PROPOSAL_LIFE_MS } from '../../domain/proposals/limits';
import { personOf } from '../../domain/clients/person';
import type { ProposalAction, ProposalStatus } from '../../domain/proposals/proposal';
import { Prisma } from '../../generated/prisma/client';
import type { Actor, DatabaseContext } from '../core/context';
import { endProposal, keptRequestOf } from './proposal-row';
import type { ApprovalRefusal } from './two-persons';

/** A proposal as the list shows it. */
export interface ProposalView {
  readonly id: string;
  readonly action: ProposalAction;
  readonly subject: string;
  /** Fen; null where no money moves, and where a resolution may move an unknown amount. */
  readonly amountFen: number | null;
  readonly status: ProposalStatus;
  /** null for a resolution that was proposed in Temporal's Web UI. */
  readonly proposedBy: string | null;
  readonly proposedAt: Date;
  readonly expiresAt: Date;
  readonly approvedBy: string | null;
  readonly endedAt: Date | null;
  /** The request without personal data. */
  readonly shown: unknown;
}

export interface ProposalFilter {
  readonly status: ProposalStatus | null;
  /** The last row of the page before. */
  readonly after: { readonly at: Date; readonly id: string } | null;
  readonly limit: number;
}

/** A new proposal that no alert has been sent for. */
export type UnannouncedProposal = Pick<
  ProposalView,
  'id' | 'action' | 'subject' | 'amountFen' | 'proposedBy'
>;

export type Withdrawal =
  | { readonly kind: 'withdrawn' | 'not_found' | 'not_yours' }
  | { readonly kind: 'refused'; readonly code: ApprovalRefusal };

/** Requests that wait for a second person, and proposed resolutions among them. */
export function createProposals(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /** One page, the oldest first; null fits every status. */
    list: ({ status, after, limit }: ProposalFilter, nowMs: number): Promise<ProposalView[]> =>
      prisma.$queryRaw<ProposalView[]>`
        SELECT * FROM (${allProposals(new Date(nowMs))}) p
        WHERE ${status === null ? Prisma.sql`true` : Prisma.sql`p.status = ${status}`}
          AND ${
            after === null
              ? Prisma.sql`true`
              : Prisma.sql`(p."proposedAt", p.id::uuid) > (${after.at}, ${after.id}::uuid)`
          }
        ORDER BY p."proposedAt", p.id::uuid LIMIT ${limit}`,

    /** @returns null when there is none */
    async find(id: string, nowMs: number): Promise<ProposalView | null> {
      const [row] = await prisma.$queryRaw<ProposalView[]>`
        SELECT * FROM (${allProposals(new Date(nowMs))}) p WHERE p.id = ${id}`;
      return row ?? null;
    },

    /** The body of the request that a proposal carries out; not for resolutions. */
    async bodyOf(id: string): Promise<unknown> {
      const row = await prisma.proposal.findUniqueOrThrow({
        where: { id },
        select: { id: true, requestEncrypted: true },
      });
      return keptRequestOf(context, row).body;
    },

    /** Withdraws an open proposal: its person may, and an admin. Not for resolutions. */
    withdraw: (id: string, actor: Actor, nowMs: number): Promise<Withdrawal> =>
      withdraw(context, id, actor, new Date(nowMs)),

    /** Ends what nobody approved in time, and forgets movements that no sum counts any more. */
    expire: (nowMs: number): Promise<void> => expire(context, new Date(nowMs)),

    /**
     * Hands up to `limit` new proposals to `send`, oldest first. Several processes may call it at
     * once: each takes others. They count as announced once `send` has returned; when it throws, or
     * the process dies, they are announced again.
     */
    announce: (
      limit: number,
      send: (proposals: readonly UnannouncedProposal[]) => Promise<void>,
      now: () => number,
    ): Promise<void> => announce(context, { limit, send, now }),
  };
}

/**
 * The proposals, and the resolutions that waited for a second person: one that a person approved
 * alone never did. A resolution whose intervention ended by itself counts as withdrawn.
 */
function allProposals(now: Date): Prisma.Sql {
  const life = Prisma.sql`${`${PROPOSAL_LIFE_MS} milliseconds`}::interval`;
  return Prisma.sql`
    SELECT id::text, action, subject, amount_fen AS "amountFen",
      CASE WHEN status = 'open' AND expires_at <= ${now} THEN 'expired' ELSE status END AS status,
      proposed_by AS "proposedBy", proposed_at AS "proposedAt", expires_at AS "expiresAt",
      approved_by AS "approvedBy", ended_at AS "endedAt", shown
    FROM proposals
    UNION ALL
    SELECT r.id::text, 'resolution', r.intervention_id::text, r.proposed_fen,
      CASE WHEN r.approved_by IS NOT NULL THEN 'done'
        WHEN coalesce(r.finished_at, ${now}) >= r.proposed_at + ${life} THEN 'expired'
        WHEN r.status = 'withdrawn' OR i.status <> 'open' THEN 'withdrawn'
        ELSE 'open' END,
      r.proposed_by, r.proposed_at, r.proposed_at + ${life},
      r.approved_by, coalesce(r.approved_at, r.finished_at, i.resolved_at),
      json_build_object('out_trade_no', r.out_trade_no, 'reason', i.reason,
        'subject', i.subject, 'action', r.action, 'note', r.note)::jsonb
    FROM intervention_resolutions r JOIN interventions i ON i.id = r.intervention_id
    WHERE r.approved_by IS NULL OR r.approved_by IS DISTINCT FROM r.proposed_by`;
}

function withdraw(
  { prisma }: DatabaseContext,
  id: string,
  actor: Actor,
  now: Date,
): Promise<Withdrawal> {
  return prisma.$transaction(async (tx): Promise<Withdrawal> => {
    const [row] = await tx.$queryRaw<
      (Pick<ProposalView, 'id' | 'action' | 'subject' | 'amountFen' | 'expiresAt'> & {
        readonly status: string;
        readonly person: string;
      })[]
    >`SELECT id::text, action, subject, amount_fen AS "amountFen", status, person,
        expires_at AS "expiresAt"
      FROM proposals WHERE id = ${id}::uuid FOR NO KEY UPDATE`;
    if (!row) return { kind: 'not_found' };
    if (row.person !== personOf(actor) && actor.role !== 'admin') return { kind: 'not_yours' };
    if (row.status !== 'open' || row.expiresAt <= now) {
      return { kind: 'refused', code: 'PROPOSAL_ENDED' };
    }
    await endProposal({ tx, now }, row, 'withdrawn', actor);
    return { kind: 'withdrawn' };
  });
}

/** Proposals that one transaction ends. */
const EXPIRED_AT_ONCE = 100;
/** Twice the time that sums count: a clock that is behind still finds its rows. */
const KEPT_MS = 2 * MOVED_WITHIN_MS;
const FORGOTTEN_AT_ONCE = 500;

async function expire({ prisma }: DatabaseContext, now: Date): Promise<void> {
  await prisma.$transaction(async (tx) => {
    const rows = await tx.$queryRaw<
      Pick<ProposalView, 'id' | 'action' | 'subject' | 'amountFen'>[]
    >`
      SELECT id::text, action, subject, amount_fen AS "amountFen" FROM proposals
      WHERE status = 'open' AND expires_at <= ${now}
      ORDER BY expires_at LIMIT ${EXPIRED_AT_ONCE} FOR NO KEY UPDATE SKIP LOCKED`;
    for (const row of rows) await endProposal({ tx, now }, row, 'expired');
  });
  const before = new Date(now.getTime() - KEPT_MS);
  await prisma.$executeRaw`
    DELETE FROM movements WHERE id IN (SELECT id FROM movements WHERE at < ${before}
      ORDER BY at LIMIT ${FORGOTTEN_AT_ONCE} FOR UPDATE SKIP LOCKED)`;
}

function announce(
  { prisma }: DatabaseContext,
  {
    limit,
    send,
    now,
  }: {
    readonly limit: number;
    readonly send: (proposals: readonly UnannouncedProposal[]) => Promise<void>;
    readonly now: () => number;
  },
): Promise<void> {
  return prisma.$transaction(async (tx) => {
    const requests = await tx.$queryRaw<UnannouncedProposal[]>`
      SELECT id::text, action, subject, amount_fen AS "amountFen", proposed_by AS "proposedBy"
      FROM proposals WHERE status = 'open' AND alerted_at IS NULL
      ORDER BY proposed_at LIMIT ${limit} FOR NO KEY UPDATE SKIP LOCKED`;
    const resolutions = await tx.$queryRaw<UnannouncedProposal[]>`
      SELECT id::text, 'resolution' AS action, out_trade_no AS subject,
        proposed_fen AS "amountFen", proposed_by AS "proposedBy"
      FROM intervention_resolutions WHERE status = 'proposed' AND alerted_at IS NULL
      ORDER BY proposed_at LIMIT ${limit} FOR NO KEY UPDATE SKIP LOCKED`;
    const proposals = [...requests, ...resolutions];
    if (proposals.length === 0) return;
    await send(proposals);
    const at = new Date(now());
    const ids = (rows: readonly UnannouncedProposal[]) => rows.map(({ id }) => id);
    await tx.$executeRaw`
      UPDATE proposals SET alerted_at = ${at} WHERE id = ANY(${ids(requests)}::uuid[])`;
    await tx.$executeRaw`UPDATE intervention_resolutions SET alerted_at = ${at}
      WHERE id = ANY(${ids(resolutions)}::uuid[])`;
  });
}

// Commits a resolution that an operator submits: approved at once, or proposed to a second key.
import { v7 as uuidv7 } from 'uuid';
import { Prisma } from '../../generated/prisma/client';
import type { ErrorCode } from '../../domain/error-catalogue';
import { actionsFor, type InterventionAction } from '../../domain/interventions/reasons';
import { PROPOSAL_LIFE_MS } from '../../domain/proposals/limits';
import { personOf } from '../../domain/proposals/person';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { openScope, type Scope } from '../core/scope';
import type { Submission } from '../proposals/proposal-row';
import type { OpenIntervention, Params } from './resolution-scope';
import { carryOutApproved } from './carry-out-approved';
import { approval, auditResolution, hashOf } from './resolution-records';
import { mayResolveAlone, measuredFen, tryOut } from './dry-run';

export interface ResolutionInput {
  readonly action: InterventionAction;
  readonly note: string;
  readonly params: Params;
}

export interface ResolutionRequest extends ResolutionInput, Omit<Submission, 'note'> {
  /** The intervention, or the order that has exactly one open. */
  readonly to: { readonly interventionId: string } | { readonly outTradeNo: string };
  readonly nowMs: number;
}

export type SubmittedResolution =
  /** Committed: the run carries it out. */
  | {
      readonly kind: 'approved';
      readonly resolutionId: string;
      readonly intervention: ResolvedIntervention;
    }
  /** Committed: a second person has to approve it. */
  | {
      readonly kind: 'proposed';
      readonly resolutionId: string;
      readonly intervention: ResolvedIntervention;
    }
  /** The same resolution was carried out before. */
  | {
      readonly kind: 'done';
      readonly resolutionId: string;
      readonly intervention: ResolvedIntervention;
    }
  | { readonly kind: 'not_found' }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly detail: string;
      readonly extra: Readonly<Record<string, unknown>>;
    };

export interface ResolvedIntervention {
  readonly interventionId: string;
  /** null where it is about a bill: it is carried out with its approval, and no run does it. */
  readonly outTradeNo: string | null;
  readonly reason: string;
  readonly subject: string;
}

interface InterventionRow extends OpenIntervention {
  readonly outTradeNo: string | null;
  readonly status: string;
}

/** Commits a resolution before the run is woken; the same one twice is one. */
export async function submitResolution(
  context: DatabaseContext,
  request: ResolutionRequest,
): Promise<SubmittedResolution> {
  const key = await keyOf(context.prisma, request.to);
  if (key === null) return { kind: 'not_found' };
  const submit = async (tx: Tx): Promise<SubmittedResolution> => {
    const now = new Date(request.nowMs);
    const scope = await openScope(tx, key, now);
    const found = await lockIntervention(tx, request.to);
    if (request.approves !== null && ('kind' in found || found.status !== 'open')) {
      return refusal('PROPOSAL_ENDED', ENDED);
    }
    if ('kind' in found) {
      const repeated =
        found.kind === 'refused' && (await repeatedResolution(context, scope, request));
      return repeated || found;
    }
    if (found.status !== 'open') return resolvedBefore(context, tx, found, request);
    const submitted = await resolveOpen(context, scope, found, request);
    if (found.outTradeNo === null && submitted.kind === 'approved') {
      await carryOutApproved(context, scope);
    }
    return submitted;
  };
  return context.limitRows([`order:${key}`], () => context.prisma.$transaction(submit));
}

/** The number whose run carries the resolution out; the subject of an intervention about a bill. */
async function keyOf(
  tx: Pick<Tx, 'intervention' | 'order'>,
  to: ResolutionRequest['to'],
): Promise<string | null> {
  if ('interventionId' in to) {
    const row = await tx.intervention.findUnique({
      where: { id: to.interventionId },
      select: { outTradeNo: true, subject: true },
    });
    return row?.outTradeNo ?? row?.subject ?? null;
  }
  const { outTradeNo } = to;
  return (await tx.order.count({ where: { outTradeNo } })) === 1 ? outTradeNo : null;
}

async function lockIntervention(
  tx: Tx,
  to: ResolutionRequest['to'],
): Promise<InterventionRow | (SubmittedResolution & { kind: 'refused' | 'not_found' })> {
  const columns = Prisma.sql`id::text, out_trade_no AS "outTradeNo", reason, subject, status,
    amount_fen AS "amountFen", evidence`;
  if ('interventionId' in to) {
    const [row] = await tx.$queryRaw<InterventionRow[]>`
      SELECT ${columns} FROM interventions WHERE id = ${to.interventionId}::uuid FOR NO KEY UPDATE`;
    return row ?? { kind: 'not_found' };
  }
  const open = await tx.$queryRaw<InterventionRow[]>`
    SELECT ${columns} FROM interventions WHERE out_trade_no = ${to.outTradeNo} AND status = 'open'
    ORDER BY since, id FOR NO KEY UPDATE`;
  const [only] = open;
  if (!only) return refusal('NOTHING_OPEN', 'This order has no open intervention');
  if (open.length > 1) {
    const interventions = open.map(({ id, reason, subject }) => ({ id, reason, subject }));
    const detail = `${open.length} interventions are open: name one by its intervention_id`;
    return refusal('INTERVENTION_AMBIGUOUS', detail, { interventions });
  }
  return only;
}

function refusal(
  code: ErrorCode,
  detail: string,
  extra: Readonly<Record<string, unknown>> = {},
): SubmittedResolution & { kind: 'refused' } {
  return { kind: 'refused', code, detail, extra };
}

/** The intervention as callers see it. */
const publicPart = ({
  id,
  outTradeNo,
  reason,
  subject,
}: InterventionRow): ResolvedIntervention => ({
  interventionId: id,
  outTradeNo,
  reason,
  subject,
});

const ENDED =
  'This proposal was carried out, withdrawn or replaced, or its 24 hours are over: ' +
  'resolve the intervention anew if it is still open';

/** The same resolution again (a double click), or one that comes after another. */
async function resolvedBefore(
  { hash }: DatabaseContext,
  tx: Tx,
  intervention: InterventionRow,
  { action, params }: ResolutionInput,
): Promise<SubmittedResolution> {
  const same = await tx.interventionResolution.findFirst({
    where: {
      interventionId: intervention.id,
      action,
      paramsHash: hashOf(hash, params),
      status: 'done',
    },
    select: { id: true },
  });
  if (same) return { kind: 'done', resolutionId: same.id, intervention: publicPart(intervention) };
  const ended = await tx.intervention.findUnique({
    where: { id: intervention.id },
    select: { resolution: true },
  });
  const resolution = ended?.resolution ?? null;
  const detail =
    resolution === 'moot'
      ? 'This intervention ended, because the order went on: nothing is left to decide'
      : `This intervention was resolved with ${resolution ?? 'another action'} already`;
  return refusal('INTERVENTION_RESOLVED', detail, { resolution });
}

/** How long after a resolution by order number the same one counts as a double click. */
const DOUBLE_CLICK_MS = 10 * 60_000;

/** The same resolution by order number again: nothing is open, since the first was carried out. */
async function repeatedResolution(
  { hash }: DatabaseContext,
  { tx, outTradeNo, now }: Scope,
  { action, params, note, actor }: ResolutionRequest,
): Promise<SubmittedResolution | null> {
  const open = await tx.intervention.count({ where: { outTradeNo, status: 'open' } });
  if (open > 0) return null;
  const row = await tx.interventionResolution.findFirst({
    where: {
      outTradeNo,
      action,
      note,
      paramsHash: hashOf(hash, params),
      status: 'done',
      OR: [{ proposedBy: actor.name }, { approvedBy: actor.name }],
      finishedAt: { gt: new Date(now.getTime() - DOUBLE_CLICK_MS) },
    },
    orderBy: { id: 'desc' },
    select: { id: true, intervention: { select: { id: true, reason: true, subject: true } } },
  });
  if (!row) return null;
  const { id: interventionId, reason, subject } = row.intervention;
  return {
    kind: 'done',
    resolutionId: row.id,
    intervention: { interventionId, outTradeNo, reason, subject },
  };
}

/** An open intervention, with the amount by which the submitted resolution counts. */
type MeasuredIntervention = InterventionRow & {
  /** Fen, below 0 where it frees money; null when unknown. */
  readonly measuredFen: number | null;
};

interface PendingResolution {
  readonly id: string;
  readonly action: string;
  readonly paramsHash: string;
  readonly status: string;
  readonly proposedBy: string | null;
  readonly proposedPerson: string | null;
  readonly proposedAt: Date;
}

async function resolveOpen(
  context: DatabaseContext,
  scope: Scope,
  open: InterventionRow,
  request: ResolutionRequest,
): Promise<SubmittedResolution> {
  const { action, params } = request;
  const actions = actionsFor(open.reason, open.subject);
  if (!actions.includes(action)) {
    const detail = `${action} can't resolve ${open.reason} (${open.subject})`;
    return refusal('ACTION_NOT_ALLOWED', detail, { reason: open.reason, actions });
  }
  const resolution = { context, scope, intervention: open, action, params };
  const { outcome, movedFen } = await tryOut(resolution);
  if (outcome.kind === 'refused') return refusal(outcome.code, outcome.detail);
  const intervention = { ...open, measuredFen: await measuredFen(resolution, movedFen) };
  const pending = await pendingResolution(scope, intervention, request);
  if (request.approves !== null && pending?.id !== request.approves) {
    return refusal('PROPOSAL_ENDED', ENDED);
  }
  const same = pending?.action === action && pending.paramsHash === hashOf(context.hash, params);
  if (!pending) return insertResolution(context, scope, intervention, request);
  if (pending.status === 'approved') {
    if (same) {
      return { kind: 'approved', resolutionId: pending.id, intervention: publicPart(intervention) };
    }
    const detail = `The resolution ${pending.action} is approved and is being carried out`;
    return refusal('ANSWER_UNDER_WAY', detail);
  }
  if (same) return secondResolution(context, scope, request, { intervention, pending });
  await endPending(scope, pending, intervention, request);
  return insertResolution(context, scope, intervention, request);
}

/** The resolution that waits; a proposal whose time is over ends here. */
async function pendingResolution(
  scope: Scope,
  intervention: InterventionRow,
  request: ResolutionRequest,
): Promise<PendingResolution | null> {
  const pending: PendingResolution | null = await scope.tx.interventionResolution.findFirst({
    where: { interventionId: intervention.id, status: { in: ['proposed', 'approved'] } },
    select: {
      id: true,
      action: true,
      paramsHash: true,
      status: true,
      proposedBy: true,
      proposedPerson: true,
      proposedAt: true,
    },
  });
  const isOver =
    pending?.status === 'proposed' &&
    pending.proposedAt.getTime() + PROPOSAL_LIFE_MS <= scope.now.getTime();
  if (!isOver) return pending;
  await endPending(scope, pending, intervention, request);
  return null;
}

/** Ends a proposal that other content replaces, or that nobody approved in time. */
async function endPending(
  { tx, now }: Scope,
  { id, action }: PendingResolution,
  intervention: InterventionRow,
  { actor, note }: ResolutionRequest,
): Promise<void> {
  await tx.interventionResolution.updateMany({
    where: { id, status: 'proposed' },
    data: { status: 'withdrawn', finishedAt: now },
  });
  await auditResolution(tx, actor, 'withdrawn', { id, action, note, intervention });
}

async function insertResolution(
  context: DatabaseContext,
  scope: Scope,
  intervention: MeasuredIntervention,
  request: ResolutionRequest,
): Promise<SubmittedResolution> {
  const { action, note, params, actor } = request;
  const { cipher, hash } = context;
  const { tx, now, outTradeNo } = scope;
  const id = uuidv7();
  const place = { table: 'intervention_resolutions', column: 'params', row: id };
  const given = Object.keys(params).length > 0;
  const resolution = { ...intervention, outTradeNo, id, action, actor };
  const isAlone = await mayResolveAlone(context, scope, resolution);
  const kind = isAlone ? 'approved' : 'proposed';
  await tx.interventionResolution.createMany({
    data: [
      {
        id,
        interventionId: intervention.id,
        outTradeNo,
        action,
        paramsEncrypted: given ? cipher.encrypt(place, JSON.stringify(params)) : null,
        paramsHash: hashOf(hash, params),
        note,
        status: kind,
        ...proposalOf(actor, intervention, now),
        ...(kind === 'approved' ? approval(actor, now) : {}),
        // One person approves this amount, not more.
        approvedFen: kind === 'approved' ? intervention.measuredFen : null,
      },
    ],
  });
  await auditResolution(tx, actor, kind, { intervention, id, action, note });
  return { kind, resolutionId: id, intervention: publicPart(intervention) };
}

const proposalOf = (actor: Actor, { measuredFen: fen }: MeasuredIntervention, now: Date) => ({
  proposedBy: actor.name,
  proposedPerson: personOf(actor),
  proposedAt: now,
  proposedFen: fen,
});

/** The proposed resolution again: another person approves it; the same one changes nothing. */
async function secondResolution(
  context: DatabaseContext,
  scope: Scope,
  request: ResolutionRequest,
  {
    intervention,
    pending,
  }: { readonly intervention: MeasuredIntervention; readonly pending: PendingResolution },
): Promise<SubmittedResolution> {
  const { tx, now } = scope;
  const { actor, action, note, approves } = request;
  const { id: resolutionId, proposedBy, proposedPerson } = pending;
  const submitted = { resolutionId, intervention: publicPart(intervention) };
  const proposer = proposedBy === null ? null : (proposedPerson ?? personOf({ name: proposedBy }));
  if (proposer === personOf(actor)) {
    if (approves === null) return { kind: 'proposed', ...submitted };
    return refusal('SAME_PERSON', 'You proposed this yourself: let another person approve it');
  }
  // A proposal from Temporal's Web UI has no person yet: this one proposes where two are needed.
  const isFirstKey =
    proposer === null &&
    !(await mayResolveAlone(context, scope, {
      ...intervention,
      outTradeNo: scope.outTradeNo,
      id: resolutionId,
      action,
      actor,
    }));
  await tx.interventionResolution.updateMany({
    where: { id: resolutionId, status: 'proposed' },
    data: isFirstKey
      ? proposalOf(actor, intervention, now)
      : {
          status: 'approved',
          ...approval(actor, now),
          approvedFen: proposer === null ? intervention.measuredFen : null,
        },
  });
  const kind = isFirstKey ? 'proposed' : 'approved';
  await auditResolution(tx, actor, kind, { intervention, id: resolutionId, action, note });
  return { kind, ...submitted };
}

import { v7 as uuidv7 } from 'uuid';
import { Prisma } from '../../generated/prisma/client';
import type { ErrorCode } from '../../domain/error-catalogue';
import {
  actionsFor,
  needsSecondKey,
  type InterventionAction,
} from '../../domain/interventions/reasons';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import type { Scope } from '../core/scope';
import { type OpenIntervention, type Params } from './resolution-scope';
import { openScope } from '../core/scope';
import { auditResolution as audit, hashOf } from './resolution-records';
import { mayMoveFen, tryOut } from './dry-run';

export interface ResolutionInput {
  readonly action: InterventionAction;
  readonly note: string;
  readonly params: Params;
}

export interface ResolutionRequest extends ResolutionInput {
  /** The question, or the order that has exactly one open. */
  readonly to: { readonly interventionId: string } | { readonly outTradeNo: string };
  readonly actor: Actor;
  /** Actions that move more than this need a second key, in fen. */
  readonly twoPersonFen: number;
  readonly nowMs: number;
}

export type SubmittedResolution =
  /** Committed; the run carries it out. */
  | {
      readonly kind: 'approved';
      readonly resolutionId: string;
      readonly intervention: ResolvedIntervention;
    }
  /** Waits for a second key. */
  | {
      readonly kind: 'proposed';
      readonly resolutionId: string;
      readonly intervention: ResolvedIntervention;
    }
  /** This very answer was carried out before. */
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
  readonly outTradeNo: string;
  readonly reason: string;
  readonly subject: string;
}

/** The run is told at once; should that get lost, the sweep tells it after this. */
const WAKE_GRACE_MS = 15_000;

interface InterventionRow extends OpenIntervention {
  readonly outTradeNo: string;
  readonly status: string;
}

/** Commits what a person answered, before its run is woken. */
export async function submitResolution(
  context: DatabaseContext,
  request: ResolutionRequest,
): Promise<SubmittedResolution> {
  return context.prisma.$transaction(async (tx) => {
    const now = new Date(request.nowMs);
    const outTradeNo = await numberOf(tx, request.to);
    if (outTradeNo === null) return { kind: 'not_found' };
    const scope = await openScope(tx, outTradeNo, now);
    const found = await findIntervention(tx, request.to);
    if ('kind' in found) {
      const repeated =
        found.kind === 'refused' && (await repeatedResolution(context, scope, request));
      return repeated || found;
    }
    if (found.status !== 'open') return resolvedBefore(context, tx, found, request);
    return resolveOpen(context, scope, found, request);
  });
}

async function numberOf(tx: Tx, to: ResolutionRequest['to']): Promise<string | null> {
  if ('interventionId' in to) {
    const row = await tx.intervention.findUnique({
      where: { id: to.interventionId },
      select: { outTradeNo: true },
    });
    return row?.outTradeNo ?? null;
  }
  const { outTradeNo } = to;
  return (await tx.order.count({ where: { outTradeNo } })) === 1 ? outTradeNo : null;
}

async function findIntervention(
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
  if (!only) return refusal('NOTHING_OPEN', 'No question is open on this order');
  if (open.length > 1) {
    const interventions = open.map(({ id, reason, subject }) => ({ id, reason, subject }));
    const detail = `${open.length} questions are open: say which by intervention_id`;
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

const asked = ({ id, outTradeNo, reason, subject }: InterventionRow): ResolvedIntervention => ({
  interventionId: id,
  outTradeNo,
  reason,
  subject,
});

/** The second click of a double click, or somebody who comes too late. */
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
  if (same) return { kind: 'done', resolutionId: same.id, intervention: asked(intervention) };
  const ended = await tx.intervention.findUnique({
    where: { id: intervention.id },
    select: { resolution: true },
  });
  const resolution = ended?.resolution ?? null;
  const detail =
    resolution === 'moot'
      ? 'This question has ended by itself'
      : `This question was answered with ${resolution ?? 'something else'}`;
  return refusal('INTERVENTION_RESOLVED', detail, { resolution });
}

/** How long after an answer the same one by order number counts as its second click. */
const DOUBLE_CLICK_MS = 10 * 60_000;

/** The second click of an answer by order number: nothing is open any more, since it was carried out. */
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

interface Pending {
  readonly id: string;
  readonly action: string;
  readonly paramsHash: string;
  readonly status: string;
  readonly proposedBy: string | null;
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
    const detail = `${open.reason} (${open.subject}) can't be answered with ${action}`;
    return refusal('ACTION_NOT_ALLOWED', detail, { reason: open.reason, actions });
  }
  const { outcome, movedFen } = await tryOut(context, scope, open, action, params);
  if (outcome.kind === 'refused') return refusal(outcome.code, outcome.detail);
  const intervention = { ...open, amountFen: mayMoveFen(open.amountFen, action, movedFen) };
  const pending: Pending | null = await scope.tx.interventionResolution.findFirst({
    where: { interventionId: intervention.id, status: { in: ['proposed', 'approved'] } },
    select: { id: true, action: true, paramsHash: true, status: true, proposedBy: true },
  });
  const same = pending?.action === action && pending.paramsHash === hashOf(context.hash, params);
  if (!pending) return insertResolution(context, scope, intervention, request);
  if (pending.status === 'approved') {
    if (same)
      return { kind: 'approved', resolutionId: pending.id, intervention: asked(intervention) };
    const detail = `${pending.action} was given and is being carried out`;
    return refusal('ANSWER_UNDER_WAY', detail);
  }
  if (same) return secondResolution(scope, intervention, request, pending);
  await scope.tx.interventionResolution.updateMany({
    where: { id: pending.id, status: 'proposed' },
    data: { status: 'withdrawn', finishedAt: scope.now },
  });
  const withdrawn = { id: pending.id, action: pending.action, note: request.note };
  await audit(scope.tx, request.actor, 'withdrawn', intervention, withdrawn);
  return insertResolution(context, scope, intervention, request);
}

async function insertResolution(
  { cipher, hash }: DatabaseContext,
  scope: Scope,
  intervention: InterventionRow,
  request: ResolutionRequest,
): Promise<SubmittedResolution> {
  const { action, note, params, actor, twoPersonFen } = request;
  const { tx, now } = scope;
  const id = uuidv7();
  const place = { table: 'intervention_resolutions', column: 'params', row: id };
  const given = Object.keys(params).length > 0;
  const kind = needsSecondKey(intervention.amountFen, twoPersonFen) ? 'proposed' : 'approved';
  await tx.interventionResolution.createMany({
    data: [
      {
        id,
        interventionId: intervention.id,
        outTradeNo: intervention.outTradeNo,
        action,
        paramsEncrypted: given ? cipher.encrypt(place, JSON.stringify(params)) : null,
        paramsHash: hashOf(hash, params),
        note,
        status: kind,
        proposedBy: actor.name,
        proposedAt: now,
        ...(kind === 'approved' ? approval(actor, now) : {}),
        // One key's word goes so far and no further.
        approvedFen: kind === 'approved' ? intervention.amountFen : null,
      },
    ],
  });
  await audit(tx, actor, kind, intervention, { id, action, note });
  return { kind, resolutionId: id, intervention: asked(intervention) };
}

const approval = (actor: Actor, now: Date) => ({
  approvedBy: actor.name,
  approvedAt: now,
  nextAttemptAt: new Date(now.getTime() + WAKE_GRACE_MS),
});

/** The same answer as the one that is proposed: a second key approves it, the first one repeats itself. */
async function secondResolution(
  scope: Scope,
  intervention: InterventionRow,
  request: ResolutionRequest,
  pending: Pending,
): Promise<SubmittedResolution> {
  const { tx, now } = scope;
  const { actor, action, note, twoPersonFen } = request;
  const { id: resolutionId, proposedBy } = pending;
  const answer = { resolutionId, intervention: asked(intervention) };
  if (proposedBy === actor.name) return { kind: 'proposed', ...answer };
  // One that came by hand from Temporal's Web UI has no key behind it yet.
  const alone = proposedBy === null && needsSecondKey(intervention.amountFen, twoPersonFen);
  await tx.interventionResolution.updateMany({
    where: { id: resolutionId, status: 'proposed' },
    data: alone
      ? { proposedBy: actor.name, proposedAt: now }
      : {
          status: 'approved',
          ...approval(actor, now),
          approvedFen: proposedBy === null ? intervention.amountFen : null,
        },
  });
  const kind = alone ? 'proposed' : 'approved';
  await audit(tx, actor, kind, intervention, { id: resolutionId, action, note });
  return { kind, ...answer };
}

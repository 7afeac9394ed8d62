// The routes of interventions and their resolutions.
import { z } from 'zod';
import type { Database } from '../../database/database';
import type {
  ResolutionRequest,
  SubmittedResolution,
} from '../../database/resolutions/submit-resolution';
import { actionsFor } from '../../domain/interventions/reasons';
import { inTime, type BesideDatabase } from '../http/deadline';
import { UUID } from '../../domain/uuid';
import {
  ALL_ROLES,
  operation,
  OPERATOR_ROLES,
  type Call,
  type Operation,
  type Reply,
} from '../http/operations';
import { orderPath, type OrderPath } from '../http/order-number';
import { page } from '../http/page';
import { ApiError, noSuchOrder } from '../http/problem';
import { orderReply, renderOrder } from '../orders/replies';
import type { OrderRuns } from '../temporal/order-runs';
import {
  interventionListReply,
  interventionReply,
  manyResolvedReply,
  renderIntervention,
  renderResolution,
  resolutionReply,
} from './replies';
import {
  interventionId,
  interventionListQuery,
  manyResolutions,
  newResolution,
  orderResolution,
  type NewResolutionBody,
} from './schemas';

import type { Submission } from '../../database/proposals/proposal-row';
import type { Approvable } from '../proposals/approvable';

export interface InterventionRouteDeps {
  readonly database: Pick<Database, 'interventions' | 'resolutions' | 'orders'>;
  readonly runs: Pick<OrderRuns, 'resolve'>;
  readonly besideDatabase: BesideDatabase;
  readonly now: () => number;
}

/**
 * A resolution is carried out by one step in the database. It takes longer only while no worker
 * runs; then the reply is 202, and a worker carries it out later.
 */
const RESOLVE_WAIT_MS = 8_000;

const resolvedReply = z.union([
  z.object({ ...orderReply.shape, resolution: resolutionReply }),
  z
    .object({
      out_trade_no: z.string().nullable(),
      intervention: interventionReply,
      resolution: resolutionReply,
    })
    .describe('the reply when the number is not an order of Oncepay, or there is none'),
]);

const RESOLUTION_REPLIES = {
  200: 'The resolution is carried out; the order as it is now',
  202: 'The resolution is stored; it waits for a second person, or for its run',
  404: 'There is no intervention with this id, or no order with this number',
  409: 'The intervention is not open, or its reason does not allow this action',
};

/** Makes the operations on interventions and their resolutions. */
export function interventionOperations(deps: InterventionRouteDeps): Operation[] {
  return [
    operation({
      id: 'listInterventions',
      method: 'get',
      path: '/v1/interventions',
      summary: 'Lists interventions, oldest first',
      roles: ALL_ROLES,
      query: interventionListQuery,
      reply: interventionListReply,
      replies: { 200: 'A page of interventions' },
      handle: (call) => listInterventions(deps, call),
    }),
    operation({
      id: 'resolveManyInterventions',
      method: 'post',
      path: '/v1/interventions/resolve',
      summary: 'Resolves all open interventions of a reason with an action that moves no money',
      roles: OPERATOR_ROLES,
      body: manyResolutions,
      reply: manyResolvedReply,
      replies: {
        200: 'The result of a dry run: how many interventions match',
        202: 'The resolutions are stored; the runs carry them out',
        409: 'The reason does not allow this action',
      },
      handle: (call) => resolveMany(deps, call),
    }),
    operation({
      id: 'resolveIntervention',
      method: 'post',
      path: '/v1/interventions/:id/resolution',
      summary: 'Resolves an intervention; above the limit another person must send the same',
      roles: OPERATOR_ROLES,
      params: z.object({ id: interventionId }),
      body: newResolution,
      reply: resolvedReply,
      replies: RESOLUTION_REPLIES,
      handle: ({ params, body, caller }) =>
        resolve(deps, { actor: caller, approves: null }, { interventionId: params.id }, body),
    }),
    operation({
      id: 'resolveOrder',
      method: 'post',
      path: '/v1/orders/:no/resolution',
      summary: 'Resolves the only open intervention of an order, or the one in `intervention_id`',
      roles: OPERATOR_ROLES,
      params: orderPath,
      body: orderResolution,
      reply: resolvedReply,
      replies: RESOLUTION_REPLIES,
      handle: (call) => resolveOrder(deps, call),
    }),
  ];
}

function listInterventions(
  { database: { interventions } }: InterventionRouteDeps,
  { query }: Call<{ query: z.output<typeof interventionListQuery> }>,
): Promise<Reply> {
  return page({
    query,
    idShape: UUID,
    read: (after, limit) =>
      interventions.list({
        status: query.status ?? null,
        reason: query.reason ?? null,
        outTradeNo: query.out_trade_no ?? null,
        after: after && { since: after.at, id: after.id },
        limit,
      }),
    placeOf: ({ since, id }) => ({ at: since, id }),
    render: renderIntervention,
  });
}

async function resolveOrder(
  deps: InterventionRouteDeps,
  { params, body, caller }: Call<{ params: OrderPath; body: z.output<typeof orderResolution> }>,
): Promise<Reply> {
  const outTradeNo = params.no;
  const submission = { actor: caller, approves: null };
  if (body.intervention_id === undefined) return resolve(deps, submission, { outTradeNo }, body);
  const intervention = await inTime(deps.database.interventions.find(body.intervention_id));
  if (intervention?.outTradeNo !== outTradeNo) {
    const detail = `Order ${outTradeNo} has no intervention with this id; list its interventions`;
    throw new ApiError('NOT_FOUND', detail);
  }
  return resolve(deps, submission, { interventionId: intervention.id }, body);
}

/** The approval of a resolution that was proposed. */
export function resolutionApproval(deps: InterventionRouteDeps): Approvable {
  return {
    roles: OPERATOR_ROLES,
    reply: resolvedReply,
    approve: async ({ id, note }, caller) => {
      const proposed = await inTime(deps.database.resolutions.findProposed(id));
      if (!proposed) throw new ApiError('NOT_FOUND', `There is no proposal ${id}`);
      const { interventionId, action, params } = proposed;
      const submission = { actor: caller, approves: id };
      return resolve(deps, submission, { interventionId }, { action, note, params });
    },
  };
}

/**
 * Stores a resolution, and once it is approved waits for its run to carry it out.
 * @throws ApiError when the resolution is refused
 */
async function resolve(
  deps: InterventionRouteDeps,
  submission: Submission,
  to: ResolutionRequest['to'],
  { action, note, params }: NewResolutionBody,
): Promise<Reply> {
  const { resolutions } = deps.database;
  const submitted = await inTime(
    resolutions.submit({
      ...submission,
      to,
      action,
      note,
      params: params ?? {},
      nowMs: deps.now(),
    }),
  );
  const { resolutionId, intervention } = acceptedOf(submitted, to);
  const { outTradeNo } = intervention;
  // One about a bill was carried out with its approval; the sweep starts the day's run.
  if (submitted.kind === 'approved' && outTradeNo !== null) {
    await deps.besideDatabase(
      deps.runs.resolve(outTradeNo, resolutionId, intervention, RESOLVE_WAIT_MS),
    );
  }
  const state = await inTime(resolutions.state(resolutionId));
  if (!state) throw new Error(`Resolution ${resolutionId} is gone`);
  if (state.status === 'refused') {
    const { refusalCode, refusalDetail } = state;
    const detail = refusalDetail ?? 'The resolution could not be carried out; read the order';
    throw new ApiError(refusalCode ?? 'MOOT', detail, {
      extra: { out_trade_no: outTradeNo, resolution: renderResolution(state) },
    });
  }
  return {
    status: state.status === 'done' ? 200 : 202,
    body: { ...(await subjectOf(deps, intervention)), resolution: renderResolution(state) },
  };
}

/** A resolution that is stored. */
type Accepted = SubmittedResolution & { kind: 'approved' | 'proposed' | 'done' };

function acceptedOf(submitted: SubmittedResolution, to: ResolutionRequest['to']): Accepted {
  switch (submitted.kind) {
    case 'approved':
    case 'proposed':
    case 'done':
      return submitted;
    case 'not_found':
      if ('outTradeNo' in to) throw noSuchOrder(to.outTradeNo);
      throw new ApiError(
        'NOT_FOUND',
        `There is no intervention ${to.interventionId}; GET /v1/interventions lists them`,
      );
    case 'refused':
      throw new ApiError(submitted.code, submitted.detail, { extra: submitted.extra });
  }
}

/** The order as it is now; the intervention where there is no order of Oncepay. */
async function subjectOf(
  { database }: InterventionRouteDeps,
  { outTradeNo, interventionId }: Accepted['intervention'],
): Promise<object> {
  const order =
    outTradeNo === null ? null : await inTime(database.orders.findOrder(outTradeNo, false));
  if (order) return renderOrder(order, 'operator');
  const view = await inTime(database.interventions.find(interventionId));
  return { out_trade_no: outTradeNo, intervention: view && renderIntervention(view) };
}

async function resolveMany(
  deps: InterventionRouteDeps,
  { body, caller }: Call<{ body: z.output<typeof manyResolutions> }>,
): Promise<Reply> {
  const { reason, action, note } = body;
  const actions = actionsFor(reason);
  if (!actions.includes(action)) {
    const detail = `${reason} can't be resolved with ${action}; choose one of \`actions\``;
    throw new ApiError('ACTION_NOT_ALLOWED', detail, {
      extra: { reason, actions },
    });
  }
  const dryRun = body.dry_run ?? false;
  const { count, resolved, pending } = await inTime(
    deps.database.resolutions.submitMany({
      reason,
      since: body.since === undefined ? null : new Date(body.since),
      action,
      note,
      dryRun,
      actor: caller,
      nowMs: deps.now(),
    }),
  );
  return {
    status: dryRun ? 200 : 202,
    body: { count, answered: resolved, under_way: pending, dry_run: dryRun },
  };
}

import { z } from 'zod';
import type { Settings } from '../../config/settings';
import type { Database } from '../../database/database';
import type {
  ResolutionRequest,
  SubmittedResolution,
} from '../../database/resolutions/submit-resolution';
import { actionsFor } from '../../domain/interventions/reasons';
import type { ResolutionBody } from './schemas';
import { answer, interventionId, manyResolutions, orderAnswer } from './schemas';
import { readCursor, writeCursor } from '../http/cursor';
import { inTime } from '../http/deadline';
import { ApiError } from '../http/problem';
import { parse } from '../http/validation';
import {
  interventionListReply,
  interventionReply,
  manyResolvedReply,
  renderIntervention,
  renderResolution,
  resolutionReply,
} from './replies';
import {
  ALL_ROLES,
  OPERATOR_ROLES,
  type Call,
  type Operation,
  type Reply,
} from '../http/operations';
import { orderReply, renderOrder } from '../orders/replies';
import { interventionListQuery } from './schemas';
import type { OrderRuns } from '../temporal/order-runs';
import { numberOf } from '../http/order-number';

export interface InterventionRouteDeps {
  readonly database: Pick<Database, 'interventions' | 'resolutions' | 'orders'>;
  readonly runs: Pick<OrderRuns, 'resolve'>;
  readonly settings: Pick<Settings, 'twoPersonFen'>;
  readonly now: () => number;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DEFAULT_LIMIT = 50;
/** Carrying out is a step in the database: longer means that no worker runs, and it happens later. */
const RESOLVE_WAIT_MS = 8_000;

const resolvedReply = z.union([
  z.object({ ...orderReply.shape, resolution: resolutionReply }),
  z
    .object({
      out_trade_no: z.string(),
      intervention: interventionReply,
      resolution: resolutionReply,
    })
    .describe('for a number that is not one of our orders'),
]);

const ANSWERED = {
  200: 'Carried out; the order as it is now',
  202: 'Kept: it waits for a second key, or for its run',
  404: 'No such question',
  409: 'Not open, or not to be answered like this',
};

/** What waits for a person, and what persons answer. */
export function interventionOperations(deps: InterventionRouteDeps): Operation[] {
  return [
    {
      id: 'listInterventions',
      method: 'get',
      path: '/v1/interventions',
      summary: 'The questions for a person, oldest first',
      roles: ALL_ROLES,
      query: interventionListQuery,
      reply: interventionListReply,
      replies: { 200: 'A page' },
      handle: (call) => listInterventions(deps, call),
    },
    {
      id: 'resolveManyInterventions',
      method: 'post',
      path: '/v1/interventions/resolve',
      summary: 'Answers all open questions of a reason with an action that moves no money',
      roles: OPERATOR_ROLES,
      body: manyResolutions,
      reply: manyResolvedReply,
      replies: {
        200: 'A dry run: how many there are',
        202: 'Kept; their runs carry them out',
        409: 'The reason has other answers',
      },
      handle: (call) => resolveMany(deps, call),
    },
    {
      id: 'resolveIntervention',
      method: 'post',
      path: '/v1/interventions/:id/resolution',
      summary: 'Answers a question; above the limit a second key has to say the same',
      roles: OPERATOR_ROLES,
      body: answer,
      reply: resolvedReply,
      replies: ANSWERED,
      handle: (call) => {
        const { id } = parse(z.object({ id: interventionId }), call.params);
        return resolve(deps, call, { interventionId: id }, call.body as ResolutionBody);
      },
    },
    {
      id: 'resolveOrder',
      method: 'post',
      path: '/v1/orders/:no/resolution',
      summary: 'Answers the one question that is open on an order, or the one that is named',
      roles: OPERATOR_ROLES,
      body: orderAnswer,
      reply: resolvedReply,
      replies: ANSWERED,
      handle: (call) => resolveOrder(deps, call),
    },
  ];
}

async function listInterventions(
  { database: { interventions } }: InterventionRouteDeps,
  call: Call,
): Promise<Reply> {
  const query = call.query as z.output<typeof interventionListQuery>;
  const limit = query.limit ?? DEFAULT_LIMIT;
  const place = query.cursor === undefined ? null : readCursor(query.cursor, UUID);
  const rows = await inTime(
    interventions.list({
      status: query.status ?? null,
      reason: query.reason ?? null,
      outTradeNo: query.out_trade_no ?? null,
      after: place && { since: place.at, id: place.id },
      limit: limit + 1,
    }),
  );
  const page = rows.slice(0, limit);
  const last = rows.length > limit ? page.at(-1) : undefined;
  return {
    status: 200,
    body: {
      data: page.map(renderIntervention),
      next_cursor: last ? writeCursor({ at: last.since, id: last.id }) : null,
    },
  };
}

async function resolveOrder(deps: InterventionRouteDeps, call: Call): Promise<Reply> {
  const outTradeNo = numberOf(call);
  const body = call.body as z.output<typeof orderAnswer>;
  if (body.intervention_id === undefined) return resolve(deps, call, { outTradeNo }, body);
  const question = await inTime(deps.database.interventions.find(body.intervention_id));
  if (question?.outTradeNo !== outTradeNo) {
    throw new ApiError('NOT_FOUND', `Order ${outTradeNo} has no such intervention`);
  }
  return resolve(deps, call, { interventionId: question.id }, body);
}

async function resolve(
  deps: InterventionRouteDeps,
  call: Call,
  to: ResolutionRequest['to'],
  { action, note, params }: ResolutionBody,
): Promise<Reply> {
  const { resolutions: answers } = deps.database;
  const submission = await inTime(
    answers.submit({
      to,
      action,
      note,
      params: params ?? {},
      actor: call.caller,
      twoPersonFen: deps.settings.twoPersonFen,
      nowMs: deps.now(),
    }),
  );
  const { resolutionId, intervention: question } = acceptedOf(submission, to);
  if (submission.kind === 'approved') {
    await deps.runs.resolve(question.outTradeNo, resolutionId, question, RESOLVE_WAIT_MS);
  }
  const state = await inTime(answers.state(resolutionId));
  if (!state) throw new Error(`Resolution ${resolutionId} is gone`);
  if (state.status === 'refused') {
    const { refusalDetail } = state;
    throw new ApiError(state.refusalCode ?? 'MOOT', refusalDetail ?? 'It could not be done', {
      extra: { out_trade_no: question.outTradeNo, resolution: renderResolution(state) },
    });
  }
  return {
    status: state.status === 'done' ? 200 : 202,
    body: { ...(await subjectOf(deps, question)), resolution: renderResolution(state) },
  };
}

type Accepted = SubmittedResolution & { kind: 'approved' | 'proposed' | 'done' };

function acceptedOf(submission: SubmittedResolution, to: ResolutionRequest['to']): Accepted {
  switch (submission.kind) {
    case 'approved':
    case 'proposed':
    case 'done':
      return submission;
    case 'not_found':
      throw new ApiError(
        'NOT_FOUND',
        'outTradeNo' in to
          ? `There is no order ${to.outTradeNo}`
          : `There is no intervention ${to.interventionId}`,
      );
    case 'refused':
      throw new ApiError(submission.code, submission.detail, { extra: submission.extra });
  }
}

/** The order as it is now; for a number that is not ours, its question. */
async function subjectOf(
  { database }: InterventionRouteDeps,
  question: Accepted['intervention'],
): Promise<object> {
  const { outTradeNo, interventionId } = question;
  const order = await inTime(database.orders.findOrder(outTradeNo, false));
  if (order) return renderOrder(order, false);
  const view = await inTime(database.interventions.find(interventionId));
  return { out_trade_no: outTradeNo, intervention: view && renderIntervention(view) };
}

async function resolveMany(deps: InterventionRouteDeps, call: Call): Promise<Reply> {
  const body = call.body as z.output<typeof manyResolutions>;
  const { reason, action, note } = body;
  const actions = actionsFor(reason);
  if (!actions.includes(action)) {
    throw new ApiError('ACTION_NOT_ALLOWED', `${reason} can't be answered with ${action}`, {
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
      actor: call.caller,
      nowMs: deps.now(),
    }),
  );
  return {
    status: dryRun ? 200 : 202,
    body: { count, answered: resolved, under_way: pending, dry_run: dryRun },
  };
}

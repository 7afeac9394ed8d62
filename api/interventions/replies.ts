// Schemas and renderings of the replies for interventions and their resolutions.
import { z } from 'zod';
import type { ResolutionState } from '../../database/resolutions/resolutions';
import type { InterventionView } from '../../database/interventions/list-interventions';
import { actionsFor } from '../../domain/interventions/reasons';
import { json } from '../http/fields';
import { iso, time } from '../http/reply-fields';

const resolutionStatus = z.enum(['proposed', 'approved', 'done', 'refused', 'withdrawn']);

/** An intervention. */
export const interventionReply = z.object({
  id: z.string(),
  out_trade_no: z
    .string()
    .nullable()
    .describe('null for an intervention about a bill, which `subject` names'),
  reason: z.string(),
  subject: z.string(),
  status: z.enum(['open', 'resolved']),
  since: time,
  actions: z
    .array(z.string())
    .describe('the actions that can resolve it; empty once it is resolved'),
  evidence: json,
  amount: z.int().nullable().describe('in 分; the most money that a resolution may move'),
  resolved_at: time.nullable(),
  resolution: z
    .string()
    .nullable()
    .describe('the action that resolved it; moot when it ended by itself'),
  previous_id: z
    .string()
    .nullable()
    .describe('the earlier intervention for the same reason and subject'),
  pending: z
    .object({
      id: z.string(),
      action: z.string(),
      status: resolutionStatus,
      note: z.string(),
      proposed_by: z.string().nullable(),
    })
    .nullable()
    .describe('a resolution that waits for a second person, or for its run'),
});

/** A page of interventions. */
export const interventionListReply = z.object({
  data: z.array(interventionReply),
  next_cursor: z.string().nullable(),
});

/** A resolution and the API keys that sent it. */
export const resolutionReply = z.object({
  id: z.string(),
  intervention_id: z.string(),
  action: z.string(),
  status: resolutionStatus,
  proposed_by: z.string().nullable(),
  approved_by: z.string().nullable(),
});

/** How many interventions were resolved at once. */
export const manyResolvedReply = z.object({
  count: z.int().describe('open interventions that match'),
  answered: z.int().describe('of these, resolved by this request'),
  under_way: z.int().describe('of these, with an earlier resolution that is not finished'),
  dry_run: z.boolean(),
});

/** Renders an intervention. */
export function renderIntervention(view: InterventionView) {
  return {
    id: view.id,
    out_trade_no: view.outTradeNo,
    reason: view.reason,
    subject: view.subject,
    status: view.status,
    since: view.since.toISOString(),
    actions: view.status === 'open' ? actionsFor(view.reason, view.subject) : [],
    evidence: view.evidence,
    amount: view.amountFen,
    resolved_at: iso(view.resolvedAt),
    resolution: view.resolution,
    previous_id: view.previousId,
    pending: view.pending,
  };
}

/** Renders a resolution. */
export function renderResolution(state: ResolutionState) {
  return {
    id: state.id,
    intervention_id: state.interventionId,
    action: state.action,
    status: state.status,
    proposed_by: state.proposedBy,
    approved_by: state.approvedBy,
  };
}

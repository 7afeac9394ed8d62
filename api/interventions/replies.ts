import { z } from 'zod';
import type { ResolutionState } from '../../database/resolutions/resolutions';
import type { InterventionView } from '../../database/interventions/list-interventions';
import { actionsFor } from '../../domain/interventions/reasons';
import { json } from '../http/fields';

/** What the API tells of questions for a person, and of their answers. */

const time = z.iso.datetime();
const resolutionStatus = z.enum(['proposed', 'approved', 'done', 'refused', 'withdrawn']);

export const interventionReply = z.object({
  id: z.string(),
  out_trade_no: z.string(),
  reason: z.string(),
  subject: z.string(),
  status: z.enum(['open', 'resolved']),
  since: time,
  actions: z.array(z.string()).describe('what it can be answered with; empty once it is'),
  evidence: json,
  amount: z.int().nullable().describe('the most that an answer may move, in 分'),
  resolved_at: time.nullable(),
  resolution: z.string().nullable().describe('the action that ended it, or moot'),
  previous_id: z.string().nullable().describe('the same question before'),
  pending: z
    .object({
      id: z.string(),
      action: z.string(),
      status: resolutionStatus,
      note: z.string(),
      proposed_by: z.string().nullable(),
    })
    .nullable()
    .describe('an answer that waits for a second key, or for its run'),
});

export const interventionListReply = z.object({
  data: z.array(interventionReply),
  next_cursor: z.string().nullable(),
});

export const resolutionReply = z.object({
  id: z.string(),
  intervention_id: z.string(),
  action: z.string(),
  status: resolutionStatus,
  proposed_by: z.string().nullable(),
  approved_by: z.string().nullable(),
});

export const manyResolvedReply = z.object({
  count: z.int().describe('open questions that fit'),
  answered: z.int(),
  under_way: z.int().describe('of these, with an answer already'),
  dry_run: z.boolean(),
});

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
    resolved_at: view.resolvedAt?.toISOString() ?? null,
    resolution: view.resolution,
    previous_id: view.previousId,
    pending: view.pending,
  };
}

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

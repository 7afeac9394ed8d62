// Schemas and renderings of proposals in replies.
import { z } from 'zod';
import type { ProposalView } from '../../database/proposals/list-proposals';
import type { ApprovalRefusal } from '../../database/proposals/two-persons';
import { PROPOSAL_ACTIONS, PROPOSAL_STATUSES } from '../../domain/proposals/proposal';
import { json } from '../http/fields';
import type { Reply } from '../http/operations';
import { ApiError } from '../http/problem';
import { iso, time } from '../http/reply-fields';

const proposal = z.object({
  id: z.string(),
  action: z.enum(PROPOSAL_ACTIONS),
  subject: z
    .string()
    .describe('an order number, a name, a masked account, or the id of an intervention'),
  amount: z
    .int()
    .nullable()
    .describe('in 分; null where no money moves, or a resolution may move an unknown amount'),
  proposed_by: z
    .string()
    .nullable()
    .describe("the name of the API key; null for a proposal made in Temporal's Web UI"),
  expires_at: time,
});

const proposedReply = z
  .object({ proposal })
  .describe('nothing is held, sent or changed: another person has to request the same');

/** The reply of a call that may need two persons: the usual one, or the proposal. */
export const orProposed = <T extends z.ZodType>(reply: T) => z.union([reply, proposedReply]);

/** A proposal in the list. */
const listedProposal = z.object({
  ...proposal.shape,
  status: z.enum(PROPOSAL_STATUSES).describe('one that was replaced is withdrawn, too'),
  proposed_at: time,
  approved_by: z.string().nullable(),
  ended_at: time.nullable(),
  request: json.describe('the content of the request, without personal data'),
});

/** A page of proposals. */
export const proposalListReply = z.object({
  data: z.array(listedProposal),
  next_cursor: z.string().nullable(),
});

type Shown = Pick<
  ProposalView,
  'id' | 'action' | 'subject' | 'amountFen' | 'proposedBy' | 'expiresAt'
>;

function render(view: Shown): z.output<typeof proposal> {
  return {
    id: view.id,
    action: view.action,
    subject: view.subject,
    amount: view.amountFen,
    proposed_by: view.proposedBy,
    expires_at: view.expiresAt.toISOString(),
  };
}

/** The reply 202 of a call that became a proposal. */
export function proposedReplyOf(view: Shown): Reply {
  return { status: 202, body: { proposal: render(view) } };
}

/** Renders a proposal of the list. */
export function renderProposal(view: ProposalView) {
  return {
    ...render(view),
    status: view.status,
    proposed_at: view.proposedAt.toISOString(),
    approved_by: view.approvedBy,
    ended_at: iso(view.endedAt),
    request: view.shown,
  };
}

const REFUSALS: Readonly<Record<ApprovalRefusal, string>> = {
  SAME_PERSON:
    'You proposed this yourself, with this key or another one of yours: let another person approve',
  PROPOSAL_ENDED:
    'This proposal was carried out, withdrawn or replaced, or its 24 hours are over; ' +
    'GET /v1/proposals lists those that are open',
};

/** The problem of an approval that is refused. */
export function notApproved(code: ApprovalRefusal): ApiError {
  return new ApiError(code, REFUSALS[code]);
}

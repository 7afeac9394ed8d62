// Schemas of the requests for proposals.
import { z } from 'zod';
import { PROPOSAL_STATUSES } from '../../domain/proposals/proposal';
import { UUID } from '../../domain/uuid';
import { line } from '../http/fields';
import { pageQuery } from '../http/page';

/** The path of a proposal. */
export const proposalPath = z.object({
  id: z.string().regex(UUID, 'must be the id of a proposal'),
});

/** `POST /v1/proposals/{id}/approval`. */
export const approvalBody = z.strictObject({
  note: line(1, 1_000).optional().describe('why it is right; it is kept in the audit log'),
});

/** `GET /v1/proposals`. */
export const proposalListQuery = z.strictObject({
  status: z.enum(PROPOSAL_STATUSES).optional(),
  ...pageQuery,
});

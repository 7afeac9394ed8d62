// The kinds and states of proposals: requests that wait for a second person.
// Sandbox: deterministic only.

/** The kinds of requests that can wait for a second person. */
export const PROPOSAL_ACTIONS = [
  'refund',
  'profit_sharing',
  'setting',
  'retry_policy',
  'receiver',
  'resolution',
] as const;
export type ProposalAction = (typeof PROPOSAL_ACTIONS)[number];

/** `withdrawn` is also one that other content for the same subject has replaced. */
export const PROPOSAL_STATUSES = ['open', 'done', 'withdrawn', 'expired'] as const;
export type ProposalStatus = (typeof PROPOSAL_STATUSES)[number];

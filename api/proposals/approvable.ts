// Describes how a proposal of one kind is approved: one row for each kind, made by its room.
import type { z } from 'zod';
import type { Role } from '../../config/fields';
import type { Caller } from '../http/auth';
import type { Reply } from '../http/operations';

/** A proposal as its room carries it out. */
export interface ProposedRequest {
  readonly id: string;
  /** As callers see it: an order number, or a name. */
  readonly subject: string;
  /** The body of the request; null for a resolution, whose row has it. */
  readonly body: unknown;
  /** The reason of the approval. */
  readonly note: string;
}

/** How proposals of one kind are approved. */
export interface Approvable {
  /** The roles that may make the call itself; only they may approve. */
  readonly roles: readonly Role[];
  /** The schema of the call's usual reply. */
  readonly reply: z.ZodType;
  /**
   * Carries the request out as the second person's.
   * @returns the usual reply of the call
   * @throws ApiError when it fits no more, or the proposal has ended
   */
  readonly approve: (proposal: ProposedRequest, caller: Caller) => Promise<Reply>;
}

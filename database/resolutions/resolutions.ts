// Resolutions as the api, the worker and the run use them.
import { isErrorCode, type ErrorCode } from '../../domain/error-catalogue';
import type { InterventionAction } from '../../domain/interventions/reasons';
import type { Actor, DatabaseContext } from '../core/context';
import type { Withdrawal } from '../proposals/list-proposals';
import { proposeBySignal } from './propose-by-signal';
import { findProposed, withdrawResolution, type ProposedResolution } from './resolution-records';
import { resolveMany, type ManyResolved, type ManyRequest } from './resolve-many';
import {
  submitResolution,
  type ResolutionRequest,
  type SubmittedResolution,
} from './submit-resolution';

/** A resolution and how far it is. */
export interface ResolutionState {
  readonly id: string;
  readonly interventionId: string;
  readonly action: string;
  readonly status: string;
  readonly proposedBy: string | null;
  readonly approvedBy: string | null;
  readonly refusalCode: ErrorCode | null;
  readonly refusalDetail: string | null;
}

/** Resolutions: the api commits them here, and the run of the number carries them out. */
export function createResolutions(context: DatabaseContext) {
  return {
    /** Commits a resolution, or says why it can't. The same one twice is one resolution. */
    submit: (request: ResolutionRequest): Promise<SubmittedResolution> =>
      submitResolution(context, request),

    /** Resolves all open interventions of a reason; only counts them on a dry run. */
    submitMany: (request: ManyRequest): Promise<ManyResolved> => resolveMany(context, request),

    /**
     * Proposes what an operator sent as a signal in Temporal's Web UI.
     * @returns false when it can't be proposed
     */
    propose: (
      outTradeNo: string,
      given: { interventionId: string; action: InterventionAction; note: string },
      nowMs: number,
    ): Promise<boolean> => proposeBySignal(context, outTradeNo, given, nowMs),

    /** A resolution as it was proposed; null when there is none with this id. */
    findProposed: (id: string): Promise<ProposedResolution | null> => findProposed(context, id),

    /** Withdraws a proposed resolution: the person who proposed it may, and an admin. */
    withdraw: (id: string, actor: Actor, nowMs: number): Promise<Withdrawal> =>
      withdrawResolution(context, id, actor, new Date(nowMs)),

    /**
     * Stores the stuck run that a resolution ends; the first call decides (compare-and-set).
     * @param runId Temporal's id of it; empty when no run is open
     * @returns the stored id
     */
    claimRunToEnd: async (resolutionId: string, runId: string): Promise<string> => {
      const [row] = await context.prisma.$queryRaw<{ endedRunId: string }[]>`
        UPDATE intervention_resolutions SET ended_run_id = coalesce(ended_run_id, ${runId})
        WHERE id = ${resolutionId}::uuid RETURNING ended_run_id AS "endedRunId"`;
      return row?.endedRunId ?? '';
    },

    /** @returns null when there is none with this id */
    async state(resolutionId: string): Promise<ResolutionState | null> {
      const row = await context.prisma.interventionResolution.findUnique({
        where: { id: resolutionId },
        select: {
          id: true,
          interventionId: true,
          action: true,
          status: true,
          proposedBy: true,
          approvedBy: true,
          refusalCode: true,
          refusalDetail: true,
        },
      });
      return row && { ...row, refusalCode: isErrorCode(row.refusalCode) ? row.refusalCode : null };
    },
  };
}

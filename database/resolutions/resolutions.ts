import { isErrorCode, type ErrorCode } from '../../domain/error-catalogue';
import type { InterventionAction } from '../../domain/interventions/reasons';
import type { DatabaseContext } from '../core/context';
import { proposeBySignal } from './propose-by-signal';
import { resolveMany, type ManyResolved, type ManyRequest } from './resolve-many';
import {
  submitResolution,
  type ResolutionRequest,
  type SubmittedResolution,
} from './submit-resolution';

/** How an answer stands. */
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

/** Resolutions of persons: committed here first, then carried out by the run of the number. */
export function createResolutions(context: DatabaseContext) {
  return {
    /** Commits an answer, or says why it can't be one. Twice the same is one answer. */
    submit: (request: ResolutionRequest): Promise<SubmittedResolution> =>
      submitResolution(context, request),

    /** Answers all open questions of a reason; only counts them on a dry run. */
    submitMany: (request: ManyRequest): Promise<ManyResolved> => resolveMany(context, request),

    /** A proposal made by hand in Temporal's Web UI. @returns false when it makes no sense */
    propose: (
      outTradeNo: string,
      given: { interventionId: string; action: InterventionAction; note: string },
      nowMs: number,
    ): Promise<boolean> => proposeBySignal(context, outTradeNo, given, nowMs),

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

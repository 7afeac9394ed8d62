// Schema and rendering of the patrol's runs in replies.
import { z } from 'zod';
import type { PatrolRunView } from '../../database/patrol/record-patrol-runs';
import { PATROL_KIND_NAMES, PATROL_SECTIONS } from '../../domain/patrol/findings';
import { iso, time } from '../http/reply-fields';

/** A page of the patrol's runs. */
export const patrolRunReply = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      started_at: time,
      finished_at: time.nullable(),
      status: z.enum(['running', 'done', 'failed']),
      findings: z
        .array(
          z.object({
            kind: z.enum(PATROL_KIND_NAMES),
            found: z.int(),
            healed: z
              .int()
              .describe(
                'findings that the patrol mended: it woke a run, repaired or removed a row',
              ),
            opened: z.int().describe('interventions that the patrol opened'),
            left: z
              .int()
              .describe('findings with an open intervention, or left to the next patrol'),
            sample: z.array(z.string()).describe('at most ten of the numbers'),
          }),
        )
        .describe('one entry for each kind that was found'),
      failed_sections: z.array(z.enum(PATROL_SECTIONS)),
    }),
  ),
  next_cursor: z.string().nullable(),
});

/** Renders one run of the patrol. */
export function renderPatrolRun({ startedAt, finishedAt, failedSections, ...run }: PatrolRunView) {
  return {
    id: run.id,
    started_at: startedAt.toISOString(),
    finished_at: iso(finishedAt),
    status: run.status,
    findings: run.findings,
    failed_sections: failedSections,
  };
}

import { z } from 'zod';
import type { PatrolRunView } from '../../database/patrol/record-patrol-runs';
import { PATROL_KIND_NAMES, PATROL_SECTIONS } from '../../domain/patrol/findings';
import { orderListQuery } from '../orders/schemas';

export const patrolRunQuery = z.strictObject({
  cursor: orderListQuery.shape.cursor,
  limit: orderListQuery.shape.limit,
});

const time = z.iso.datetime();

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
            healed: z.int().describe('told, repaired or removed'),
            opened: z.int().describe('new interventions'),
            left: z.int().describe('asked about before, or left to the next patrol'),
            sample: z.array(z.string()).describe('at most ten numbers'),
          }),
        )
        .describe('one for each kind of which there was any'),
      failed_sections: z.array(z.enum(PATROL_SECTIONS)),
    }),
  ),
  next_cursor: z.string().nullable(),
});

export function renderPatrolRun({ startedAt, finishedAt, failedSections, ...run }: PatrolRunView) {
  return {
    id: run.id,
    started_at: startedAt.toISOString(),
    finished_at: finishedAt?.toISOString() ?? null,
    status: run.status,
    findings: run.findings,
    failed_sections: failedSections,
  };
}

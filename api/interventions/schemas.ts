// Schemas of the requests for interventions and their resolutions.
import { z } from 'zod';
import {
  INTERVENTION_ACTIONS,
  INTERVENTION_REASONS,
  type InterventionAction,
} from '../../domain/interventions/reasons';
import { isResolvedSingly } from '../../domain/proposals/who-decides';
import { UUID } from '../../domain/uuid';
import { line, timestamp } from '../http/fields';
import { pageQuery } from '../http/page';

/** WeChat's key encrypts 214 bytes (RSA-OAEP); a Chinese character has three bytes. */
const bankText = line(1, 64);

/** The params of `to_user`: the bank card that receives the money. */
const userCard = z.strictObject({
  bank_type: z.string().regex(/^[A-Z0-9_]{1,32}$/, "must be WeChat Pay's code of the bank"),
  bank_account: bankText,
  real_name: bankText,
});

const note = line(1, 1_000).describe('the reason of the decision; it is kept in the audit log');
const action = z.enum(INTERVENTION_ACTIONS);

const shape = {
  action,
  note,
  params: z
    .record(z.string(), z.string())
    .optional()
    .describe('only for to_user: the bank card that receives the money'),
};

/** The parts of a resolution that depend on each other. */
interface ResolutionParts {
  readonly action: InterventionAction;
  readonly params?: Readonly<Record<string, string>> | undefined;
}

/** Reports params that the action does not have, or that `to_user` lacks. */
function checkParams(resolution: ResolutionParts, context: z.core.$RefinementCtx): void {
  const params = resolution.params ?? {};
  if (resolution.action === 'to_user') {
    const parsed = userCard.safeParse(params);
    for (const issue of parsed.success ? [] : parsed.error.issues) {
      const names = issue.code === 'unrecognized_keys' ? issue.keys : issue.path.map(String);
      for (const name of names) {
        const missing = !Object.hasOwn(params, name);
        context.addIssue({
          code: 'custom',
          path: ['params', name],
          message: missing ? 'is required for to_user' : issue.message,
        });
      }
    }
    return;
  }
  for (const name of Object.keys(params)) {
    context.addIssue({
      code: 'custom',
      path: ['params', name],
      message: `is not a field of ${resolution.action}`,
    });
  }
}

/** The id of an intervention. */
export const interventionId = z.string().regex(UUID, 'must be the id of an intervention');

/** `POST /v1/interventions/{id}/resolution`. */
export const newResolution = z.strictObject(shape).superRefine(checkParams);

/** `POST /v1/orders/{no}/resolution`. */
export const orderResolution = z
  .strictObject({ intervention_id: interventionId.optional(), ...shape })
  .superRefine(checkParams);

export type NewResolutionBody = z.output<typeof newResolution>;

/** `POST /v1/interventions/resolve`: many at once, only actions that move no money. */
export const manyResolutions = z
  .strictObject({
    reason: z.enum(INTERVENTION_REASONS),
    since: timestamp.optional().describe('only interventions that were opened then or later'),
    action,
    note,
    dry_run: z.boolean().optional().describe('true to only count the interventions'),
  })
  .superRefine(({ reason, action: chosen }, context) => {
    if (!isResolvedSingly(reason, chosen)) return;
    context.addIssue({
      code: 'custom',
      path: ['action'],
      message: 'moves or explains money: resolve these interventions one by one',
    });
  });

/** `GET /v1/interventions`. */
export const interventionListQuery = z.strictObject({
  status: z.enum(['open', 'resolved']).optional(),
  reason: z.enum(INTERVENTION_REASONS).optional(),
  out_trade_no: line(1, 64).optional(),
  ...pageQuery,
});

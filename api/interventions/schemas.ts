import { z } from 'zod';
import {
  INTERVENTION_ACTIONS,
  INTERVENTION_REASONS,
  movesMoney,
  type InterventionAction,
} from '../../domain/interventions/reasons';
import { isQueryableTime } from '../http/times';
import { line } from '../http/fields';
import { orderListQuery } from '../orders/schemas';

/** What a person answers to a question; `/openapi.json` is made from these same schemas. */

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** WeChat's RSA-OAEP takes 214 bytes; a name in Chinese has three to a character. */
const bankText = line(1, 64);

/** What `to_user` has to say: the card the money shall go to. */
const userCard = z.strictObject({
  bank_type: z.string().regex(/^[A-Z0-9_]{1,32}$/, "must be WeChat's code of the bank"),
  bank_account: bankText,
  real_name: bankText,
});

const note = line(1, 1_000).describe('why; it stays in the audit log');
const action = z.enum(INTERVENTION_ACTIONS);

const shape = {
  action,
  note,
  params: z.record(z.string(), z.string()).optional().describe('for to_user: the bank card'),
};

interface Given {
  readonly action: InterventionAction;
  readonly params?: Readonly<Record<string, string>> | undefined;
}

function checkParams(given: Given, context: z.core.$RefinementCtx): void {
  const params = given.params ?? {};
  if (given.action === 'to_user') {
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
      message: `is not a field of ${given.action}`,
    });
  }
}

export const interventionId = z.string().regex(UUID, 'must be the id of an intervention');

/** `POST /v1/interventions/{id}/resolution`. */
export const answer = z.strictObject(shape).superRefine(checkParams);

/** `POST /v1/orders/{no}/resolution`. */
export const orderAnswer = z
  .strictObject({ intervention_id: interventionId.optional(), ...shape })
  .superRefine(checkParams);

export type ResolutionBody = z.output<typeof answer>;

/** `POST /v1/interventions/resolve`: many at once, never money. */
export const manyResolutions = z.strictObject({
  reason: z.enum(INTERVENTION_REASONS),
  since: z.iso
    .datetime({ offset: true, error: 'must be a time as RFC 3339 says' })
    .refine((text) => isQueryableTime(Date.parse(text)), 'must be a time as RFC 3339 says')
    .optional()
    .describe('those opened then or later'),
  action: action.refine(
    (one) => !movesMoney(one) && one !== 'to_user',
    'moves money: answer these one by one',
  ),
  note,
  dry_run: z.boolean().optional().describe('only counts'),
});
export const interventionListQuery = z.strictObject({
  status: z.enum(['open', 'resolved']).optional(),
  reason: z.enum(INTERVENTION_REASONS).optional(),
  out_trade_no: line(1, 64).optional(),
  cursor: orderListQuery.shape.cursor,
  limit: orderListQuery.shape.limit,
});

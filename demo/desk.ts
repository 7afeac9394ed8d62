import type { InterventionAction, InterventionReason } from '../domain/interventions/reasons';
import type { RetryOperation } from '../domain/retries/retry-policy';
import type { Oncepay } from '../stack/oncepay';
import {
  patrolList,
  policyAnswer,
  questionList,
  resolvedAnswer,
  type PatrolAnswer,
  type PolicyAnswer,
  type Question,
} from './answers';
import { createCall } from './call';
import { SOON_MS, until } from './until';

/** The desk of those who are asked: an operator and an admin, each with a key. */
export interface Desk {
  /** The open questions about an order. */
  questions(outTradeNo: string): Promise<Question[]>;
  /** Waits until there is a question of this reason about an order. @throws when there never is */
  asked(outTradeNo: string, reason: InterventionReason): Promise<Question>;
  /** `POST /v1/interventions/{id}/resolution`. @returns `200 done`, `202 proposed`, `409 <code>` … */
  answer(
    question: Question,
    action: InterventionAction,
    as?: 'operator' | 'admin',
    params?: object,
  ): Promise<string>;
  policy(operation: RetryOperation): Promise<PolicyAnswer>;
  /** Takes the place of the policy that is there now, whatever its version. */
  putPolicy(operation: RetryOperation, policy: PolicyAnswer): Promise<void>;
  /** The newest first. */
  patrols(): Promise<PatrolAnswer[]>;
}

/** @throws an error that names the call where something other than an answer is refused */
export function createDesk(oncepay: Pick<Oncepay, 'call'>): Desk {
  const call = createCall(oncepay, 'operator');

  const questions = async (outTradeNo: string) =>
    (await call(questionList, 'GET', `/v1/interventions?status=open&out_trade_no=${outTradeNo}`))
      .data;

  return {
    questions,
    asked: (outTradeNo, reason) =>
      until(`${reason} about order ${outTradeNo}`, SOON_MS, async () =>
        (await questions(outTradeNo)).find((question) => question.reason === reason),
      ),
    async answer({ id }, action, as = 'operator', params) {
      const path = `/v1/interventions/${id}/resolution`;
      const body = { action, note: 'looked into it', ...(params && { params }) };
      const { status, body: said } = await oncepay.call('POST', path, { as, body });
      const { resolution, code } = resolvedAnswer.parse(said);
      return `${status} ${code ?? resolution?.status ?? ''}`;
    },
    policy: (operation) => call(policyAnswer, 'GET', `/v1/retry-policies/${operation}`),
    async putPolicy(operation, policy) {
      const { version: _replaced, ...body } = policy;
      const path = `/v1/retry-policies/${operation}`;
      await call(policyAnswer, 'PUT', path, { as: 'admin', body });
    },
    patrols: async () => (await call(patrolList, 'GET', '/v1/patrol/runs?limit=200')).data,
  };
}

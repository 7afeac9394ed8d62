// The people who resolve interventions: an operator and an admin, each with a key.
import type { InterventionAction, InterventionReason } from '../domain/interventions/reasons';
import type { RetryOperation } from '../domain/retries/retry-policy';
import type { Oncepay } from '../stack/oncepay';
import {
  differenceList,
  patrolList,
  policyReply,
  receiverReply,
  interventionList,
  resolutionReply,
  reconciliationReply,
  type DifferenceReply,
  type ReconciliationReply,
  type PatrolReply,
  type PolicyReply,
  type Intervention,
} from './replies';
import { createCall, expectSuccess } from './call-api';
import { RECOVERY_MS, SOON_MS, waitUntil } from './wait-until';

/** The calls that an operator and an admin make. */
export interface OperatorDesk {
  /** The open interventions of an order. */
  interventions(outTradeNo: string): Promise<Intervention[]>;
  /**
   * Waits until an intervention with this reason is open on an order. @throws when none is opened
   * in time
   */
  waitForIntervention(outTradeNo: string, reason: InterventionReason): Promise<Intervention>;
  /**
   * `POST /v1/interventions/{id}/resolution`. @returns `200 done`, `202 proposed`, `409 <code>` …
   */
  resolve(
    intervention: Intervention,
    action: InterventionAction,
    as?: 'operator' | 'admin',
    params?: object,
  ): Promise<string>;
  policy(operation: RetryOperation): Promise<PolicyReply>;
  /** Replaces the current policy, whatever its version. */
  putPolicy(operation: RetryOperation, policy: PolicyReply): Promise<void>;
  /** Two admins make a merchant known, so that payments can be shared with it. */
  addReceiver(merchantId: string): Promise<void>;
  /** The patrol's runs, the newest first. */
  patrols(): Promise<PatrolReply[]>;
  /** Compares WeChat's bill of a day with the books. @returns the result of the finished run */
  reconcile(billDate: string): Promise<ReconciliationReply>;
  /** The differences that were found on a day. */
  differences(billDate: string): Promise<DifferenceReply[]>;
}

/** Creates the desk. @throws from its calls: an error that names the call, except for `resolve` */
export function createOperatorDesk(oncepay: Pick<Oncepay, 'call'>): OperatorDesk {
  const call = createCall(oncepay, 'operator');

  const interventions = async (outTradeNo: string) =>
    (
      await call(
        interventionList,
        'GET',
        `/v1/interventions?status=open&out_trade_no=${outTradeNo}`,
      )
    ).data;

  return {
    interventions,
    waitForIntervention: (outTradeNo, reason) =>
      waitUntil(`${reason} about order ${outTradeNo}`, SOON_MS, async () =>
        (await interventions(outTradeNo)).find((intervention) => intervention.reason === reason),
      ),
    async resolve({ id }, action, as = 'operator', params) {
      const path = `/v1/interventions/${id}/resolution`;
      const body = { action, note: 'looked into it', ...(params && { params }) };
      const { status, body: reply } = await oncepay.call('POST', path, { as, body });
      const { resolution, code } = resolutionReply.parse(reply);
      return `${status} ${code ?? resolution?.status ?? ''}`;
    },
    policy: (operation) => call(policyReply, 'GET', `/v1/retry-policies/${operation}`),
    async putPolicy(operation, policy) {
      const { version: _replaced, ...body } = policy;
      const path = `/v1/retry-policies/${operation}`;
      await call(policyReply, 'PUT', path, { as: 'admin', body });
    },
    async addReceiver(account) {
      const body = { type: 'MERCHANT_ID', account };
      const path = '/v1/receivers';
      const first = await oncepay.call('POST', path, { as: 'admin', body });
      // A new receiver is a proposal until the second admin requests the same.
      if (first.status === 202) await call(receiverReply, 'POST', path, { as: 'deputy', body });
      else expectSuccess(first, `POST ${path}`);
    },
    async reconcile(billDate) {
      const path = '/v1/reconciliations';
      const body = { bill_date: billDate };
      const { status } = await oncepay.call('POST', path, { as: 'operator', body });
      if (status !== 202) throw new Error(`POST ${path} got the reply ${status}`);
      return waitUntil(`the reconciliation of ${billDate}`, RECOVERY_MS, async () => {
        const day = await call(reconciliationReply, 'GET', `${path}/${billDate}`);
        return day.status === 'done' || day.status === 'failed' ? day : undefined;
      });
    },
    differences: async (billDate) => {
      const path = `/v1/reconciliations/${billDate}/differences?limit=200`;
      return (await call(differenceList, 'GET', path)).data;
    },
    patrols: async () => (await call(patrolList, 'GET', '/v1/patrol/runs?limit=200')).data,
  };
}

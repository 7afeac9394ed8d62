import {
  actionsFor,
  type InterventionAction,
  type InterventionReason,
  type INTERVENTIONS,
} from '../../domain/interventions/reasons';
import type { DatabaseContext } from '../core/context';
import type { Scope } from '../core/scope';
import {
  refused,
  type ResolutionScope,
  type OpenIntervention,
  type Outcome,
  type Params,
} from './resolution-scope';
import { currentOrder } from '../core/scope';
import * as money from './payment-actions';
import { reconcileAgain } from './reconciliation-actions';
import * as sharing from './sharing-actions';
import * as steps from './order-actions';

type Carry = (answering: ResolutionScope) => Promise<Outcome>;
type Table = {
  readonly [R in InterventionReason]: Readonly<Record<(typeof INTERVENTIONS)[R][number], Carry>>;
};

const EFFECT = { retry: steps.retryEffect, skip: steps.skipEffect, refund: money.refundApplied };

/** How each answer is carried out; the type says that none of the table in domain/ is missing. */
const CARRY_OUT: Table = {
  amount_mismatch: {
    refund: money.refundMismatch,
    accept: money.acceptMismatch,
    retry: money.queryAgain,
  },
  identity_mismatch: { dismiss: steps.endOnly },
  unknown_order: { refund: money.refundNamed, dismiss: steps.endOnly },
  late_payment: { refund: money.refundApplied, accept: money.acceptLate },
  surplus_payment: { retry: money.retryRefund, dismiss: money.abandonRefund },
  effect_failed: EFFECT,
  no_stock: EFFECT,
  no_codes: EFFECT,
  wechat_failed: { retry: steps.retryAtWechat, close: steps.closeInstead },
  refund_failed: { retry: money.retryRefund, dismiss: money.abandonRefund },
  refund_closed: { new_number: money.replaceRefund, dismiss: steps.endOnly },
  refund_abnormal: {
    to_user: (answering) => money.redirectRefund(answering, 'user_bank_card'),
    to_bank_card: (answering) => money.redirectRefund(answering, 'merchant_bank_card'),
    dismiss: money.leaveAbnormal,
  },
  sharing_failed: { new_number: sharing.shareAnew, dismiss: sharing.abandonSharing },
  return_failed: {
    retry: money.retryRefund,
    accept: sharing.acceptShort,
    dismiss: sharing.abandonShortRefund,
  },
  undeliverable: { retry: steps.deliverAgain, dismiss: steps.leaveUndelivered },
  stuck: { retry: steps.unstick, dismiss: steps.endOnly },
  // The patrol looks again; what is still wrong is asked anew.
  invariant: { retry: steps.endOnly, dismiss: steps.endOnly },
  reconciliation: {
    retry: reconcileAgain,
    dismiss: steps.endOnly,
    refund: money.refundDisputedPayment,
  },
};

/** Carries out one answer under the order's lock, or says why it can't be. */
export async function carryOut(
  context: DatabaseContext,
  scope: Scope,
  question: OpenIntervention,
  action: InterventionAction,
  params: Params,
): Promise<Outcome> {
  if (!actionsFor(question.reason, question.subject).includes(action)) {
    return refused('ACTION_NOT_ALLOWED', `${question.reason} can't be answered with ${action}`);
  }
  await currentOrder(scope);
  const handlers: Partial<Record<InterventionAction, Carry>> =
    CARRY_OUT[question.reason as InterventionReason];
  const carry = handlers[action];
  if (!carry) throw new Error(`No way to carry out ${question.reason}: ${action}`);
  return carry({ context, scope, intervention: question, params });
}

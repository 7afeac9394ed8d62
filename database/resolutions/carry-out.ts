// Carries out one resolution: the table of all reasons and actions.
import {
  actionsFor,
  type InterventionAction,
  type InterventionReason,
  type INTERVENTIONS,
} from '../../domain/interventions/reasons';
import type { DatabaseContext } from '../core/context';
import { currentOrder } from '../core/scope';
import { UnreadableValueError } from '../encryption/unreadable-value';
import { refused, type Outcome, type ResolutionScope } from './resolution-scope';
import * as orders from './order-actions';
import * as payments from './payment-actions';
import { dismissDifferences, reconcileAgain } from './reconciliation-actions';
import * as refunds from './refund-actions';
import * as sharings from './sharing-actions';

type CarryOut = (resolution: ResolutionScope) => Promise<Outcome>;
type Table = {
  readonly [R in InterventionReason]: Readonly<Record<(typeof INTERVENTIONS)[R][number], CarryOut>>;
};

const EFFECT = {
  retry: orders.retryEffect,
  skip: orders.skipEffect,
  refund: payments.refundApplied,
};

/** How each action is carried out; its type requires every pair of the table in domain/. */
const CARRY_OUT: Table = {
  amount_mismatch: {
    refund: payments.refundMismatch,
    accept: payments.acceptMismatch,
    retry: payments.queryAgain,
  },
  identity_mismatch: { dismiss: orders.endOnly },
  unknown_order: { refund: payments.refundNamed, dismiss: orders.endOnly },
  late_payment: { refund: payments.refundApplied, accept: payments.acceptLate },
  surplus_payment: { retry: refunds.retryRefund, dismiss: refunds.abandonRefund },
  effect_failed: EFFECT,
  no_stock: EFFECT,
  no_codes: EFFECT,
  wechat_failed: { retry: orders.retryAtWechat, close: orders.closeInstead },
  refund_failed: { retry: refunds.retryRefund, dismiss: refunds.abandonRefund },
  refund_closed: { new_number: refunds.replaceRefund, dismiss: orders.endOnly },
  refund_abnormal: {
    to_user: (resolution) => refunds.redirectRefund(resolution, 'user_bank_card'),
    to_bank_card: (resolution) => refunds.redirectRefund(resolution, 'merchant_bank_card'),
    dismiss: refunds.leaveAbnormal,
  },
  sharing_failed: {
    new_number: sharings.shareAnew,
    retry: sharings.retrySharing,
    dismiss: sharings.abandonSharing,
  },
  return_failed: {
    retry: sharings.takeBackAgain,
    accept: sharings.acceptShort,
    dismiss: sharings.abandonShortRefund,
  },
  undeliverable: { retry: orders.deliverAgain, dismiss: orders.leaveUndelivered },
  stuck: { retry: orders.unstick, dismiss: orders.endOnly },
  // The patrol checks again, and opens a new intervention for what is still wrong.
  invariant: { retry: orders.endOnly, dismiss: orders.endOnly },
  reconciliation: {
    retry: reconcileAgain,
    dismiss: dismissDifferences,
    refund: payments.refundDisputedPayment,
  },
};

/** Carries out one resolution under the order's lock, or refuses it with the reason. */
export function carryOut(resolution: ResolutionScope): Promise<Outcome> {
  return refuseUnreadable(resolution.context, () => carryOutReadable(resolution));
}

/**
 * Refuses a resolution that needs a value which can't be decrypted: the intervention stays open,
 * and nothing else of the number waits for the key.
 */
export async function refuseUnreadable(
  { unreadable }: DatabaseContext,
  work: () => Promise<Outcome>,
): Promise<Outcome> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UnreadableValueError)) throw error;
    unreadable.report(error);
    const detail = `${error.message}. Add the key, then resolve this again`;
    return refused('TEMPORARY_FAILURE', detail);
  }
}

async function carryOutReadable(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention, action } = resolution;
  const { reason, subject } = intervention;
  if (!actionsFor(reason, subject).includes(action)) {
    return refused('ACTION_NOT_ALLOWED', `${action} can't resolve ${reason} (${subject})`);
  }
  await currentOrder(scope);
  const actions: Partial<Record<InterventionAction, CarryOut>> =
    CARRY_OUT[reason as InterventionReason];
  const carry = actions[action];
  if (!carry) throw new Error(`No function carries out ${action} of ${reason}`);
  return carry(resolution);
}

import {
  actionsFor,
  isInterventionAction,
  type InterventionAction,
  type InterventionReason,
  type INTERVENTIONS,
} from '../../domain/interventions';
import type { DatabaseContext } from '../context';
import type { Scope } from '../notice-scope';
import {
  currentOrder,
  refused,
  type Answering,
  type OpenQuestion,
  type Outcome,
  type Params,
} from './answer-scope';
import * as money from './money';
import * as sharing from './sharing';
import * as steps from './steps';

/** Answers of one number that one transaction carries out; a run asks again while some are left. */
const BATCH = 20;

type Carry = (answering: Answering) => Promise<Outcome>;
type Table = {
  readonly [R in InterventionReason]: Readonly<Record<(typeof INTERVENTIONS)[R][number], Carry>>;
};

const EFFECT = { retry: steps.retryEffect, skip: steps.skipEffect, refund: money.refundApplied };

/** How each answer is carried out; the type says that none of the table in domain/ is missing. */
const CARRY_OUT: Table = {
  amount_mismatch: {
    refund: money.refundMismatch,
    accept: money.acceptMismatch,
    retry: money.askAgain,
  },
  identity_mismatch: { dismiss: steps.endOnly },
  unknown_order: { refund: money.refundNamed, dismiss: steps.endOnly },
  late_payment: { refund: money.refundApplied, accept: money.acceptLate },
  surplus_payment: { retry: money.retryRefund, dismiss: money.giveUpRefund },
  effect_failed: EFFECT,
  no_stock: EFFECT,
  no_codes: EFFECT,
  wechat_failed: { retry: steps.retryAtWechat, close: steps.closeInstead },
  refund_failed: { retry: money.retryRefund, dismiss: money.giveUpRefund },
  refund_closed: { new_number: money.replaceRefund, dismiss: steps.endOnly },
  refund_abnormal: {
    to_user: (answering) => money.redirectRefund(answering, 'user_bank_card'),
    to_bank_card: (answering) => money.redirectRefund(answering, 'merchant_bank_card'),
    dismiss: money.leaveAbnormal,
  },
  sharing_failed: { new_number: sharing.shareAnew, dismiss: sharing.giveUpSharing },
  return_failed: {
    retry: money.retryRefund,
    accept: sharing.acceptShort,
    dismiss: sharing.giveUpShortRefund,
  },
  undeliverable: { retry: steps.deliverAgain, dismiss: steps.leaveUndelivered },
  stuck: { retry: steps.unstick, dismiss: steps.endOnly },
  // The patrol looks again; what is still wrong is asked anew.
  invariant: { retry: steps.endOnly, dismiss: steps.endOnly },
  reconciliation: {
    retry: steps.reconcileAgain,
    dismiss: steps.endOnly,
    refund: money.refundQuestioned,
  },
};

/** Carries out one answer under the order's lock, or says why it can't be. */
export async function carryOut(
  context: DatabaseContext,
  scope: Scope,
  question: OpenQuestion,
  action: InterventionAction,
  params: Params,
): Promise<Outcome> {
  if (!actionsFor(question.reason).includes(action)) {
    return refused('ACTION_NOT_ALLOWED', `${question.reason} can't be answered with ${action}`);
  }
  await currentOrder(scope);
  const handlers: Partial<Record<InterventionAction, Carry>> =
    CARRY_OUT[question.reason as InterventionReason];
  const carry = handlers[action];
  if (!carry) throw new Error(`No way to carry out ${question.reason}: ${action}`);
  return carry({ context, scope, question, params });
}

interface ApprovedRow {
  id: string;
  action: string;
  params_encrypted: string | null;
  intervention_id: string;
  reason: string;
  subject: string;
  status: string;
  amount_fen: number | null;
  evidence: unknown;
}

/**
 * Carries out the committed, approved answers of a number, in the order they were given; each ends its
 * question in the same transaction, or is refused and leaves it open.
 * @returns true when there may be more
 */
export async function carryOutApproved(context: DatabaseContext, scope: Scope): Promise<boolean> {
  const { tx, outTradeNo } = scope;
  const rows = await tx.$queryRaw<ApprovedRow[]>`
    SELECT r.id::text, r.action, r.params_encrypted, i.id::text AS intervention_id, i.reason, i.subject,
      i.status, i.amount_fen, i.evidence
    FROM intervention_resolutions r JOIN interventions i ON i.id = r.intervention_id
    WHERE r.out_trade_no = ${outTradeNo} AND r.status = 'approved'
    ORDER BY r.id LIMIT ${BATCH} FOR NO KEY UPDATE OF r`;
  for (const row of rows) await carryOutRow(context, scope, row);
  return rows.length === BATCH;
}

async function carryOutRow(
  context: DatabaseContext,
  scope: Scope,
  row: ApprovedRow,
): Promise<void> {
  const { tx, now } = scope;
  if (row.status !== 'open' || !isInterventionAction(row.action)) {
    await finish(scope, row.id, { kind: 'refused', code: 'MOOT', detail: 'It is open no more' });
    return;
  }
  const question: OpenQuestion = {
    id: row.intervention_id,
    reason: row.reason,
    subject: row.subject,
    amountFen: row.amount_fen,
    evidence: row.evidence,
  };
  await tx.$executeRaw`SAVEPOINT answer`;
  const outcome = await carryOut(context, scope, question, row.action, paramsOf(context, row));
  if (outcome.kind === 'refused') {
    await tx.$executeRaw`ROLLBACK TO SAVEPOINT answer`;
    scope.changed = true;
  } else {
    await tx.intervention.updateMany({
      where: { id: row.intervention_id, status: 'open' },
      data: { status: 'resolved', resolvedAt: now, resolution: row.action },
    });
    scope.changed = true;
  }
  await finish(scope, row.id, outcome);
}

function paramsOf({ cipher }: DatabaseContext, row: ApprovedRow): Params {
  if (row.params_encrypted === null) return {};
  const place = { table: 'intervention_resolutions', column: 'params', row: row.id };
  return JSON.parse(cipher.decrypt(place, row.params_encrypted)) as Params;
}

async function finish({ tx, now }: Scope, id: string, outcome: Outcome): Promise<void> {
  const isDone = outcome.kind === 'done';
  await tx.interventionResolution.updateMany({
    where: { id, status: 'approved' },
    data: {
      status: isDone ? 'done' : 'refused',
      finishedAt: now,
      nextAttemptAt: null,
      ...(isDone ? {} : { refusalCode: outcome.code, refusalDetail: outcome.detail }),
    },
  });
}

import { mayBeTaken } from '../requests/numbered-attempts';
import { freeSharedAmount, holdSharing } from '../sharing/hold-sharing';
import { abandonShareReturns, mayBeTakenBack } from '../sharing/lock-share-returns';
import { lockSharing, sharingAttempts, type LockedSharing } from '../sharing/lock-sharing';
import { makeOwnNumber } from '../sharing/make-own-number';
import { readReceivers } from '../sharing/read-receivers';
import { addUnfreezeOfRest } from '../sharing/unfreeze-rest';
import { resetBudgets } from '../retries/retry-budgets';
import { DONE, refused, type ResolutionScope, type Outcome } from './resolution-scope';
import { currentOrder } from '../core/scope';
import { abandonRefund } from './payment-actions';

const MAY_BE_THERE = refused(
  'SHARING_RESERVED',
  'WeChat may have carried this out: it has to be asked again first',
);

/**
 * `new_number` for receivers that WeChat has closed. Where it never took the sharing, the same number is
 * tried again: under a new one, money might be shared twice.
 */
export async function shareAnew(answering: ResolutionScope): Promise<Outcome> {
  const { scope, intervention: question } = answering;
  const row = await lockSharing(scope.tx, question.subject);
  if (!row) return refused('NOT_FOUND', 'There is no such sharing');
  if (row.status === 'closed') return refused('NOTHING_TO_SHARE', 'This sharing was given up');
  if (row.status === 'finished') return replaceClosed(answering, row);
  await resetBudgets(scope.tx, row.outOrderNo);
  await scope.tx.profitSharing.updateMany({
    where: { outOrderNo: row.outOrderNo },
    data: { dueAt: scope.now, nextQueryAt: scope.now },
  });
  scope.sharings.add(row.outOrderNo);
  return DONE;
}

async function replaceClosed(answering: ResolutionScope, row: LockedSharing): Promise<Outcome> {
  const { scope, context } = answering;
  const { tx, now } = scope;
  const order = await currentOrder(scope);
  if (!order) return refused('NOT_FOUND', 'There is no such order');
  const replaced = await tx.profitSharing.count({ where: { replaces: row.outOrderNo } });
  if (replaced > 0) return DONE;
  const receivers = await readReceivers(context, tx, row.outOrderNo);
  const outOrderNo = makeOwnNumber(context, ['replaces', row.outOrderNo]);
  const reserved = await holdSharing(context, tx, order, {
    outOrderNo,
    receivers: receivers
      .filter(({ result }) => result === 'CLOSED')
      .map(({ type, account, name, relationType, amountFen, description }) => ({
        type,
        account,
        name,
        relationType,
        amountFen,
        description,
      })),
    unfreezeRest: row.unfreezeRest,
    origin: 'resolution',
    replaces: row.outOrderNo,
    contentHash: '',
    now,
  });
  if (reserved.kind === 'refused') return refused(reserved.code, reserved.detail);
  if (reserved.startsNow) scope.sharings.add(outOrderNo);
  return DONE;
}

/** `dismiss`: what WeChat never took is given up, and what was to follow follows. */
export async function abandonSharing(answering: ResolutionScope): Promise<Outcome> {
  const { scope, intervention: question } = answering;
  const { tx } = scope;
  const row = await lockSharing(tx, question.subject);
  if (!row) return DONE;
  if (row.status === 'pending' || row.status === 'processing') {
    if (await mayBeTaken(tx, sharingAttempts(row.outOrderNo, row.kind))) return MAY_BE_THERE;
    await close(answering, row);
  }
  const rest =
    row.kind === 'share' && row.unfreezeRest
      ? await addUnfreezeOfRest(answering.context, scope, row)
      : null;
  if (rest !== null) scope.sharings.add(rest);
  return DONE;
}

async function close({ scope, context }: ResolutionScope, row: LockedSharing): Promise<void> {
  const { tx, now } = scope;
  const { outOrderNo } = row;
  const receivers = await readReceivers(context, tx, outOrderNo);
  const held = receivers.filter(({ result }) => result === 'PENDING');
  await tx.profitSharing.updateMany({
    where: { outOrderNo },
    data: { status: 'closed', closedAt: now, dueAt: null, nextQueryAt: null },
  });
  await tx.profitSharingReceiver.updateMany({
    where: { outOrderNo, result: 'PENDING' },
    data: { result: 'CLOSED', failReason: 'DISMISSED' },
  });
  await freeSharedAmount(
    tx,
    row.transactionKey,
    held.reduce((sum, { amountFen }) => sum + amountFen, 0),
  );
}

/** `accept`: the refund goes out although receivers keep what it lacks; the merchant pays that. */
export async function acceptShort(answering: ResolutionScope): Promise<Outcome> {
  const { scope, intervention: question } = answering;
  const { tx, now } = scope;
  if (await mayBeTakenBack(tx, question.subject)) return MAY_BE_THERE;
  await abandonShareReturns(scope, question.subject, 'ACCEPTED');
  await tx.refund.updateMany({
    where: { outRefundNo: question.subject, status: 'pending' },
    data: { shortAcceptedAt: now, dueAt: now },
  });
  scope.refunds.add(question.subject);
  return DONE;
}

/** `dismiss`: the refund is given up, unsent. What was taken back already stays with the merchant. */
export async function abandonShortRefund(answering: ResolutionScope): Promise<Outcome> {
  const { scope, intervention: question } = answering;
  if (await mayBeTakenBack(scope.tx, question.subject)) return MAY_BE_THERE;
  await abandonShareReturns(scope, question.subject, 'DISMISSED');
  return abandonRefund(answering);
}

// Actions on profit sharings and on the take-back of shares.
import { mayBeTaken } from '../requests/numbered-attempts';
import { freeSharedAmount, holdSharing } from '../sharing/hold-sharing';
import { abandonShareReturns, mayBeTakenBack } from '../sharing/lock-share-returns';
import { lockSharing, sharingAttempts, type LockedSharing } from '../sharing/lock-sharing';
import { makeOwnNumber } from '../sharing/make-own-number';
import { readReceivers } from '../sharing/read-receivers';
import { addUnfreezeOfRest } from '../sharing/unfreeze-rest';
import { resetBudgets } from '../retries/spend-retry-budgets';
import { DONE, refused, type ResolutionScope, type Outcome } from './resolution-scope';
import { currentOrder } from '../core/scope';
import { abandonRefund } from './refund-actions';

const MAY_BE_THERE = refused(
  'SHARING_RESERVED',
  'WeChat may have carried this out already: resolve with retry, so that WeChat is queried first',
);

/**
 * `new_number` for receivers that WeChat closed. A sharing that WeChat did not take is sent again
 * under its own number: under a new one, money might be shared twice.
 */
export async function shareAnew(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention } = resolution;
  const row = await lockSharing(scope.tx, intervention.subject);
  if (!row) return refused('NOT_FOUND', 'Oncepay has no record of this sharing');
  if (row.status === 'closed')
    return refused(
      'NOTHING_TO_SHARE',
      'This sharing was abandoned: share the money with a new request',
    );
  if (row.status === 'finished') return replaceClosed(resolution, row);
  await resetBudgets(scope.tx, row.outOrderNo);
  await scope.tx.profitSharing.updateMany({
    where: { outOrderNo: row.outOrderNo },
    data: { dueAt: scope.now, nextQueryAt: scope.now },
  });
  scope.sharings.add(row.outOrderNo);
  return DONE;
}

async function replaceClosed(resolution: ResolutionScope, row: LockedSharing): Promise<Outcome> {
  const { scope, context } = resolution;
  const { tx, now } = scope;
  const order = await currentOrder(scope);
  if (!order) return refused('NOT_FOUND', 'Oncepay has no record of this order');
  const replaced = await tx.profitSharing.count({ where: { replaces: row.outOrderNo } });
  if (replaced > 0) return DONE;
  const receivers = await readReceivers(context, tx, row.outOrderNo);
  const outOrderNo = makeOwnNumber(context, ['replaces', row.outOrderNo]);
  const reservation = await holdSharing(context, tx, order, {
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
  if (reservation.kind === 'refused') return refused(reservation.code, reservation.detail);
  if (reservation.startsNow) scope.sharings.add(outOrderNo);
  return DONE;
}

/** `dismiss`: abandons a sharing that WeChat did not take; the unfreezing after it goes on. */
export async function abandonSharing(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention } = resolution;
  const { tx } = scope;
  const row = await lockSharing(tx, intervention.subject);
  if (!row) return DONE;
  if (row.status === 'pending' || row.status === 'processing') {
    if (await mayBeTaken(tx, sharingAttempts(row.outOrderNo, row.kind))) return MAY_BE_THERE;
    await closeSharing(resolution, row);
  }
  const rest =
    row.kind === 'share' && row.unfreezeRest
      ? await addUnfreezeOfRest(resolution.context, scope, row)
      : null;
  if (rest !== null) scope.sharings.add(rest);
  return DONE;
}

/** Closes a sharing and frees what its receivers would have got. */
async function closeSharing(
  { scope, context }: ResolutionScope,
  row: LockedSharing,
): Promise<void> {
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

/** `accept`: sends the refund without the missing shares; the merchant pays what receivers keep. */
export async function acceptShort(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention } = resolution;
  const { tx, now } = scope;
  if (await mayBeTakenBack(tx, intervention.subject)) return MAY_BE_THERE;
  await abandonShareReturns(scope, intervention.subject, 'ACCEPTED');
  await tx.refund.updateMany({
    where: { outRefundNo: intervention.subject, status: 'pending' },
    data: { shortAcceptedAt: now, dueAt: now },
  });
  scope.refunds.add(intervention.subject);
  return DONE;
}

/** `dismiss`: abandons a refund that was not sent; shares taken back stay with the merchant. */
export async function abandonShortRefund(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention } = resolution;
  if (await mayBeTakenBack(scope.tx, intervention.subject)) return MAY_BE_THERE;
  await abandonShareReturns(scope, intervention.subject, 'DISMISSED');
  return abandonRefund(resolution);
}

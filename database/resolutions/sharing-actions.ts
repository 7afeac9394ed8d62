// Actions on profit sharings and on the take-back of shares.
import { doubtAcceptedAttempts, mayBeTaken } from '../requests/numbered-attempts';
import { freeSharedAmount, holdSharing } from '../sharing/hold-sharing';
import {
  abandonShareReturns,
  lockShareReturns,
  mayBeTakenBack,
  shareReturnAttempts,
} from '../sharing/lock-share-returns';
import { lockSharing, sharingAttempts, type LockedSharing } from '../sharing/lock-sharing';
import { makeOwnNumber } from '../sharing/make-own-number';
import { readReceivers } from '../sharing/read-receivers';
import { addUnfreezeOfRest } from '../sharing/unfreeze-rest';
import { resetBudgets } from '../retries/spend-retry-budgets';
import {
  DONE,
  isLostAtWechat,
  refused,
  type ResolutionScope,
  type Outcome,
} from './resolution-scope';
import { currentOrder, type Scope } from '../core/scope';
import { abandonRefund, retryRefund } from './refund-actions';

const MAY_BE_THERE = refused(
  'SHARING_RESERVED',
  'WeChat may have carried this out already: resolve with retry, so that WeChat is queried first',
);

const NO_SHARING = refused('NOT_FOUND', 'Oncepay has no record of this sharing');

/**
 * `new_number` for receivers that WeChat closed. A sharing that WeChat has not finished is sent
 * again under its own number: under a new one, money might be shared twice.
 */
export async function shareAnew(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention } = resolution;
  const row = await lockSharing(scope.tx, intervention.subject);
  if (!row) return NO_SHARING;
  return row.status === 'finished' ? replaceClosed(resolution, row) : sendAgain(resolution, row);
}

/** `retry`: sends a sharing again that WeChat has not finished, with a new retry budget. */
export async function retrySharing(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention } = resolution;
  const row = await lockSharing(scope.tx, intervention.subject);
  if (!row) return NO_SHARING;
  if (row.status !== 'finished') return sendAgain(resolution, row);
  return refused(
    'ACTION_NOT_ALLOWED',
    'WeChat has finished this sharing: new_number shares with its closed receivers again',
  );
}

/** Its run queries WeChat first where WeChat may have it; the number and content stay the same. */
async function sendAgain(
  { scope, intervention }: ResolutionScope,
  row: LockedSharing,
): Promise<Outcome> {
  const { outOrderNo } = row;
  if (row.status === 'closed')
    return refused(
      'NOTHING_TO_SHARE',
      'This sharing was abandoned: share the money with a new request',
    );
  await resetBudgets(scope.tx, outOrderNo);
  if (isLostAtWechat(intervention)) await doubtAcceptance(scope, row);
  await scope.tx.profitSharing.updateMany({
    where: { outOrderNo },
    data: { dueAt: scope.now, nextQueryAt: scope.now },
  });
  scope.sharings.add(outOrderNo);
  return DONE;
}

/**
 * WeChat lost what it had accepted, so its acceptance counts no more. The run queries once more; if
 * WeChat still does not find the number, the run sends the same bytes under the same number.
 */
async function doubtAcceptance({ tx }: Scope, { outOrderNo, kind }: LockedSharing): Promise<void> {
  const { count } = await tx.profitSharing.updateMany({
    where: { outOrderNo, status: 'processing' },
    data: { status: 'pending', acceptedAt: null },
  });
  if (count > 0) await doubtAcceptedAttempts({ tx }, sharingAttempts(outOrderNo, kind));
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
        // It was, when the sharing that this one replaces was requested.
        known: true,
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
    await closeSharing(scope, row);
  }
  const rest =
    row.kind === 'share' && row.unfreezeRest
      ? await addUnfreezeOfRest(resolution.context, scope, row)
      : null;
  if (rest !== null) scope.sharings.add(rest);
  return DONE;
}

/** Closes a sharing and frees what its receivers would have got. */
async function closeSharing({ tx, now }: Scope, row: LockedSharing): Promise<void> {
  const { outOrderNo } = row;
  const { _sum } = await tx.profitSharingReceiver.aggregate({
    where: { outOrderNo, result: 'PENDING' },
    _sum: { amountFen: true },
  });
  await tx.profitSharing.updateMany({
    where: { outOrderNo },
    data: { status: 'closed', closedAt: now, dueAt: null, nextQueryAt: null },
  });
  await tx.profitSharingReceiver.updateMany({
    where: { outOrderNo, result: 'PENDING' },
    data: { result: 'CLOSED', failReason: 'DISMISSED' },
  });
  await freeSharedAmount(tx, row.transactionKey, _sum.amountFen ?? 0);
}

/**
 * `retry`: takes back again what failed. A take-back that WeChat accepted and lost is queried once
 * more; if WeChat still does not find the number, the run sends the same bytes under it.
 */
export async function takeBackAgain(resolution: ResolutionScope): Promise<Outcome> {
  const { scope, intervention } = resolution;
  if (isLostAtWechat(intervention)) await doubtTakeBacks(scope, intervention.subject);
  return retryRefund(resolution);
}

async function doubtTakeBacks({ tx }: Scope, outRefundNo: string): Promise<void> {
  for (const row of await lockShareReturns(tx, outRefundNo)) {
    if (row.status !== 'processing') continue;
    await tx.profitSharingReturn.updateMany({
      where: { outReturnNo: row.outReturnNo },
      data: { status: 'pending', acceptedAt: null, nextQueryAt: null },
    });
    await doubtAcceptedAttempts({ tx }, shareReturnAttempts(row));
  }
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

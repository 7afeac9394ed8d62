// Queries WeChat about differences, and stores what it confirms in the inbox, like a callback.
import { Context } from '@temporalio/activity';
import type { Database } from '../../database/database';
import type { OpenDifference } from '../../database/reconciliation/settle-day';
import { REPAIR_BATCH } from '../../database/reconciliation/repair-differences';
import type { ErrorCode } from '../../domain/error-catalogue';
import { carriesMoney } from '../../domain/payments/notices';
import type { BillDate } from '../../domain/reconciliation/bill-days';
import { refundEvent } from '../../domain/refunds/refund-state';
import { delayAfterFailure, type RetryPolicy } from '../../domain/retries/retry-policy';
import { asCallback, type RefundState } from '../../providers/wechatpay/calls/refunds';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { RepairedBatch } from '../../workflows/activity-contract';
import { storeFoundPayment } from '../orders/store-found-payment';
import { retryIn } from '../retries/failures';
import { wakeOrLeaveToSweep } from '../runs/wake-or-leave-to-sweep';
import type { Runs } from '../runs/wake-runs';

export interface RepairDeps {
  readonly database: Pick<Database, 'reconciliations' | 'queries' | 'noticeQueries'>;
  readonly wechatpay: Pick<WechatPayClient, 'queryTransaction' | 'queryRefund'>;
  readonly runs: Pick<Runs, 'wakeOrder'>;
  readonly merchantId: string;
  /** The policy of `wechat.bill` as it is now. */
  readonly billPolicy: () => Promise<RetryPolicy>;
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** The hint in the history of a run that a bill woke. */
const HINT = 'bill';

/**
 * - `stored`: the run of its order books it;
 * - `left`: WeChat does not confirm the line, or both sides agree by now;
 * - a code: WeChat gave no usable response.
 */
type Repair = 'stored' | 'left' | ErrorCode;

/**
 * Repairs some differences: a payment or refund that the bill has, and WeChat confirms, goes
 * through the inbox to the run of its order, which compares it like a callback. While WeChat gives
 * no usable response the batch is tried again; then the rest is left to a person.
 */
export async function repairDifferences(
  deps: RepairDeps,
  date: BillDate,
  after: string | null,
): Promise<RepairedBatch> {
  const differences = await deps.database.reconciliations.repairs.list(date, after);
  let stored = 0;
  const failed: ErrorCode[] = [];
  for (const difference of differences) {
    const repair = await repairOne(deps, difference);
    if (repair === 'stored') stored += 1;
    else if (repair !== 'left') failed.push(repair);
  }
  const [code] = failed;
  if (code !== undefined) await tryAgain(deps, code);
  const last = differences.length < REPAIR_BATCH ? null : (differences.at(-1)?.id ?? null);
  return { last, stored };
}

/** @throws ApplicationFailure while the policy has attempts left */
async function tryAgain({ billPolicy, random }: RepairDeps, code: ErrorCode): Promise<void> {
  const { attempt } = Context.current().info;
  const delayMs = delayAfterFailure(await billPolicy(), { attempts: attempt, code }, random());
  if (delayMs !== null) throw retryIn(delayMs, code, 'wechat.bill');
}

function repairOne(deps: RepairDeps, difference: OpenDifference): Promise<Repair> {
  const { type } = difference;
  return type === 'payment_missing_here'
    ? repairPayment(deps, difference)
    : repairRefund(deps, difference);
}

async function repairPayment(
  deps: RepairDeps,
  { outTradeNo, transactionId }: OpenDifference,
): Promise<Repair> {
  const { wechatpay, merchantId, runs } = deps;
  if (outTradeNo === null || transactionId === null) return 'left';
  const outcome = await wechatpay.queryTransaction({ outTradeNo, transactionId, merchantId });
  if (outcome.kind === 'unknown') return outcome.code;
  if (outcome.kind === 'refused') return 'left';
  const { notice, raw } = outcome.value;
  if (notice.transactionId !== transactionId || !carriesMoney(notice.tradeState)) return 'left';
  await storeFoundPayment(deps, { notice, raw }, merchantId, 'bill');
  await wakeOrLeaveToSweep(runs.wakeOrder(outTradeNo, HINT));
  return 'stored';
}

async function repairRefund(deps: RepairDeps, difference: OpenDifference): Promise<Repair> {
  const { wechatpay, merchantId, database, runs, now } = deps;
  const { id, outTradeNo, transactionId, outRefundNo, ours } = difference;
  if (outTradeNo === null || transactionId === null || outRefundNo === null) return 'left';
  const outcome = await wechatpay.queryRefund({ outRefundNo, merchantId });
  if (outcome.kind === 'unknown') return outcome.code;
  if (outcome.kind === 'refused') return 'left';
  const { value: refund } = outcome;
  const event = refundEvent(refund.status);
  if (event === null || refund.status === null) return 'left';
  if (!isOf(refund, { outRefundNo, transactionId })) return 'left';
  if (ours !== null && ours.status === event) {
    // WeChat has gone on since it made the bill, and our row with it.
    await database.reconciliations.repairs.agree(id, now());
    return 'left';
  }
  // A refund that was made elsewhere has moved no money before its end.
  if (ours === null && event !== 'succeeded' && event !== 'abnormal') return 'left';
  const requested = { merchantId, outTradeNo, transactionId, outRefundNo };
  const found = { outRefundNo, status: refund.status, raw: asCallback(refund, requested) };
  await database.queries.keepBillRefund(
    { outTradeNo, transactionId, merchantId, refund: found },
    now(),
  );
  await wakeOrLeaveToSweep(runs.wakeOrder(outTradeNo, HINT));
  return 'stored';
}

const isOf = (
  refund: RefundState,
  { outRefundNo, transactionId }: { outRefundNo: string; transactionId: string },
): boolean =>
  (refund.outRefundNo ?? outRefundNo) === outRefundNo &&
  (refund.transactionId ?? transactionId) === transactionId;

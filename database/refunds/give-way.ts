// Closes refunds of ours that a payment no longer covers: money went back elsewhere meanwhile.
import type { DatabaseContext, Tx } from '../core/context';
import type { TxScope } from '../core/tx-scope';
import { lockRefund } from './lock-refund';
import { settleRefund } from './settle-refund';

const EVIDENCE = { why: 'refunded_elsewhere' };

/**
 * Closes refunds of ours that WeChat does not have, the newest first, until the payment covers all
 * that are left. A refund that WeChat may have is followed until WeChat closes or refuses it; what
 * the payment still covers stays as it is. The caller has locked the payment's order.
 * @returns the numbers of the refunds that were closed
 */
export async function giveWay(
  context: DatabaseContext,
  scope: TxScope,
  transactionKey: string,
): Promise<readonly string[]> {
  const given: string[] = [];
  for (;;) {
    const outRefundNo = await newestToClose(scope.tx, transactionKey);
    const refund = outRefundNo === null ? null : await lockRefund(scope.tx, outRefundNo);
    if (!refund) return given;
    const closed = { event: 'closed', refundId: null, nextQueryAt: null } as const;
    await settleRefund(context, scope, refund, { ...closed, evidence: EVIDENCE });
    given.push(refund.outRefundNo);
  }
}

/** null when the payment covers its refunds, or WeChat may have all of those that are open. */
async function newestToClose(tx: Tx, transactionKey: string): Promise<string | null> {
  const [row] = await tx.$queryRaw<{ outRefundNo: string }[]>`
    SELECT out_refund_no AS "outRefundNo" FROM refunds r
    WHERE transaction_key = ${transactionKey}::uuid AND status = 'pending'
      AND origin <> 'external' AND NOT EXISTS (SELECT 1 FROM refund_attempts a
        WHERE a.out_refund_no = r.out_refund_no AND a.outcome IS DISTINCT FROM 'refused')
      AND (SELECT sum(amount_fen) FROM refunds
        WHERE transaction_key = ${transactionKey}::uuid AND status <> 'closed')
        > (SELECT total_fen FROM payment_transactions WHERE id = ${transactionKey}::uuid)
    ORDER BY created_at DESC, out_refund_no DESC LIMIT 1`;
  return row?.outRefundNo ?? null;
}

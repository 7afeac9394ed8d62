// Locks a sharing's row, and its order's before it.
import type { OrderNumber } from '../../domain/orders/order-number';
import type { SharingKind, SharingStatus } from '../../domain/sharing/profit-sharing';
import type { Tx } from '../core/context';
import { lockOrder } from '../core/lock-order';
import type { RequestAttempts } from '../requests/numbered-attempts';

declare const lockProof: unique symbol;

/**
 * A sharing or an unfreeze, locked until the transaction ends. {@link lockSharing} alone makes it.
 */
export interface LockedSharing {
  readonly [lockProof]: true;
  readonly outOrderNo: string;
  readonly outTradeNo: OrderNumber;
  readonly transactionKey: string;
  readonly merchantId: string;
  readonly appId: string;
  readonly transactionId: string;
  readonly kind: SharingKind;
  readonly unfreezeRest: boolean;
  readonly description: string;
  readonly origin: string;
  readonly status: SharingStatus;
  readonly notBefore: Date;
  readonly nextQueryAt: Date | null;
  readonly acceptedAt: Date | null;
}

/**
 * Locks a sharing, and its order first, so that everybody locks in one order.
 * @returns null when there is no such sharing
 */
export async function lockSharing(tx: Tx, outOrderNo: string): Promise<LockedSharing | null> {
  const where = { outOrderNo };
  const found = await tx.profitSharing.findUnique({ where, select: { outTradeNo: true } });
  if (!found) return null;
  await lockOrder(tx, found.outTradeNo);
  const [row] = await tx.$queryRaw<LockedSharing[]>`
    SELECT out_order_no AS "outOrderNo", out_trade_no AS "outTradeNo",
      transaction_key::text AS "transactionKey", merchant_id AS "merchantId", app_id AS "appId",
      transaction_id AS "transactionId", kind, unfreeze_rest AS "unfreezeRest", description, origin,
      status, not_before AS "notBefore", next_query_at AS "nextQueryAt", accepted_at AS "acceptedAt"
    FROM profit_sharings WHERE out_order_no = ${outOrderNo} FOR NO KEY UPDATE`;
  return row ?? null;
}

/**
 * The attempts of a sharing at one of its requests: the sharing or unfreeze itself, or `receiver`,
 * which makes one of its receivers known to WeChat.
 */
export function sharingAttempts(
  outOrderNo: string,
  operation: SharingKind | 'receiver',
): RequestAttempts {
  return { table: 'profit_sharing_attempts', columns: { out_order_no: outOrderNo, operation } };
}

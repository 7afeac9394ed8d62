import type {
  ReceiverResult,
  ReceiverType,
  RelationType,
  SharingKind,
  SharingStatus,
} from '../../domain/sharing/profit-sharing';
import type { DatabaseContext, Tx } from '../core/context';
import { lockOrder } from '../core/order-row';

/** A sharing as it is locked. */
export interface LockedSharing {
  readonly outOrderNo: string;
  readonly outTradeNo: string;
  readonly transactionKey: string;
  readonly merchantId: string;
  readonly appId: string;
  readonly transactionId: string;
  readonly kind: SharingKind;
  readonly unfreezeRest: boolean;
  readonly description: string;
  readonly origin: string;
  readonly status: SharingStatus;
  readonly orderId: string | null;
  readonly notBefore: Date;
  readonly nextQueryAt: Date | null;
  readonly acceptedAt: Date | null;
}

/** Locks a sharing, and its order first, so that everybody locks in one order. */
export async function lockSharing(tx: Tx, outOrderNo: string): Promise<LockedSharing | null> {
  const where = { outOrderNo };
  const found = await tx.profitSharing.findUnique({ where, select: { outTradeNo: true } });
  if (!found) return null;
  await lockOrder(tx, found.outTradeNo);
  const [row] = await tx.$queryRaw<LockedSharing[]>`
    SELECT out_order_no AS "outOrderNo", out_trade_no AS "outTradeNo",
      transaction_key::text AS "transactionKey", merchant_id AS "merchantId", app_id AS "appId",
      transaction_id AS "transactionId", kind, unfreeze_rest AS "unfreezeRest", description, origin,
      status, order_id AS "orderId", not_before AS "notBefore", next_query_at AS "nextQueryAt",
      accepted_at AS "acceptedAt"
    FROM profit_sharings WHERE out_order_no = ${outOrderNo} FOR NO KEY UPDATE`;
  return row ?? null;
}

/** A receiver in clear text: for WeChat alone. */
export interface Receiver {
  readonly id: string;
  readonly line: number;
  readonly type: ReceiverType;
  readonly account: string;
  readonly name: string | null;
  readonly relationType: RelationType;
  readonly amountFen: number;
  readonly description: string;
  readonly result: ReceiverResult;
  readonly failReason: string | null;
  readonly registeredAt: Date | null;
}

const RECEIVER = {
  id: true,
  line: true,
  type: true,
  accountEncrypted: true,
  nameEncrypted: true,
  relationType: true,
  amountFen: true,
  description: true,
  result: true,
  failReason: true,
  registeredAt: true,
} as const;

export const receiverPlace = (column: 'account' | 'name', row: string) => ({
  table: 'profit_sharing_receivers',
  column,
  row,
});

/** The receivers of a sharing, in their order. */
export async function readReceivers(
  { cipher }: Pick<DatabaseContext, 'cipher'>,
  tx: Tx,
  outOrderNo: string,
): Promise<Receiver[]> {
  const where = { outOrderNo };
  const orderBy = { line: 'asc' } as const;
  const rows = await tx.profitSharingReceiver.findMany({ where, select: RECEIVER, orderBy });
  return rows.map(({ accountEncrypted, nameEncrypted, ...row }) => ({
    ...row,
    type: row.type as ReceiverType,
    relationType: row.relationType as RelationType,
    result: row.result as ReceiverResult,
    account: cipher.decrypt(receiverPlace('account', row.id), accountEncrypted),
    name: nameEncrypted && cipher.decrypt(receiverPlace('name', row.id), nameEncrypted),
  }));
}

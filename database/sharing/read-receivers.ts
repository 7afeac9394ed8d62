// Reads the receivers of a sharing, decrypted for the requests to WeChat.
import type { Fen } from '../../domain/money';
import type {
  ReceiverResult,
  ReceiverType,
  RelationType,
} from '../../domain/sharing/profit-sharing';
import type { DatabaseContext, Tx } from '../core/context';

/** A receiver in clear text: for WeChat alone. */
export interface Receiver {
  readonly id: string;
  readonly line: number;
  readonly type: ReceiverType;
  readonly account: string;
  readonly name: string | null;
  readonly relationType: RelationType;
  readonly amountFen: Fen;
  readonly description: string;
  readonly result: ReceiverResult;
  readonly failReason: string | null;
  /** When WeChat took it as a receiver; null before that. */
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

/** The place of a receiver's encrypted field, which its encryption is bound to. */
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
    amountFen: row.amountFen as Fen,
    result: row.result as ReceiverResult,
    account: cipher.decrypt(receiverPlace('account', row.id), accountEncrypted),
    name: nameEncrypted && cipher.decrypt(receiverPlace('name', row.id), nameEncrypted),
  }));
}

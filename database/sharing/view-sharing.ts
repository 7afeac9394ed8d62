// Reads sharings as the API shows them, with their receivers' accounts decrypted.
import type { Fen } from '../../domain/money';
import type { OrderNumber } from '../../domain/orders/order-number';
import type {
  ReceiverResult,
  ReceiverType,
  SharingKind,
  SharingOrigin,
  SharingStatus,
} from '../../domain/sharing/profit-sharing';
import type { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext, Tx } from '../core/context';
import { receiverPlace } from './read-receivers';

/** A sharing as the API shows it. */
export interface SharingView {
  readonly outOrderNo: string;
  readonly outTradeNo: OrderNumber;
  readonly kind: SharingKind;
  readonly status: SharingStatus;
  readonly origin: SharingOrigin;
  readonly replaces: string | null;
  readonly unfreezeRest: boolean;
  readonly receivers: readonly {
    readonly line: number;
    readonly type: ReceiverType;
    /** null when it can't be decrypted. */
    readonly account: string | null;
    readonly amountFen: Fen;
    readonly description: string;
    readonly result: ReceiverResult;
    readonly failReason: string | null;
    readonly returnedFen: Fen;
  }[];
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

/** The columns of a {@link SharingView}. */
export const SHARING = {
  outOrderNo: true,
  outTradeNo: true,
  kind: true,
  status: true,
  origin: true,
  replaces: true,
  unfreezeRest: true,
  receivers: {
    select: {
      id: true,
      line: true,
      type: true,
      accountEncrypted: true,
      amountFen: true,
      description: true,
      result: true,
      failReason: true,
      returnedFen: true,
    },
    orderBy: { line: 'asc' },
  },
  createdAt: true,
  finishedAt: true,
} as const satisfies Prisma.ProfitSharingSelect;

/** An order's list of sharings has the unfreeze at the deadline only once that has begun. */
export const SHARINGS_OF_ORDER = {
  select: SHARING,
  where: { NOT: { origin: 'deadline', status: { in: ['pending', 'closed'] } } },
  orderBy: [{ createdAt: 'asc' }, { outOrderNo: 'asc' }],
} as const satisfies Prisma.Order$profitSharingsArgs;

type Row = Prisma.ProfitSharingGetPayload<{ select: typeof SHARING }>;

/** Makes the view of a row, its receivers' accounts in clear text. */
export function viewSharing(
  { cipher }: Pick<DatabaseContext, 'cipher'>,
  { receivers, ...row }: Row,
): SharingView {
  return {
    ...row,
    outTradeNo: row.outTradeNo as OrderNumber,
    kind: row.kind as SharingKind,
    status: row.status as SharingStatus,
    origin: row.origin as SharingOrigin,
    receivers: receivers.map(({ id, accountEncrypted, ...one }) => ({
      ...one,
      amountFen: one.amountFen as Fen,
      returnedFen: one.returnedFen as Fen,
      type: one.type as ReceiverType,
      result: one.result as ReceiverResult,
      account: cipher.show(receiverPlace('account', id), accountEncrypted),
    })),
  };
}

/**
 * Finds a sharing by its number.
 * @param sharing.outTradeNo of the order that it must belong to; left out for any order
 * @returns null when there is none
 */
export async function findSharing(
  context: Pick<DatabaseContext, 'cipher'>,
  client: Pick<Tx, 'profitSharing'>,
  { outOrderNo, outTradeNo }: { readonly outOrderNo: string; readonly outTradeNo?: string },
): Promise<SharingView | null> {
  const row = await client.profitSharing.findUnique({ where: { outOrderNo }, select: SHARING });
  if (!row || (outTradeNo !== undefined && row.outTradeNo !== outTradeNo)) return null;
  return viewSharing(context, row);
}

import type {
  ReceiverResult,
  ReceiverType,
  SharingKind,
  SharingOrigin,
  SharingStatus,
} from '../../domain/sharing/profit-sharing';
import type { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext, Tx } from '../core/context';
import { receiverPlace } from './lock-sharing';

/** A sharing as the API shows it. */
export interface SharingView {
  readonly outOrderNo: string;
  readonly outTradeNo: string;
  readonly kind: SharingKind;
  readonly status: SharingStatus;
  readonly origin: SharingOrigin;
  readonly replaces: string | null;
  readonly unfreezeRest: boolean;
  readonly receivers: readonly {
    readonly line: number;
    readonly type: ReceiverType;
    readonly account: string;
    readonly amountFen: number;
    readonly description: string;
    readonly result: ReceiverResult;
    readonly failReason: string | null;
    readonly returnedFen: number;
  }[];
  readonly createdAt: Date;
  readonly finishedAt: Date | null;
}

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

/** What is listed with an order: the unfreeze at the deadline only once it has begun. */
export const SHARINGS_OF_ORDER = {
  select: SHARING,
  where: { NOT: { origin: 'deadline', status: { in: ['pending', 'closed'] } } },
  orderBy: [{ createdAt: 'asc' }, { outOrderNo: 'asc' }],
} as const satisfies Prisma.Order$profitSharingsArgs;

type Row = Prisma.ProfitSharingGetPayload<{ select: typeof SHARING }>;

/** A row with its accounts in clear text. */
export function viewSharing(
  { cipher }: Pick<DatabaseContext, 'cipher'>,
  { receivers, ...row }: Row,
): SharingView {
  return {
    ...row,
    kind: row.kind as SharingKind,
    status: row.status as SharingStatus,
    origin: row.origin as SharingOrigin,
    receivers: receivers.map(({ id, accountEncrypted, ...one }) => ({
      ...one,
      type: one.type as ReceiverType,
      result: one.result as ReceiverResult,
      account: cipher.decrypt(receiverPlace('account', id), accountEncrypted),
    })),
  };
}

/** @param outTradeNo of its order; null for whichever */
export async function findSharing(
  context: Pick<DatabaseContext, 'cipher'>,
  client: Pick<Tx, 'profitSharing'>,
  outOrderNo: string,
  outTradeNo: string | null,
): Promise<SharingView | null> {
  const row = await client.profitSharing.findUnique({ where: { outOrderNo }, select: SHARING });
  if (!row || (outTradeNo !== null && row.outTradeNo !== outTradeNo)) return null;
  return viewSharing(context, row);
}

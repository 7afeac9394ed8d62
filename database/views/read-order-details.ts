// Reads one order with everything that belongs to it, and its refunds.
import type { Prisma } from '../../generated/prisma/client';
import { fen, type Fen } from '../../domain/money';
import type { Channel } from '../../domain/orders/channels';
import type { OrderStatus } from '../../domain/orders/order-state';
import type { RefundOrigin, RefundStatus } from '../../domain/refunds/refund-state';
import type { DatabaseContext, Tx } from '../core/context';
import { SHARINGS_OF_ORDER, viewSharing } from '../sharing/view-sharing';

const REFUND = {
  outRefundNo: true,
  outTradeNo: true,
  transactionId: true,
  amountFen: true,
  currency: true,
  status: true,
  reason: true,
  origin: true,
  replaces: true,
  createdAt: true,
  succeededAt: true,
} as const satisfies Prisma.RefundSelect;

/** A refund as the API shows it. */
export interface RefundView {
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  readonly transactionId: string;
  readonly amountFen: Fen;
  readonly currency: string;
  readonly status: RefundStatus;
  readonly reason: string | null;
  readonly origin: RefundOrigin;
  readonly replaces: string | null;
  readonly createdAt: Date;
  readonly succeededAt: Date | null;
}

/** An order as the API shows it. */
export type OrderDetails = NonNullable<Awaited<ReturnType<typeof findOrder>>>;

/** Callbacks shown with an order, the newest ones; the view counts all of them. */
const MAX_NOTICES = 200;

const DETAILS = {
  outTradeNo: true,
  channel: true,
  status: true,
  userId: true,
  shopOrderNo: true,
  description: true,
  totalFen: true,
  refundedFen: true,
  currency: true,
  profitSharing: true,
  metadata: true,
  expiresAt: true,
  createdAt: true,
  paidAt: true,
  fulfilledAt: true,
  closedAt: true,
  refusalWechatCode: true,
  refusalMessage: true,
  items: {
    select: { sku: true, quantity: true, unitPriceFen: true, kind: true },
    orderBy: { line: 'asc' },
  },
  history: {
    select: { from: true, to: true, at: true, cause: true },
    orderBy: { id: 'asc' },
  },
  effects: {
    select: { effect: true, status: true, doneAt: true, errorCode: true },
    orderBy: { effect: 'asc' },
  },
  deliveries: {
    select: { id: true, kind: true, event: true, status: true, attempts: true, doneAt: true },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }, { kind: 'asc' }],
  },
  transactions: {
    select: { transactionId: true, status: true, totalFen: true, currency: true, createdAt: true },
    orderBy: { createdAt: 'asc' },
  },
  profitSharings: SHARINGS_OF_ORDER,
  refunds: { select: REFUND, orderBy: [{ createdAt: 'asc' }, { outRefundNo: 'asc' }] },
  interventions: {
    where: { status: 'open' },
    select: { id: true, reason: true, since: true },
    orderBy: [{ since: 'asc' }, { id: 'asc' }],
  },
  codes: {
    select: {
      id: true,
      sku: true,
      codeEncrypted: true,
      deliveredAt: true,
      usedAt: true,
      revokedAt: true,
    },
    orderBy: [{ sku: 'asc' }, { id: 'asc' }],
  },
} as const satisfies Prisma.OrderSelect;

/**
 * Reads the order with everything that belongs to it; null when there is none.
 * @param withCodes decrypts its codes; null in the place of one that can't be decrypted
 */
export async function findOrder(context: DatabaseContext, outTradeNo: string, withCodes: boolean) {
  const { prisma, cipher } = context;
  const where = { outTradeNo, source: 'callback' };
  const [row, newest, noticesTotal] = await prisma.$transaction(
    [
      prisma.order.findUnique({
        where: { outTradeNo },
        select: DETAILS,
        relationLoadStrategy: 'join',
      }),
      prisma.inboxNotification.findMany({
        where,
        select: {
          notificationId: true,
          kind: true,
          eventType: true,
          receivedAt: true,
          verdict: true,
        },
        orderBy: [{ receivedAt: 'desc' }, { id: 'desc' }],
        take: MAX_NOTICES,
      }),
      prisma.inboxNotification.count({ where }),
    ],
    // All reads see one moment: an intervention is never shown without its notice's verdict.
    { isolationLevel: 'RepeatableRead' },
  );
  if (!row) return null;
  const { interventions, codes, transactions, refunds, profitSharings, ...order } = row;
  const [oldest] = interventions;
  return {
    ...order,
    status: order.status as OrderStatus,
    channel: order.channel as Channel,
    totalFen: fen(order.totalFen),
    refundedFen: fen(order.refundedFen),
    transactionId: transactions.find(({ status }) => status === 'applied')?.transactionId ?? null,
    transactions,
    profitSharings: profitSharings.map((one) => viewSharing(context, one)),
    notices: newest.reverse(),
    noticesTotal,
    attention: oldest ? { ...oldest, openCount: interventions.length } : null,
    refunds: refunds.map(viewRefund),
    codes: withCodes
      ? codes.map(({ id, codeEncrypted, ...code }) => ({
          ...code,
          code: cipher.show({ table: 'product_codes', column: 'code', row: id }, codeEncrypted),
        }))
      : null,
  };
}

/** Reads one refund of an order; null when the order has no refund with this number. */
export async function findRefund(
  { prisma }: { readonly prisma: Pick<Tx, 'refund'> },
  outTradeNo: string,
  outRefundNo: string,
): Promise<RefundView | null> {
  const where = { outRefundNo, orderNo: outTradeNo };
  const row = await prisma.refund.findFirst({ where, select: REFUND });
  return row && viewRefund(row);
}

function viewRefund(row: Prisma.RefundGetPayload<{ select: typeof REFUND }>): RefundView {
  return {
    ...row,
    status: row.status as RefundStatus,
    origin: row.origin as RefundOrigin,
    amountFen: fen(row.amountFen),
  };
}

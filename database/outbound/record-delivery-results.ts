import type { DeliveryKind } from '../../domain/fulfilment/effects';
import { canBePaid } from '../../domain/orders/order-state';
import type { RunView } from '../../domain/orders/run-view';
import { SETTLE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext } from '../core/context';
import { readRun } from '../core/read-run-view';

export interface DueDelivery {
  readonly id: string;
  readonly kind: DeliveryKind;
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Attempts made before this one. */
  readonly attempts: number;
  readonly nextAttemptAt: Date;
}

type SentDelivery = Pick<DueDelivery, 'id' | 'kind'>;

interface DeliveryFailure {
  readonly error: string;
  readonly attempts: number;
  readonly retryAtMs: number;
}

/** What leaves the house: at least once, under one stable id. */
export function createDeliveries(context: DatabaseContext) {
  return {
    /** All that an order still has to tell, oldest first; at most a handful. */
    pending: (outTradeNo: string) => pendingDeliveries(context, outTradeNo),

    /** The receiver took them. */
    done: (sent: readonly SentDelivery[], nowMs: number) => recordDelivered(context, sent, nowMs),

    /** It did not: again later. What is given up is written with the question it opens (give-up). */
    failed: async ({ id, kind }: SentDelivery, failure: DeliveryFailure): Promise<void> => {
      const { error, attempts, retryAtMs } = failure;
      await context.prisma.delivery.updateMany({
        where: { id, kind, status: 'pending' },
        data: { attempts, lastError: error, nextAttemptAt: new Date(retryAtMs) },
      });
    },

    /**
     * The last look of a round: what is left, as the run sees it. When nothing is, nothing is due (P12).
     * @param nextAtMs when the next attempt is planned; null when none is
     */
    finishRound: (outTradeNo: string, nextAtMs: number | null) =>
      finishRound(context, outTradeNo, nextAtMs),
  };
}

async function pendingDeliveries(
  { prisma }: DatabaseContext,
  outTradeNo: string,
): Promise<DueDelivery[]> {
  const rows = await prisma.delivery.findMany({
    where: { outTradeNo, status: 'pending' },
    select: {
      id: true,
      kind: true,
      event: true,
      payload: true,
      attempts: true,
      nextAttemptAt: true,
    },
    orderBy: [{ createdAt: 'asc' }, { id: 'asc' }, { kind: 'asc' }],
    take: 50,
  });
  return rows.map((row) => ({
    ...row,
    kind: row.kind as DeliveryKind,
    payload: row.payload as Record<string, unknown>,
  }));
}

async function recordDelivered(
  { prisma }: DatabaseContext,
  sent: readonly SentDelivery[],
  nowMs: number,
): Promise<void> {
  if (sent.length === 0) return;
  await prisma.delivery.updateMany({
    where: { OR: sent.map(({ id, kind }) => ({ id, kind })), status: 'pending' },
    data: {
      status: 'done',
      doneAt: new Date(nowMs),
      attempts: { increment: 1 },
      lastError: null,
    },
  });
}

async function finishRound(
  { prisma }: DatabaseContext,
  outTradeNo: string,
  nextAtMs: number | null,
): Promise<RunView | null> {
  const run = await readRun(prisma, outTradeNo);
  if (!run || canBePaid(run.view.status)) return run?.view ?? null;
  const { view, dueAt: seenDueAt } = run;
  const dueAt = nextAtMs === null ? null : new Date(nextAtMs + SETTLE_GRACE_MS);
  if (dueAt === null && (view.effectsDue > 0 || view.openNotices > 0)) return view;
  const { count } = await prisma.order.updateMany({
    where: {
      outTradeNo,
      status: view.status,
      // What was committed since the look above keeps the order due.
      dueAt: seenDueAt,
      ...(dueAt === null ? { deliveries: { none: { status: 'pending' } } } : {}),
    },
    data: { dueAt },
  });
  return count === 0 ? view : { ...view, due: dueAt !== null };
}

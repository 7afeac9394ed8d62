// Reads the deliveries that an order has to send, and records how they went.
import type { DeliveryKind } from '../../domain/outbound/webhook-events';
import { canBePaid } from '../../domain/orders/order-state';
import type { RunView } from '../../domain/orders/run-view';
import { SETTLE_GRACE_MS } from '../core/due-times';
import type { DatabaseContext } from '../core/context';
import { readRun } from '../core/read-run-view';

/** A webhook or message that is still to be sent. */
export interface DueDelivery {
  readonly id: string;
  readonly kind: DeliveryKind;
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Attempts made before this one. */
  readonly attempts: number;
  readonly nextAttemptAt: Date;
}

/** Deliveries read for one round; an order has far fewer. */
const MAX_PENDING = 50;

type SentDelivery = Pick<DueDelivery, 'id' | 'kind'>;

interface DeliveryFailure {
  readonly error: string;
  readonly attempts: number;
  readonly retryAtMs: number;
}

/** Outbound deliveries: each is sent at least once, always with the same id. */
export function createDeliveries(context: DatabaseContext) {
  return {
    /** Lists the deliveries that an order still has to send, oldest first; a handful at most. */
    pending: (outTradeNo: string) => pendingDeliveries(context, outTradeNo),

    /** Lists the deliveries that belong to no order, oldest first: those about reconciliations. */
    pendingOfNoOrder: () => pendingDeliveries(context, null),

    /** Records that the receiver accepted them. */
    done: (sent: readonly SentDelivery[], nowMs: number) => recordDelivered(context, sent, nowMs),

    /**
     * Records a failed attempt and the next try. retries/escalate-operations records the last one.
     */
    failed: async ({ id, kind }: SentDelivery, failure: DeliveryFailure): Promise<void> => {
      const { error, attempts, retryAtMs } = failure;
      await context.prisma.delivery.updateMany({
        where: { id, kind, status: 'pending' },
        data: { attempts, lastError: error, nextAttemptAt: new Date(retryAtMs) },
      });
    },

    /**
     * Ends a round of deliveries: reads the run's view and sets the order's due time, or clears it
     * when nothing is left to do (P12).
     * @param nextAtMs when the next attempt is planned, Unix ms; null when none is planned
     * @returns null when there is no order with this number
     */
    finishRound: (outTradeNo: string, nextAtMs: number | null) =>
      finishRound(context, outTradeNo, nextAtMs),
  };
}

async function pendingDeliveries(
  { prisma }: DatabaseContext,
  outTradeNo: string | null,
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
    take: MAX_PENDING,
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

/** Something is left that the run does by itself. */
const isBusy = ({ effectsDue, openNotices, noticesToQuery }: RunView): boolean =>
  effectsDue > 0 || openNotices > 0 || (noticesToQuery ?? 0) > 0;

async function finishRound(
  { prisma }: DatabaseContext,
  outTradeNo: string,
  nextAtMs: number | null,
): Promise<RunView | null> {
  const run = await readRun(prisma, outTradeNo);
  if (!run || canBePaid(run.view.status)) return run?.view ?? null;
  const { view, dueAt: seenDueAt } = run;
  const dueAt = nextAtMs === null ? null : new Date(nextAtMs + SETTLE_GRACE_MS);
  if (dueAt === null && isBusy(view)) return view;
  const { count } = await prisma.order.updateMany({
    where: {
      outTradeNo,
      status: view.status,
      // A change that was committed after the read above keeps the order due.
      dueAt: seenDueAt,
      ...(dueAt === null ? { deliveries: { none: { status: 'pending' } } } : {}),
    },
    data: { dueAt },
  });
  return count === 0 ? view : { ...view, due: dueAt !== null };
}

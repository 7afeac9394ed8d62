import { v7 as uuidv7 } from 'uuid';
import { effectsFor } from '../domain/effects';
import { decidePayment, type PaymentDecision } from '../domain/payment-decision';
import type { Notice, PaymentNotice, RefundNotice } from '../domain/payment-notice';
import type { RunView } from '../domain/run-view';
import { SETTLE_GRACE_MS } from './attempts';
import type { DatabaseContext, Transaction } from './context';
import { addDeliveries } from './delivery-rows';
import { openIntervention } from './interventions';
import { readRunView } from './run-view';
import { changeStatus, lockOrder, type LockedOrder } from './status-change';

/** Inbox rows that one transaction applies; a run asks again while some are left. */
const BATCH = 50;

type Verdict = 'applied' | 'already_applied' | 'conflict' | 'ignored';

export interface Application {
  /** null when the number is not one of our orders. */
  readonly view: RunView | null;
  readonly applied: number;
  readonly conflicts: number;
  /** More rows wait than one transaction takes. */
  readonly more: boolean;
}

interface InboxRow {
  readonly id: string;
  readonly notificationId: string;
  readonly source: string;
  readonly resourceEncrypted: string;
}

/** What the application of one row may change, under the order's lock. */
interface Scope {
  readonly tx: Transaction;
  readonly outTradeNo: string;
  readonly now: Date;
  order: LockedOrder | null;
}

/**
 * The way from the inbox into the books. Every row of a number without a verdict is decided under the
 * order's row lock; the verdict is written in the transaction that applies it (P3), so a crash leaves
 * both or neither.
 */
export function createNoticeApplication(context: DatabaseContext) {
  const { prisma, cipher } = context;

  /** @param parse reads a decrypted notice (wechatpay/), passed in so that this room needs no provider */
  async function apply(
    outTradeNo: string,
    parse: (resource: string) => Notice,
    nowMs: number,
  ): Promise<Application> {
    return prisma.$transaction(async (tx) => {
      const scope: Scope = { tx, outTradeNo, now: new Date(nowMs), order: null };
      scope.order = await lockOrder(tx, outTradeNo);
      const rows = await tx.inboxNotification.findMany({
        where: { outTradeNo, verdict: null },
        select: { id: true, notificationId: true, source: true, resourceEncrypted: true },
        orderBy: [{ receivedAt: 'asc' }, { id: 'asc' }],
        take: BATCH,
      });
      const verdicts: Record<Verdict, string[]> = {
        applied: [],
        already_applied: [],
        conflict: [],
        ignored: [],
      };
      for (const row of rows) verdicts[await applyRow(scope, row, parse)].push(row.id);
      for (const [verdict, ids] of Object.entries(verdicts)) {
        if (ids.length === 0) continue;
        await tx.inboxNotification.updateMany({
          where: { id: { in: ids } },
          data: { verdict, verdictAt: scope.now },
        });
      }
      return {
        view: scope.order && (await readRunView(tx, outTradeNo)),
        applied: verdicts.applied.length,
        conflicts: verdicts.conflict.length,
        more: rows.length === BATCH,
      };
    });
  }

  async function applyRow(
    scope: Scope,
    row: InboxRow,
    parse: (resource: string) => Notice,
  ): Promise<Verdict> {
    const place = { table: 'notification_inbox', column: 'resource', row: row.id };
    const notice = parse(cipher.decrypt(place, row.resourceEncrypted));
    if (notice.kind === 'payment') return applyPayment(scope, notice, row);
    if (notice.kind === 'refund') return noteForeignRefund(scope, notice, row);
    return 'ignored';
  }

  async function applyPayment(
    scope: Scope,
    notice: PaymentNotice,
    row: InboxRow,
  ): Promise<Verdict> {
    const { tx, order } = scope;
    const decision = decidePayment(order && expected(order), notice);
    if (decision.kind === 'ignored' || decision.kind === 'already_applied') return decision.kind;
    const transactionId = notice.transactionId ?? `missing:${row.id}`;
    const known = await tx.paymentTransaction.findFirst({
      where: { provider: 'wechatpay', merchantId: notice.merchantId ?? '', transactionId },
      select: { outTradeNo: true, totalFen: true, currency: true, appId: true, status: true },
    });
    if (known) {
      const same =
        known.outTradeNo === scope.outTradeNo &&
        known.totalFen === notice.totalFen &&
        known.currency === notice.currency &&
        known.appId === notice.appId;
      if (same) return 'already_applied';
      await ask(scope, row, notice, {
        kind: 'conflict',
        transactionStatus: 'rejected',
        reason: order === null ? 'unknown_order' : 'amount_mismatch',
        mismatches: [],
      });
      return 'conflict';
    }
    if (decision.kind === 'conflict') {
      await addTransaction(scope, notice, transactionId, decision.transactionStatus);
      await ask(scope, row, notice, decision);
      return 'conflict';
    }
    if (!order) throw new Error('A payment was applied to no order');
    await addTransaction(scope, notice, transactionId, 'applied');
    await pay(scope, order, notice, row, decision);
    scope.order = await lockOrder(tx, scope.outTradeNo);
    return 'applied';
  }

  async function addTransaction(
    { tx, outTradeNo, order, now }: Scope,
    notice: PaymentNotice,
    transactionId: string,
    status: 'applied' | 'rejected' | 'surplus',
  ): Promise<void> {
    const successMs = notice.successTime === null ? Number.NaN : Date.parse(notice.successTime);
    await tx.paymentTransaction.createMany({
      data: [
        {
          id: uuidv7(),
          merchantId: notice.merchantId ?? '',
          transactionId,
          outTradeNo,
          orderNo: order ? outTradeNo : null,
          status,
          tradeState: notice.tradeState,
          tradeType: notice.tradeType,
          appId: notice.appId,
          totalFen: notice.totalFen,
          payerTotalFen: notice.payerTotalFen,
          currency: notice.currency,
          successTime: Number.isNaN(successMs) ? null : new Date(successMs),
          createdAt: now,
        },
      ],
    });
  }

  /** Moves the order, and writes what follows from its payment: effects and what must be told (P7). */
  async function pay(
    scope: Scope,
    order: LockedOrder,
    notice: PaymentNotice,
    row: InboxRow,
    decision: PaymentDecision & { kind: 'applied' },
  ): Promise<void> {
    const { tx, outTradeNo, now } = scope;
    const { to, attention } = decision;
    const change = await changeStatus(tx, {
      outTradeNo,
      status: order.status,
      event: 'paid',
      cause: row.source === 'query' ? 'payment_found_by_query' : 'payment_notice',
      now,
      dueAt: new Date(now.getTime() + SETTLE_GRACE_MS),
    });
    if (change.kind !== 'moved' || change.to !== to) {
      throw new Error(`Order ${outTradeNo} can't become ${to} from ${order.status}`);
    }
    if (to === 'paid') await addEffects(tx, outTradeNo);
    const event = to === 'paid' ? 'order.paid' : 'order.paid_late';
    const told = { event, status: to, transactionId: notice.transactionId, now } as const;
    await addDeliveries(context, tx, order, told);
    if (attention === null) return;
    await openIntervention(tx, {
      outTradeNo,
      ours: true,
      reason: attention,
      subject: notice.transactionId ?? row.id,
      evidence: evidence(notice, row, []),
      now,
    });
  }

  return { apply };
}

function expected(order: LockedOrder) {
  return {
    status: order.status,
    totalFen: order.total_fen,
    currency: order.currency,
    appId: order.app_id,
    merchantId: order.merchant_id,
    appliedTransactionId: order.applied_transaction_id,
  };
}

async function addEffects(tx: Transaction, outTradeNo: string): Promise<void> {
  const [facts] = await tx.$queryRaw<{ reserved: boolean; pooled: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM stock_reservations WHERE out_trade_no = ${outTradeNo}) AS reserved,
      EXISTS (SELECT 1 FROM order_items i JOIN products p USING (sku)
        WHERE i.out_trade_no = ${outTradeNo} AND p.kind = 'virtual') AS pooled`;
  const effects = effectsFor({
    hasReservations: facts?.reserved ?? false,
    hasPooledGoods: facts?.pooled ?? false,
  });
  await tx.orderEffect.createMany({
    data: effects.map((effect) => ({ outTradeNo, effect })),
    skipDuplicates: true,
  });
}

/** Opens the question that a payment which can't be applied raises, with its evidence. */
async function ask(
  { tx, outTradeNo, order, now }: Scope,
  row: InboxRow,
  notice: PaymentNotice,
  decision: PaymentDecision & { kind: 'conflict' },
): Promise<void> {
  await openIntervention(tx, {
    outTradeNo,
    ours: order !== null,
    reason: decision.reason,
    subject: notice.transactionId ?? row.id,
    evidence: evidence(notice, row, decision.mismatches),
    now,
  });
}

function evidence(notice: PaymentNotice, row: InboxRow, mismatches: readonly object[]) {
  return {
    source: row.source,
    notification_id: row.notificationId,
    transaction_id: notice.transactionId,
    trade_state: notice.tradeState,
    amount: { total: notice.totalFen, currency: notice.currency },
    app_id: notice.appId,
    merchant_id: notice.merchantId,
    success_time: notice.successTime,
    mismatches,
  };
}

/**
 * A refund that Oncepay did not make (it makes none yet), told by WeChat for an order of ours: its money
 * moved outside, and a person has to know.
 */
async function noteForeignRefund(
  { tx, outTradeNo, order, now }: Scope,
  notice: RefundNotice,
  row: InboxRow,
): Promise<Verdict> {
  if (!order) return 'ignored';
  await openIntervention(tx, {
    outTradeNo,
    ours: true,
    reason: 'reconciliation',
    subject: notice.outRefundNo,
    evidence: {
      source: row.source,
      notification_id: row.notificationId,
      transaction_id: notice.transactionId,
      out_refund_no: notice.outRefundNo,
      refund_status: notice.refundStatus,
      amount: { refund: notice.refundFen, total: notice.totalFen },
    },
    now,
  });
  return 'conflict';
}

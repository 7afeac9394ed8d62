import { v7 as uuidv7 } from 'uuid';
import { effectsFor } from '../domain/effects';
import { decidePayment, type PaymentDecision } from '../domain/payment-decision';
import type { PaymentNotice } from '../domain/payment-notice';
import { SETTLE_GRACE_MS } from './attempts';
import type { DatabaseContext, Transaction } from './context';
import { addDeliveries } from './delivery-rows';
import { resolveMoot } from './interventions';
import { askAboutPayment } from './notice-questions';
import type { InboxRow, Scope, Verdict } from './notice-scope';
import { changeStatus, type LockedOrder } from './status-change';

/**
 * Books one payment that WeChat told of, under the order's lock: the transaction's row (P11), the
 * order's change when it fits, a question for a person when it does not.
 */
export async function applyPayment(
  context: DatabaseContext,
  scope: Scope,
  notice: PaymentNotice,
  row: InboxRow,
): Promise<Verdict> {
  const { order } = scope;
  const decision = decidePayment(order && expected(order), notice);
  if (decision.kind === 'ignored' || decision.kind === 'already_applied') return decision.kind;
  const transactionId = notice.transactionId ?? `missing:${row.id}`;
  const status = decision.kind === 'applied' ? 'applied' : decision.transactionStatus;
  if (!(await addTransaction(scope, notice, transactionId, status))) {
    return knownBefore(scope, notice, transactionId, row);
  }
  if (decision.kind === 'conflict') {
    await askAboutPayment(scope, row, notice, decision);
    return 'conflict';
  }
  if (!order) throw new Error('A payment was applied to no order');
  await pay(context, scope, order, notice, row, decision);
  scope.changed = true;
  return 'applied';
}

/** WeChat told of this transaction before: with the same content it is nothing new (S7). */
async function knownBefore(
  scope: Scope,
  notice: PaymentNotice,
  transactionId: string,
  row: InboxRow,
): Promise<Verdict> {
  const known = await scope.tx.paymentTransaction.findFirst({
    where: { provider: 'wechatpay', merchantId: notice.merchantId ?? '', transactionId },
    select: { outTradeNo: true, totalFen: true, currency: true, appId: true },
  });
  const same =
    known?.outTradeNo === scope.outTradeNo &&
    known.totalFen === notice.totalFen &&
    known.currency === notice.currency &&
    known.appId === notice.appId;
  if (same) return 'already_applied';
  await askAboutPayment(scope, row, notice, {
    reason: scope.order === null ? 'unknown_order' : 'amount_mismatch',
    mismatches: [],
  });
  return 'conflict';
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

/** Books the transaction. @returns false when this transaction has its row already */
async function addTransaction(
  { tx, outTradeNo, order, now }: Scope,
  notice: PaymentNotice,
  transactionId: string,
  status: 'applied' | 'rejected' | 'surplus',
): Promise<boolean> {
  const successMs = notice.successTime === null ? Number.NaN : Date.parse(notice.successTime);
  const added = await tx.$executeRaw`
    INSERT INTO payment_transactions (id, provider, merchant_id, transaction_id, out_trade_no, order_no,
      status, trade_state, trade_type, app_id, total_fen, payer_total_fen, currency, success_time,
      created_at)
    VALUES (${uuidv7()}::uuid, 'wechatpay', ${notice.merchantId ?? ''}, ${transactionId}, ${outTradeNo},
      ${order ? outTradeNo : null}, ${status}, ${notice.tradeState}, ${notice.tradeType},
      ${notice.appId}, ${notice.totalFen}, ${notice.payerTotalFen}, ${notice.currency},
      ${Number.isNaN(successMs) ? null : new Date(successMs)}, ${now})
    ON CONFLICT (provider, merchant_id, transaction_id) DO NOTHING`;
  return added === 1;
}

/** Moves the order, and writes what follows from its payment: effects and what must be told (P7). */
async function pay(
  context: DatabaseContext,
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
  if (order.in_question) await resolveMoot(tx, outTradeNo, now);
  if (to === 'paid') await addEffects(tx, outTradeNo);
  const event = to === 'paid' ? 'order.paid' : 'order.paid_late';
  const told = { event, status: to, transactionId: notice.transactionId, now } as const;
  await addDeliveries(context, tx, order, told);
  if (attention === null) return;
  await askAboutPayment(scope, row, notice, { reason: attention, mismatches: [] });
}

/** The ledger's rows: one per effect that applies. */
async function addEffects(tx: Transaction, outTradeNo: string): Promise<void> {
  const [facts] = await tx.$queryRaw<{ reserved: boolean; pooled: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM stock_reservations WHERE out_trade_no = ${outTradeNo}) AS reserved,
      EXISTS (SELECT 1 FROM order_items
        WHERE out_trade_no = ${outTradeNo} AND pooled) AS pooled`;
  const effects = effectsFor({
    hasReservations: facts?.reserved ?? false,
    hasPooledGoods: facts?.pooled ?? false,
  });
  await tx.orderEffect.createMany({
    data: effects.map((effect) => ({ outTradeNo, effect })),
    skipDuplicates: true,
  });
}

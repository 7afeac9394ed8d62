// Runs the effects of a paid order: points, sales, stock and codes, each exactly once.
import { DATABASE_EFFECTS, readEffect, type DatabaseEffect } from '../../domain/fulfilment/effects';
import { isErrorCode, type ErrorCode } from '../../domain/error-catalogue';
import { pointsFor, type Fen } from '../../domain/money';
import { shanghaiDay } from '../../domain/orders/order-number';
import type { RunView } from '../../domain/orders/run-view';
import { SETTLE_GRACE_MS } from '../core/due-times';
import { compensate } from './compensate-effects';
import type { DatabaseContext, Tx } from '../core/context';
import { addDeliveries } from '../outbound/add-deliveries';
import { withProducts } from './limit-products';
import { handOutCodes } from './hand-out-codes';
import { NO_FAILURE } from './cancel-effects';
import { errorChain, isUnavailable, sqlStateOf } from '../core/classify-errors';
import { readRunView } from '../core/read-run-view';
import { changeStatus } from '../core/change-order-status';
import { lockOrder, type LockedOrder } from '../core/lock-order';

/** Says with a code of the error catalogue why an effect can't be done. */
export class EffectError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode) {
    super(code);
    this.code = code;
  }
}

interface EffectRow {
  readonly effect: string;
  readonly status: string;
  readonly attempts: number;
  readonly spent: boolean;
}

/** An effect that was tried and failed. */
export interface FailedEffect {
  readonly effect: string;
  readonly code: ErrorCode;
  /** Attempts so far, this one included. */
  readonly attempts: number;
  /** Names and codes of the error, and PostgreSQL's SQLSTATE; never the data of a row. */
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** The result of one run over the effects. */
export interface EffectsRun {
  readonly view: RunView | null;
  readonly failed: readonly FailedEffect[];
}

/** The effects ledger: each effect is done exactly once, and none waits for a failing one. */
export function createEffects(context: DatabaseContext) {
  const { prisma } = context;
  return {
    /**
     * Runs an order's unfinished effects in one transaction, each in its own savepoint: a failing
     * effect leaves its row `failed`, and the others commit. The last one fulfils the order. Then
     * the compensations of refunds run. The caller decides whether a failed effect is tried again.
     */
    run(outTradeNo: string, nowMs: number): Promise<EffectsRun> {
      const now = new Date(nowMs);
      return withProducts(context, outTradeNo, async (tx) => {
        const order = await lockOrder(tx, outTradeNo);
        const failed = order ? await runLocked(context, tx, order, now) : [];
        return { view: await readRunView(tx, outTradeNo), failed };
      });
    },

    /** Lists the failed effects for which the caller has not decided yet whether to try again. */
    async undecided(outTradeNo: string): Promise<FailedEffect[]> {
      const rows = await prisma.orderEffect.findMany({
        where: { outTradeNo, status: 'failed', spent: false },
        select: { effect: true, attempts: true, errorCode: true, evidence: true },
        orderBy: { effect: 'asc' },
      });
      return rows.map(({ errorCode, evidence, ...row }) => ({
        ...row,
        code: isErrorCode(errorCode) ? errorCode : 'EFFECT_FAILED',
        evidence: (evidence as FailedEffect['evidence'] | null) ?? {},
      }));
    },
  };
}

const UNFINISHED = { notIn: ['done', 'skipped'] };
const FORWARD = [...DATABASE_EFFECTS] as string[];

async function runLocked(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  now: Date,
): Promise<FailedEffect[]> {
  const rows = await tx.orderEffect.findMany({
    where: { outTradeNo: order.outTradeNo, status: UNFINISHED },
    select: { effect: true, status: true, attempts: true, spent: true },
    orderBy: { effect: 'asc' },
  });
  await lockProducts(tx, order.outTradeNo);
  const ahead = rows.filter(({ effect }) => FORWARD.includes(effect));
  const back = rows.filter(({ effect }) => !FORWARD.includes(effect));
  const failed = await runForward(context, tx, order, { rows: ahead, now });
  return [...failed, ...(await runCompensations(tx, order, back, now))];
}

/** Runs the effects of the payment; the last one fulfils the order. */
async function runForward(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  { rows, now }: { readonly rows: readonly EffectRow[]; readonly now: Date },
): Promise<FailedEffect[]> {
  if (order.status !== 'paid' || order.effectsHeld) return [];
  const failed: FailedEffect[] = [];
  const done: string[] = [];
  for (const row of rows.filter(isDue)) {
    const carryOut = EFFECTS[row.effect as DatabaseEffect];
    const failure = await attempt(tx, order, row, () => carryOut(tx, order, now));
    if (failure === null) done.push(row.effect);
    else failed.push(failure);
  }
  await markDone(tx, order.outTradeNo, done, now);
  if (done.length === rows.length) await fulfil(context, tx, order, now);
  return failed;
}

/**
 * Runs the compensations of refunds. Each waits until its effect is done, or never will be: so the
 * sums don't depend on the order of events.
 */
async function runCompensations(
  tx: Tx,
  order: LockedOrder,
  rows: readonly EffectRow[],
  now: Date,
): Promise<FailedEffect[]> {
  const due = rows.filter(isDue);
  if (due.length === 0) return [];
  const { outTradeNo } = order;
  const open = await tx.orderEffect.findMany({
    where: { outTradeNo, effect: { in: FORWARD }, status: UNFINISHED },
    select: { effect: true },
  });
  const waitsFor = order.status === 'refunded' ? [] : open.map(({ effect }) => effect);
  const failed: FailedEffect[] = [];
  for (const row of due) {
    const { effect, outRefundNo } = readEffect(row.effect);
    if (outRefundNo === null || waitsFor.includes(effect)) continue;
    const failure = await attempt(tx, order, row, () =>
      compensate(tx, order, { effect, outRefundNo, now }),
    );
    // At once: the next compensation subtracts what this one has compensated.
    if (failure === null) await markDone(tx, outTradeNo, [row.effect], now);
    else failed.push(failure);
  }
  return failed;
}

function isDue({ status, spent }: EffectRow): boolean {
  return status === 'pending' || (status === 'failed' && !spent);
}

/** Locks all products in sku order before the first effect, so that two orders can't deadlock. */
async function lockProducts(tx: Tx, outTradeNo: string): Promise<void> {
  await tx.$queryRaw`
    SELECT 1 FROM products WHERE sku IN (
      SELECT sku FROM order_items WHERE out_trade_no = ${outTradeNo})
    ORDER BY sku FOR NO KEY UPDATE`;
}

async function attempt(
  tx: Tx,
  order: LockedOrder,
  row: EffectRow,
  carryOut: () => Promise<void>,
): Promise<FailedEffect | null> {
  await tx.$executeRaw`SAVEPOINT effect`;
  try {
    await carryOut();
    return null;
  } catch (error) {
    if (isUnavailable(error)) throw error;
    await tx.$executeRaw`ROLLBACK TO SAVEPOINT effect`;
    return fail(tx, order.outTradeNo, row, error);
  }
}

async function markDone(tx: Tx, outTradeNo: string, effects: string[], now: Date): Promise<void> {
  if (effects.length === 0) return;
  await tx.orderEffect.updateMany({
    where: { outTradeNo, effect: { in: effects }, status: { in: ['pending', 'failed'] } },
    data: { status: 'done', doneAt: now, ...NO_FAILURE, attempts: { increment: 1 } },
  });
}

async function fail(
  tx: Tx,
  outTradeNo: string,
  { effect, attempts: before }: EffectRow,
  error: unknown,
): Promise<FailedEffect> {
  const code = error instanceof EffectError ? error.code : 'EFFECT_FAILED';
  const attempts = before + 1;
  const evidence = { errors: errorChain(error), sql_state: sqlStateOf(error) };
  await tx.orderEffect.updateMany({
    where: { outTradeNo, effect },
    data: { status: 'failed', errorCode: code, evidence, attempts },
  });
  return { effect, code, attempts, evidence };
}

/** Fulfils the order when no effect is left, after a person has skipped one. */
export async function fulfilIfDone(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  now: Date,
): Promise<void> {
  if (order.status !== 'paid') return;
  const left = await tx.orderEffect.count({
    where: { outTradeNo: order.outTradeNo, effect: { in: FORWARD }, status: UNFINISHED },
  });
  if (left === 0) await fulfil(context, tx, order, now);
}

/** Fulfils the order, in the transaction of its last effect. */
async function fulfil(
  context: DatabaseContext,
  tx: Tx,
  order: LockedOrder,
  now: Date,
): Promise<void> {
  const change = await changeStatus(tx, order, {
    event: 'fulfilled',
    cause: 'effects_done',
    now,
    dueAt: new Date(now.getTime() + SETTLE_GRACE_MS),
  });
  if (change.kind !== 'moved') return;
  await addDeliveries(context, tx, order, {
    event: 'order.fulfilled',
    status: 'fulfilled',
    transactionId: order.appliedTransactionId,
    now,
  });
}

/** The amount that was paid: a person may have accepted another than the order's. */
async function paidFen(tx: Tx, { outTradeNo, totalFen }: LockedOrder): Promise<Fen> {
  const [paid] = await tx.$queryRaw<{ totalFen: Fen | null }[]>`
    SELECT total_fen AS "totalFen" FROM payment_transactions
    WHERE order_no = ${outTradeNo} AND status = 'applied'`;
  return paid?.totalFen ?? totalFen;
}

const EFFECTS: Record<DatabaseEffect, (tx: Tx, order: LockedOrder, now: Date) => Promise<void>> = {
  async points(tx, order, now) {
    const delta = pointsFor(await paidFen(tx, order));
    if (delta === 0) return;
    await tx.$executeRaw`
      WITH entry AS (
        INSERT INTO points_entries (user_id, out_trade_no, effect, delta, at)
        VALUES (${order.userId}, ${order.outTradeNo}, 'points', ${delta}, ${now})
        RETURNING user_id, delta
      )
      INSERT INTO points_balances (user_id, balance) SELECT user_id, delta FROM entry
      ON CONFLICT (user_id) DO UPDATE SET balance = points_balances.balance + excluded.balance`;
  },

  async sales(tx, order, now) {
    const day = shanghaiDay((order.paidAt ?? now).getTime());
    await tx.$executeRaw`
      WITH lines AS (
        SELECT sku, sum(quantity)::bigint AS units,
          sum(quantity::bigint * unit_price_fen) AS revenue_fen
        FROM order_items WHERE out_trade_no = ${order.outTradeNo} GROUP BY sku ORDER BY sku
      ), sold AS (
        UPDATE products SET sold = sold + lines.units FROM lines WHERE products.sku = lines.sku
      )
      INSERT INTO sales_statistics (day, sku, units, revenue_fen, orders)
      SELECT ${day}, sku, units, revenue_fen, 1 FROM lines ORDER BY sku
      ON CONFLICT (day, sku) DO UPDATE SET units = sales_statistics.units + excluded.units,
        revenue_fen = sales_statistics.revenue_fen + excluded.revenue_fen,
        orders = sales_statistics.orders + 1`;
  },

  async stock(tx, order) {
    const taken = await tx.$queryRaw<{ sku: string }[]>`
      WITH held AS (
        UPDATE stock_reservations SET status = 'taken'
        WHERE out_trade_no = ${order.outTradeNo} AND status = 'reserved'
        RETURNING sku, quantity
      )
      UPDATE products SET stock = stock - held.quantity, reserved = reserved - held.quantity
      FROM held WHERE products.sku = held.sku AND products.stock >= held.quantity
      RETURNING products.sku`;
    const wanted = await tx.stockReservation.count({
      where: { outTradeNo: order.outTradeNo, status: 'taken' },
    });
    if (taken.length !== wanted) throw new EffectError('NO_STOCK');
  },

  async delivery(tx, order, now) {
    if (!(await handOutCodes(tx, order.outTradeNo, now))) throw new EffectError('NO_CODES');
  },
};

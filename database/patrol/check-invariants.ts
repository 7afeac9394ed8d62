// Checks the invariants, heals leaked reservations and opens interventions.
import { invariantSubject } from '../../domain/interventions/subjects';
import {
  finding,
  type InvariantKind,
  type PatrolFinding,
  type PatrolPosition,
  type PatrolStart,
} from '../../domain/patrol/findings';
import type { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext, Tx } from '../core/context';
import { openUnlessDismissed } from '../interventions/open-intervention';
import { releaseStock } from '../fulfilment/reserve-stock';
import { lockOrder, type LockedOrder } from '../core/lock-order';
import { checkSales } from './check-sales';
import { ORDER_CHECKS, refundedCheck, stockCheck } from './invariant-rules';
import type { Violation } from './violation';

/** Orders that one batch of statements checks. */
const BATCH = 500;
/** Batches of changed orders; the next patrol checks the rest of a busy time. */
const MAX_CHANGED_BATCHES = 10;
/** Batches of the slow pass over all orders: about 288,000 orders a day at the usual interval. */
const MAX_PASS_BATCHES = 2;
/** The first patrol starts this many history rows back; the slow pass checks older orders. */
const FIRST_STEPS = 5_000;
/** A history row becomes visible at its commit, so the newest ids may still have gaps. */
const SETTLE_MS = 30_000;
/** Refunds checked in one patrol, open ones and changed ones. */
const MAX_REFUNDS = 1_000;
/** Interventions of one kind opened in one patrol: more have the same cause. */
const MAX_OPENED = 50;

/** The result of a check. */
export interface InvariantResult {
  readonly findings: readonly PatrolFinding[];
  readonly position: PatrolPosition;
  /** Violations for which a new intervention was opened. */
  readonly opened: readonly Violation[];
}

/**
 * Checks the rules that must always hold. A patrol checks the orders whose status changed since the
 * last one (by the id of their history row), those with a changed refund, and one slice of all
 * orders, so that each order is checked again within days; and the sales of two days. All are
 * bounded: a patrol costs the same however many orders there are.
 */
export function createInvariants(context: DatabaseContext) {
  return {
    /** @param deadlineMs Unix ms; the next patrol checks the batches after it */
    async check(
      start: PatrolStart,
      deadlineMs: number,
      now: () => number,
    ): Promise<InvariantResult> {
      const broken = new Map<string, Violation>();
      const note = (found: readonly Violation[]) => {
        for (const one of found) broken.set(`${subjectOf(one)} ${one.outTradeNo}`, one);
      };
      const runCheck = async (check: Prisma.Sql) => {
        note(await context.prisma.$queryRaw<Violation[]>(check));
      };
      const checkOrders = async (numbers: string[]) => {
        for (const check of ORDER_CHECKS) await runCheck(check(numbers));
      };
      const checking: Checking = { hasTime: () => now() < deadlineMs, now, checkOrders };
      const history = await checkChangedOrders(context, start, checking);
      const order = await checkSlice(context, start, checking);
      const since = new Date(start.sinceMs);
      await checkRefundedOrders(context, since, checking);
      await runCheck(refundedCheck(since, MAX_REFUNDS));
      await runCheck(stockCheck());
      const sales = await checkSales(context, start.position?.sales, checking.hasTime);
      note(sales.broken);
      const settled = await healOrOpen(context, [...broken.values()], now);
      return { ...settled, position: { history, order, sales: sales.position } };
    },
  };
}

/** The steps of one patrol share this. */
interface Checking {
  /** False after the deadline: the next patrol checks the rest. */
  readonly hasTime: () => boolean;
  readonly now: () => number;
  /** Checks the orders with these numbers by all rules. */
  readonly checkOrders: (numbers: string[]) => Promise<void>;
}

const subjectOf = ({ kind, key }: Violation) => invariantSubject(kind, key);

/**
 * Checks the orders that changed since the last patrol. @returns the id of the last checked history
 * row
 */
async function checkChangedOrders(
  { prisma }: DatabaseContext,
  start: PatrolStart,
  { hasTime, now, checkOrders }: Checking,
): Promise<string> {
  let after = BigInt(start.position?.history ?? (await firstStep(prisma)));
  for (let n = 0; n < MAX_CHANGED_BATCHES && hasTime(); n += 1) {
    const steps = await prisma.orderStatusChange.findMany({
      where: { id: { gt: after } },
      select: { id: true, outTradeNo: true, at: true },
      orderBy: { id: 'asc' },
      take: BATCH,
    });
    const young = steps.findIndex(({ at }) => at.getTime() > now() - SETTLE_MS);
    const settled = young < 0 ? steps : steps.slice(0, young);
    const last = settled.at(-1);
    if (!last) break;
    await checkOrders([...new Set(settled.map(({ outTradeNo }) => outTradeNo))]);
    after = last.id;
    if (settled.length < BATCH) break;
  }
  return after.toString();
}

async function firstStep(prisma: DatabaseContext['prisma']): Promise<bigint> {
  const { _max } = await prisma.orderStatusChange.aggregate({ _max: { id: true } });
  const first = (_max.id ?? 0n) - BigInt(FIRST_STEPS);
  return first > 0n ? first : 0n;
}

/**
 * Checks one slice of all orders, by number. @returns the last number; empty after the last slice
 */
async function checkSlice(
  { prisma }: DatabaseContext,
  start: PatrolStart,
  { hasTime, checkOrders }: Checking,
): Promise<string> {
  let after = start.position?.order ?? '';
  for (let n = 0; n < MAX_PASS_BATCHES && hasTime(); n += 1) {
    const orders = await prisma.order.findMany({
      where: { outTradeNo: { gt: after } },
      select: { outTradeNo: true },
      orderBy: { outTradeNo: 'asc' },
      take: BATCH,
    });
    if (orders.length > 0) await checkOrders(orders.map(({ outTradeNo }) => outTradeNo));
    if (orders.length < BATCH) return '';
    after = orders.at(-1)?.outTradeNo ?? '';
  }
  return after;
}

/** Checks orders with changed refunds: a partial refund leaves no row in the history. */
async function checkRefundedOrders(
  { prisma }: DatabaseContext,
  since: Date,
  { hasTime, checkOrders }: Checking,
): Promise<void> {
  const rows = await prisma.$queryRaw<{ no: string }[]>`
    SELECT DISTINCT x.order_no AS no FROM (
      SELECT order_no FROM refunds
      WHERE GREATEST(created_at, accepted_at, succeeded_at, closed_at) >= ${since}
      ORDER BY GREATEST(created_at, accepted_at, succeeded_at, closed_at) LIMIT ${MAX_REFUNDS}
    ) x WHERE x.order_no IS NOT NULL`;
  for (let from = 0; from < rows.length && hasTime(); from += BATCH) {
    await checkOrders(rows.slice(from, from + BATCH).map(({ no }) => no));
  }
}

/** Heals violations that need neither money nor a guess, and opens interventions for the others. */
async function healOrOpen(
  context: DatabaseContext,
  broken: readonly Violation[],
  now: () => number,
): Promise<Pick<InvariantResult, 'findings' | 'opened'>> {
  const byKind = new Map<InvariantKind, Violation[]>();
  for (const one of broken) byKind.set(one.kind, [...(byKind.get(one.kind) ?? []), one]);
  const findings: PatrolFinding[] = [];
  const opened: Violation[] = [];
  for (const [kind, all] of byKind) {
    let healed = 0;
    const before = opened.length;
    for (const one of all) {
      if (opened.length - before >= MAX_OPENED) break;
      if (kind === 'reservation_leaked' && (await releaseLeakedStock(context, one))) healed += 1;
      else if (await openViolation(context, one, new Date(now()))) opened.push(one);
    }
    const keys = all.map(({ outTradeNo }) => outTradeNo);
    findings.push(finding(kind, keys, { healed, opened: opened.length - before }));
  }
  return { findings, opened };
}

/**
 * Releases the stock that an order still holds without a reason. It does so only when the products'
 * counts agree with the reservations (otherwise nobody knows which is wrong), and when the goods
 * were not handed out (then the stock should have been taken).
 * @returns true when the stock was released
 */
function releaseLeakedStock(
  { prisma }: DatabaseContext,
  { outTradeNo }: Violation,
): Promise<boolean> {
  return prisma.$transaction(async (tx) => {
    const order = await lockOrder(tx, outTradeNo);
    if (order === null || !(await hasKeptGoods(tx, order))) return false;
    const products = await tx.$queryRaw<{ sku: string }[]>`
      SELECT sku FROM products WHERE sku IN (SELECT sku FROM stock_reservations
        WHERE out_trade_no = ${outTradeNo} AND status = 'reserved')
      ORDER BY sku FOR NO KEY UPDATE`;
    const [wrong] = await tx.$queryRaw<{ sku: string }[]>`
      SELECT p.sku FROM products p WHERE p.sku = ANY(${products.map(({ sku }) => sku)})
        AND p.reserved <> (SELECT coalesce(sum(r.quantity), 0) FROM stock_reservations r
          WHERE r.sku = p.sku AND r.status = 'reserved') LIMIT 1`;
    if (wrong) return false;
    await releaseStock(tx, order);
    return true;
  });
}

/** True when the order's status and its stock effect show that its goods were not handed out. */
async function hasKeptGoods(tx: Tx, { outTradeNo, status }: LockedOrder): Promise<boolean> {
  const stock = await tx.orderEffect.findFirst({
    where: { outTradeNo, effect: 'stock' },
    select: { status: true },
  });
  switch (status) {
    case 'closed':
    case 'paid_late':
    case 'refunded':
      return stock?.status !== 'done';
    case 'fulfilled':
      return stock?.status === 'skipped';
    case 'created':
    case 'awaiting_payment':
    case 'paid':
      return false;
  }
}

/** Opens an intervention, unless it is open or was dismissed. @returns true when it was opened */
function openViolation(
  { prisma }: DatabaseContext,
  violation: Violation,
  now: Date,
): Promise<boolean> {
  const { outTradeNo, ours, expected, seen } = violation;
  const subject = subjectOf(violation);
  const evidence = { expected, seen };
  return prisma.$transaction((tx) =>
    openUnlessDismissed(tx, { outTradeNo, ours, reason: 'invariant', subject, evidence, now }),
  );
}

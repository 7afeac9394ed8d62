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
import { openIntervention } from '../interventions/open-intervention';
import { releaseStock } from '../fulfilment/reserve-stock';
import { lockOrder, type LockedOrder } from '../core/lock-order';
import { ORDER_CHECKS, refundedCheck, stockCheck } from './invariant-rules';
import type { Violation } from './violation';

/** Orders that one round of statements checks. */
const BATCH = 500;
/** Rounds over orders that changed; what is left of a busy time is the next patrol's. */
const MAX_CHANGED_BATCHES = 10;
/** Rounds of the slow pass over all orders: some 288,000 a day at the usual interval. */
const MAX_PASS_BATCHES = 2;
/** The first patrol begins this many steps of the history back; the slow pass sees the older ones. */
const FIRST_STEPS = 5_000;
/** A step of the history becomes visible at its commit, so ids of the last moments may still have gaps. */
const SETTLE_MS = 30_000;
/** Refunds looked at in one patrol, open ones and changed ones. */
const MAX_REFUNDS = 1_000;
/** Questions of one kind opened in one patrol: more have one cause, and the first ones tell it. */
const MAX_OPENED = 50;

export interface InvariantResult {
  readonly findings: readonly PatrolFinding[];
  readonly position: PatrolPosition;
  /** Orders that a person is asked about now. */
  readonly opened: readonly Violation[];
}

/**
 * The rules that must hold whatever happens. Checked are the orders whose status changed since the last
 * patrol, found by the id of their history row, those with a refund that changed, and one slice of all
 * orders, so that every order comes by again within days. All are bounded: a patrol costs the same however
 * many orders there are.
 */
export function createInvariants(context: DatabaseContext) {
  return {
    /** @param deadlineMs Unix ms; later rounds are left to the next patrol */
    async check(
      start: PatrolStart,
      deadlineMs: number,
      now: () => number,
    ): Promise<InvariantResult> {
      const broken = new Map<string, Violation>();
      const runCheck = async (check: Prisma.Sql) => {
        for (const one of await context.prisma.$queryRaw<Violation[]>(check)) {
          broken.set(`${subjectOf(one)} ${one.outTradeNo}`, one);
        }
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
      const settled = await healOrOpen(context, [...broken.values()], now);
      return { ...settled, position: { history, order } };
    },
  };
}

/** What the steps of one patrol share. */
interface Checking {
  /** False once later rounds are left to the next patrol. */
  readonly hasTime: () => boolean;
  readonly now: () => number;
  /** Checks the orders with these numbers by all rules. */
  readonly checkOrders: (numbers: string[]) => Promise<void>;
}

const subjectOf = ({ kind, key }: Violation) => invariantSubject(kind, key);

/** Orders by their steps since the last patrol. @returns the id of the last step whose order was checked */
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

/** One slice of all orders, by number. @returns where the next one begins */
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

/** Orders by their refunds that changed: one that gives back a part leaves no step in the history. */
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

/** Heals what can be healed without moving money or guessing; a person is asked about the rest. */
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
 * Gives back what an order holds for nothing, if the products' own counts agree with it; where they
 * don't, it can't be told which of the two is wrong. Nor can it where the goods have left: what they
 * held should have been taken.
 * @returns true when the order holds nothing any more
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

/** True where the order's end says that its goods were not handed out. */
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

/**
 * Opens the question, unless it is open, or a person has dismissed the very same before. Both are read at
 * one moment: who dismisses it meanwhile is not asked again.
 * @returns true when it is news
 */
function openViolation(
  { prisma }: DatabaseContext,
  violation: Violation,
  now: Date,
): Promise<boolean> {
  const { outTradeNo, ours, expected, seen } = violation;
  const subject = subjectOf(violation);
  const evidence = { expected, seen };
  return prisma.$transaction(async (tx) => {
    const [asked] = await tx.$queryRaw<{ id: string }[]>`
      SELECT id::text FROM interventions
      WHERE out_trade_no = ${outTradeNo} AND reason = 'invariant' AND subject = ${subject}
        AND (status = 'open' OR (resolution = 'dismiss'
          AND evidence = ${JSON.stringify(evidence)}::jsonb)) LIMIT 1`;
    if (asked) return false;
    return openIntervention(tx, { outTradeNo, ours, reason: 'invariant', subject, evidence, now });
  });
}

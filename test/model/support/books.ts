// Reads an order's rows and checks what must hold after every step.
import {
  compensationOf,
  DATABASE_EFFECTS,
  type DatabaseEffect,
} from '../../../domain/fulfilment/effects';
import { fen, pointsFor, proportion } from '../../../domain/money';
import { STOCK, type OrderDriver } from './order-driver';
import { SPACING_MS } from './world';

interface Refund {
  readonly number: string;
  readonly status: string;
  readonly fen: number;
  readonly applied: boolean;
  readonly transactionId: string;
  readonly restock: boolean;
  readonly revokeCodes: boolean;
}
interface Payment {
  readonly transactionId: string;
  readonly status: string;
  readonly totalFen: number;
  readonly heldFen: number;
  readonly refundedFen: number;
  readonly sharedFen: number;
}
interface Books {
  readonly status: string;
  readonly refundedFen: number;
  readonly payments: Payment[];
  /** In the order of their success; the others come last. */
  readonly refunds: Refund[];
  /** The requests for refunds as they were written down, the oldest first. */
  readonly sends: {
    readonly number: string;
    readonly transactionId: string;
    readonly atMs: number;
  }[];
  readonly effects: Readonly<Record<string, string>>;
  readonly points: { readonly effect: string; readonly delta: number }[];
  readonly balance: number;
  readonly sold: { sku: string; units: number; revenueFen: number; orders: number }[];
  readonly products: Readonly<Record<string, { stock: number | null; sold: number }>>;
  readonly goods: { readonly status: string; readonly returned: number };
  readonly codes: { readonly given: number; readonly revoked: number };
}

const sum = (numbers: readonly number[]) => numbers.reduce((all, one) => all + one, 0);
const sumOf = (refunds: readonly Refund[]) => sum(refunds.map(({ fen }) => fen));

export async function readBooks({ world, no, names, userId }: OrderDriver): Promise<Books> {
  const { rows } = await world.sql.query<{ books: Books }>(
    `SELECT jsonb_build_object(
      'status', o.status, 'refundedFen', o.refunded_fen,
      'payments', (SELECT coalesce(jsonb_agg(jsonb_build_object('transactionId', transaction_id,
          'status', status, 'totalFen', total_fen, 'heldFen', held_fen,
          'refundedFen', refunded_fen, 'sharedFen', shared_fen)), '[]')
        FROM payment_transactions WHERE out_trade_no = $1),
      'refunds', (SELECT coalesce(jsonb_agg(jsonb_build_object(
          'number', r.out_refund_no, 'status', r.status,
          'fen', r.amount_fen, 'applied', t.status = 'applied', 'transactionId', r.transaction_id,
          'restock', r.restock, 'revokeCodes', r.revoke_codes)
          ORDER BY r.succeeded_at NULLS LAST, r.out_refund_no), '[]')
        FROM refunds r JOIN payment_transactions t ON t.id = r.transaction_key
        WHERE r.out_trade_no = $1),
      'sends', (SELECT coalesce(jsonb_agg(jsonb_build_object('number', a.out_refund_no,
          'transactionId', r.transaction_id, 'atMs', (extract(epoch FROM a.sent_at) * 1000)::bigint)
          ORDER BY a.sent_at), '[]')
        FROM refund_attempts a JOIN refunds r USING (out_refund_no)
        WHERE r.out_trade_no = $1 AND a.operation = 'refund'),
      'effects', (SELECT coalesce(jsonb_object_agg(effect, status), '{}') FROM order_effects
        WHERE out_trade_no = $1),
      'points', (SELECT coalesce(jsonb_agg(
          jsonb_build_object('effect', effect, 'delta', delta)), '[]')
        FROM points_entries WHERE out_trade_no = $1),
      'balance', coalesce((SELECT balance FROM points_balances WHERE user_id = $2), 0),
      'sold', (SELECT coalesce(jsonb_agg(jsonb_build_object('sku', sku, 'units', units,
          'revenueFen', revenue_fen, 'orders', orders)), '[]')
        FROM sales_statistics WHERE sku = ANY($3)),
      'products', (SELECT jsonb_object_agg(sku, jsonb_build_object('stock', stock, 'sold', sold))
        FROM products WHERE sku = ANY($3)),
      'goods', (SELECT jsonb_build_object('status', status, 'returned', returned)
        FROM stock_reservations
        WHERE out_trade_no = $1),
      'codes', (SELECT jsonb_build_object('given', count(*), 'revoked', count(revoked_at))
        FROM product_codes WHERE out_trade_no = $1)
    ) AS books FROM orders o WHERE o.out_trade_no = $1`,
    [no, userId, Object.values(names)],
  );
  const [row] = rows;
  if (!row) throw new Error(`No order ${no}`);
  return row.books;
}

/** Checks what must hold after every step, whatever has happened. */
export async function checkBooks(driver: OrderDriver): Promise<Books> {
  const books = await readBooks(driver);
  checkMoney(driver, books);
  checkEffects(driver, books);
  return books;
}

function checkMoney({ world, no, totalFen }: OrderDriver, books: Books): void {
  const { simulator } = world;
  const atWechat = simulator.refundsOf(no);
  for (const payment of books.payments) {
    const { transactionId, totalFen: paidFen, heldFen, refundedFen, sharedFen } = payment;
    expect(sharedFen).toBeGreaterThanOrEqual(0);
    expect(sharedFen + refundedFen).toBeLessThanOrEqual(paidFen);
    const own = books.refunds.filter((one) => one.transactionId === transactionId);
    expect(heldFen).toBe(sumOf(own.filter(({ status }) => status !== 'closed')));
    expect(refundedFen).toBe(sumOf(own.filter(({ status }) => status === 'succeeded')));
    expect(heldFen).toBeLessThanOrEqual(paidFen);
    const there = atWechat.filter((one) => one.transactionId === transactionId);
    const heldThere = there.filter(({ status }) => status !== 'CLOSED');
    expect(sum(heldThere.map(({ refundFen }) => refundFen))).toBeLessThanOrEqual(paidFen);
    const sends = books.sends.filter((one) => one.transactionId === transactionId);
    expect(sentTooSoon(sends)).toEqual([]);
  }
  const applied = books.payments.filter(({ status }) => status === 'applied');
  expect(applied.length).toBeLessThanOrEqual(1);
  expect(books.refundedFen).toBe(applied[0]?.refundedFen ?? 0);
  expect(books.status === 'refunded').toBe(books.refundedFen === totalFen);
  // Each request is in the books, with the same content, and no number has two contents.
  for (const { outRefundNo, refundFen, transactionId } of atWechat) {
    const row = books.refunds.find(({ number }) => number === outRefundNo);
    expect(row).toMatchObject({ fen: refundFen, transactionId });
  }
  for (const { number, status } of books.refunds) {
    const sent = simulator
      .requestsOf(number)
      .filter((one) => one.operation === 'refund' && one.outRefundNo === number);
    const contents = new Set(sent.map(({ bodySha256 }) => bodySha256));
    expect(contents.size).toBeLessThanOrEqual(1);
    if (status === 'succeeded') expect(simulator.refund(number)?.status).toBe('SUCCESS');
  }
}

/** Requests that came less than the spacing after one for another refund of their payment. */
const sentTooSoon = (sends: Books['sends']) =>
  sends.filter(({ number, atMs }, n) => {
    const before = sends[n - 1];
    return before && before.number !== number && atMs - before.atMs < SPACING_MS;
  });

/** The refunds of the order's payment that took back their share of an effect. */
const takenBack = ({ refunds, effects }: Books, effect: DatabaseEffect) =>
  refunds.filter(({ number }) => effects[compensationOf(effect, number)] === 'done');

function checkEffects({ totalFen, names, shape }: OrderDriver, books: Books): void {
  const { effects, points, balance, sold, products } = books;
  const isDone = (effect: DatabaseEffect) => effects[effect] === 'done';
  // Each once, and only for refunds of the payment that succeeded.
  expect(new Set(points.map(({ effect }) => effect)).size).toBe(points.length);
  for (const { number, status, applied, restock, revokeCodes } of books.refunds) {
    const own = DATABASE_EFFECTS.filter(
      (one) => effects[compensationOf(one, number)] !== undefined,
    );
    const asked = { points: true, sales: true, stock: restock, delivery: revokeCodes };
    const wanted = DATABASE_EFFECTS.filter((one) => asked[one] && effects[one] !== undefined);
    expect(own).toEqual(status === 'succeeded' && applied ? wanted : []);
  }
  const given = isDone('points') ? pointsFor(fen(totalFen)) : 0;
  const pointsBack = proportion(given, sumOf(takenBack(books, 'points')), totalFen);
  expect(sum(points.map(({ delta }) => delta))).toBe(given - pointsBack);
  expect(balance).toBe(given - pointsBack);
  const salesBack = sumOf(takenBack(books, 'sales'));
  expect(sum(sold.map(({ revenueFen }) => revenueFen))).toBe(
    isDone('sales') ? totalFen - salesBack : 0,
  );
  for (const { sku, units, orders } of sold) {
    const quantity = quantityOf(names, shape, sku);
    expect(units).toBe(quantity - proportion(quantity, salesBack, totalFen));
    expect(orders).toBe(salesBack === totalFen ? 0 : 1);
    if (sku !== names.thing) expect(products[sku]?.sold).toBe(units);
  }
  const { status, returned } = books.goods;
  const quantity = status === 'taken' ? shape.goods.quantity : 0;
  expect(status === 'taken').toBe(isDone('stock'));
  expect(products[names.goods]?.stock).toBe(STOCK - quantity + returned);
  expect(returned).toBe(shareBack(books, 'stock', quantity, totalFen));
  const codes = isDone('delivery') ? (shape.codes?.quantity ?? 0) : 0;
  expect(books.codes).toEqual({
    given: codes,
    revoked: shareBack(books, 'delivery', codes, totalFen),
  });
}

/** Goods come back for the whole sum refunded up to the last refund that takes them back. */
function shareBack(books: Books, effect: DatabaseEffect, whole: number, totalFen: number): number {
  const back = takenBack(books, effect);
  const applied = books.refunds.filter((one) => one.applied && one.status === 'succeeded');
  const last = applied.findLastIndex((one) => back.includes(one));
  return proportion(whole, sumOf(applied.slice(0, last + 1)), totalFen);
}

function quantityOf(names: OrderDriver['names'], shape: OrderDriver['shape'], sku: string): number {
  if (sku === names.goods) return shape.goods.quantity;
  return sku === names.codes ? (shape.codes?.quantity ?? 0) : 1;
}

/** No invariant of the patrol is broken by correct behaviour, whenever it checks. */
export async function checkPatrol({ world, no, names }: OrderDriver): Promise<void> {
  const start = { id: no, position: null, sinceMs: 0 };
  const { invariants } = world.database.patrol;
  const { findings } = await invariants.check(start, Date.now() + 60_000, world.now);
  const own = [no, ...Object.values(names).map((sku) => `sku:${sku}`)];
  expect(findings.filter(({ sample }) => sample.some((key) => own.includes(key)))).toEqual([]);
}

/** Checks what must hold once nothing is due: the books, WeChat and the effects agree. */
export function checkEnd({ world, no, totalFen }: OrderDriver, books: Books): void {
  const { status, payments, refunds, effects } = books;
  const backAt = (transactionId: string) =>
    sum(
      world.simulator
        .refundsOf(no)
        .filter((one) => one.transactionId === transactionId && one.status === 'SUCCESS')
        .map(({ refundFen }) => refundFen),
    );
  for (const { transactionId, heldFen, refundedFen } of payments) {
    expect([heldFen, refundedFen]).toEqual([refundedFen, backAt(transactionId)]);
  }
  // WeChat knows the sharing of the order's first payment.
  const [first] = world.simulator.order(no)?.payments ?? [];
  const shared = payments.find(({ transactionId }) => transactionId === first?.transactionId);
  const balance = world.simulator.balanceOf(no);
  if (shared && balance) {
    expect(shared.sharedFen).toBe(balance.sharedFen - balance.returnedFen);
    expect(shared.refundedFen).toBe(balance.refundedFen);
  }
  expect(refunds.filter((one) => !['succeeded', 'closed'].includes(one.status))).toEqual([]);
  const left = Object.entries(effects).filter(([, one]) => one !== 'done' && one !== 'cancelled');
  expect(left).toEqual([]);
  // Only effects that were never done are not taken back, and only if all of the money is
  // refunded.
  if (Object.values(effects).includes('cancelled')) expect(status).toBe('refunded');
  if (status === 'refunded') expect(books.refundedFen).toBe(totalFen);
}

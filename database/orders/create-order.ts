// Creates an order: claims key or fingerprint, reserves stock, writes all rows.
import { Prisma } from '../../generated/prisma/client';
import type { Channel } from '../../domain/orders/channels';
import type { Fen } from '../../domain/money';
import {
  FINGERPRINT_WINDOW_MS,
  fingerprintText,
  formerFingerprintText,
  isSamePurchase,
} from '../../domain/orders/fingerprint';
import type { OrderNumber } from '../../domain/orders/order-number';
import { canBePaid, isOrderStatus } from '../../domain/orders/order-state';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { FIRST_SWEEP_MS } from '../core/due-times';
import { claimKey, type IdempotencyGuard } from '../core/claim-idempotency-key';
import { createOrderNumbers } from './take-order-numbers';
import {
  reserveStock,
  type ItemKind,
  type OrderLine,
  type ProductConflict,
  type StockReservation,
} from '../fulfilment/reserve-stock';

/** An order as the caller requested it. */
export interface NewOrder {
  readonly channel: Channel;
  readonly userId: string;
  readonly openid: string | null;
  readonly clientIp: string | null;
  readonly description: string;
  readonly items: readonly NewItem[];
  readonly totalFen: Fen;
  readonly currency: string;
  readonly shopOrderNo: string | null;
  readonly profitSharing: boolean;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly appId: string;
  readonly merchantId: string;
  readonly notifyUrl: string;
  /** RFC 3339 with +08:00, as it is sent to WeChat. */
  readonly timeExpire: string;
  readonly expiresAtMs: number;
}

/** One line of an order. */
export interface NewItem {
  readonly sku: string;
  readonly quantity: number;
  readonly unitPriceFen: Fen;
  /** null: the kind of the product counts. */
  readonly kind: ItemKind | null;
}

/** The result of a creation. */
export type CreationResult =
  | { readonly kind: 'created'; readonly outTradeNo: string }
  /** The caller requested the same order a moment ago. */
  | { readonly kind: 'duplicate'; readonly outTradeNo: string }
  /** An earlier request had the same Idempotency-Key and body. */
  | { readonly kind: 'replay'; readonly outTradeNo: string }
  /** An earlier request used the Idempotency-Key with another body. */
  | { readonly kind: 'key_reused' }
  | ProductConflict;

/** Numbers collide after a sequence has wrapped around; more than a few in a row are a fault. */
const MAX_NUMBER_TRIES = 8;

/** Rolls the transaction back: a refused order leaves nothing behind. */
class Refusal extends Error {
  readonly result: ProductConflict;
  constructor(result: ProductConflict) {
    super(result.kind);
    this.result = result;
  }
}

/**
 * Creates orders: claim, stock and order in one transaction. Identical requests at the same time
 * wait for the row lock of the first one, and then find its order.
 */
export function createOrderCreation(context: DatabaseContext) {
  const { prisma, hash, limitRows } = context;
  const numbers = createOrderNumbers(context);

  return {
    /**
     * Creates the order, or finds the one that an identical request has made. A refusal leaves
     * nothing.
     * @param guard null when the caller sent no Idempotency-Key
     * @param nowMs Unix ms
     * @throws when no free number is found in a few tries
     */
    async create(
      order: NewOrder,
      guard: IdempotencyGuard | null,
      actor: Actor,
      nowMs: number,
    ): Promise<CreationResult> {
      const fingerprints = {
        own: hash.hex('fingerprint', fingerprintText(order)),
        former: hash.hex('fingerprint', formerFingerprintText(order)),
      };
      // Taken outside the transaction, because a new block of numbers costs a round trip.
      const first = await numbers.next({ ...order, nowMs });
      try {
        const skus = order.items.map(({ sku }) => `sku:${sku}` as const);
        return await limitRows(skus, () => prisma.$transaction(create));
      } catch (error) {
        if (error instanceof Refusal) return error.result;
        throw error;
      }

      async function create(tx: Tx): Promise<CreationResult> {
        const existing = guard
          ? await claimGuard(tx, guard, hash.hex('body', guard.body))
          : await claimFingerprints(tx, fingerprints, order, nowMs);
        if (existing) return existing;
        const reserved = await reserveStock(tx, order.items);
        if (reserved.kind !== 'reserved') throw new Refusal(reserved);
        let outTradeNo = first;
        for (let tries = 1; !(await insertOrder(outTradeNo)); tries += 1) {
          if (tries >= MAX_NUMBER_TRIES)
            throw new Error(`No free order number after ${MAX_NUMBER_TRIES} tries`);
          outTradeNo = await numbers.next({ ...order, nowMs });
        }
        return { kind: 'created', outTradeNo };

        function insertOrder(number: OrderNumber): Promise<boolean> {
          return insert(context, tx, {
            number,
            order,
            items: reserved.kind === 'reserved' ? reserved.items : [],
            reservations: reserved.kind === 'reserved' ? reserved.reservations : [],
            actor,
            nowMs,
            guard,
            fingerprints,
          });
        }
      }
    },
  };
}

async function claimGuard(
  tx: Tx,
  guard: IdempotencyGuard,
  bodyHash: string,
): Promise<CreationResult | null> {
  const claim = await claimKey(tx, guard, bodyHash);
  return claim.kind === 'new' ? null : claim;
}

interface Fingerprints {
  readonly own: string;
  /** Of versions before 0.4.0, which may run beside this one. */
  readonly former: string;
}

interface FingerprintRow {
  readonly fingerprint: string;
  readonly outTradeNo: string | null;
  readonly expiresAt: Date;
}

/**
 * Locks the rows of the purchase's fingerprints. A fingerprint counts while its order can still be
 * paid; the former one only for an order of which the shop has said the same.
 */
async function claimFingerprints(
  tx: Tx,
  { own, former }: Fingerprints,
  purchase: NewOrder,
  nowMs: number,
): Promise<CreationResult | null> {
  const now = new Date(nowMs);
  const rows = await tx.$queryRaw<FingerprintRow[]>`
    INSERT INTO order_fingerprints (fingerprint, expires_at)
    VALUES (${former}, ${now}), (${own}, ${now})
    ON CONFLICT (fingerprint) DO UPDATE SET fingerprint = excluded.fingerprint
    RETURNING fingerprint, out_trade_no AS "outTradeNo", expires_at AS "expiresAt"`;
  for (const fingerprint of [own, former]) {
    const row = rows.find((one) => one.fingerprint === fingerprint);
    if (!row || row.outTradeNo === null || row.expiresAt <= now) continue;
    const order = await findPayable(tx, row.outTradeNo, now);
    if (!order || (fingerprint === former && !isSamePurchase(order, purchase))) continue;
    await tx.orderFingerprint.updateMany({
      where: { fingerprint },
      data: { expiresAt: new Date(nowMs + FINGERPRINT_WINDOW_MS) },
    });
    return { kind: 'duplicate', outTradeNo: row.outTradeNo };
  }
  return null;
}

/** The purchase of an order that can still be paid; null when it can't. */
async function findPayable(tx: Tx, outTradeNo: string, now: Date) {
  const order = await tx.order.findUnique({
    where: { outTradeNo },
    select: {
      status: true,
      expiresAt: true,
      closeRequestedAt: true,
      refusalCode: true,
      description: true,
      metadata: true,
    },
  });
  const alive =
    order &&
    isOrderStatus(order.status) &&
    canBePaid(order.status) &&
    order.closeRequestedAt === null &&
    order.refusalCode === null &&
    order.expiresAt > now;
  return alive ? order : null;
}

interface Insertion {
  readonly number: OrderNumber;
  readonly order: NewOrder;
  readonly items: readonly (NewItem & OrderLine)[];
  readonly reservations: readonly StockReservation[];
  readonly actor: Actor;
  readonly nowMs: number;
  readonly guard: IdempotencyGuard | null;
  readonly fingerprints: Fingerprints;
}

/** Writes the whole order in one statement. @returns false when its number is taken */
async function insert(
  { cipher }: DatabaseContext,
  tx: Tx,
  { number, order, items, reservations, actor, nowMs, guard, fingerprints }: Insertion,
): Promise<boolean> {
  const seal = (column: string, text: string | null) =>
    text === null ? null : cipher.encrypt({ table: 'orders', column, row: number }, text);
  const remember = guard
    ? Prisma.sql`UPDATE idempotency_keys SET out_trade_no = o.out_trade_no FROM o
        WHERE api_key_name = ${guard.client} AND route = ${guard.route} AND key = ${guard.key}`
    : Prisma.sql`UPDATE order_fingerprints SET out_trade_no = o.out_trade_no,
          expires_at = ${new Date(nowMs + FINGERPRINT_WINDOW_MS)} FROM o
        WHERE fingerprint = ${fingerprints.own} OR fingerprint = ${fingerprints.former}
          AND (order_fingerprints.out_trade_no IS NULL OR order_fingerprints.expires_at
            <= ${new Date(nowMs)})`;
  const lines = items.map((item, line) => ({
    line: line + 1,
    sku: item.sku,
    quantity: item.quantity,
    unit_price_fen: item.unitPriceFen,
    kind: item.kind,
    pooled: item.pooled,
  }));
  const [result] = await tx.$queryRaw<{ inserted: number }[]>`
    WITH o AS (
      INSERT INTO orders (out_trade_no, channel, user_id, openid_encrypted, client_ip_encrypted,
        description, total_fen, currency, shop_order_no, profit_sharing, metadata, app_id,
        merchant_id, notify_url, time_expire, expires_at, due_at, created_at)
      VALUES (${number}, ${order.channel}, ${order.userId}, ${seal('openid', order.openid)},
        ${seal('client_ip', order.clientIp)}, ${order.description}, ${order.totalFen},
        ${order.currency}, ${order.shopOrderNo}, ${order.profitSharing},
        ${order.metadata === null ? null : JSON.stringify(order.metadata)}::jsonb, ${order.appId},
        ${order.merchantId}, ${order.notifyUrl}, ${order.timeExpire},
        ${new Date(order.expiresAtMs)}, ${new Date(nowMs + FIRST_SWEEP_MS)}, ${new Date(nowMs)})
      ON CONFLICT (out_trade_no) DO NOTHING
      RETURNING out_trade_no
    ), i AS (
      INSERT INTO order_items (out_trade_no, line, sku, quantity, unit_price_fen, kind, pooled)
      SELECT o.out_trade_no, x.* FROM o, jsonb_to_recordset(${JSON.stringify(lines)}::jsonb)
        AS x (line int, sku text, quantity int, unit_price_fen int, kind text, pooled boolean)
    ), r AS (
      INSERT INTO stock_reservations (out_trade_no, sku, quantity)
      SELECT o.out_trade_no, x.* FROM o, jsonb_to_recordset(${JSON.stringify(reservations)}::jsonb)
        AS x (sku text, quantity int)
    ), h AS (
      INSERT INTO order_status_history (out_trade_no, to_status, cause, at)
      SELECT o.out_trade_no, 'created', 'order_created', ${new Date(nowMs)} FROM o
    ), a AS (
      INSERT INTO audit_log (actor, role, action, subject)
      SELECT ${actor.name}, ${actor.role}, 'order.create', o.out_trade_no FROM o
    ), g AS (${remember})
    SELECT count(*)::int AS inserted FROM o`;
  return result?.inserted === 1;
}

// Changes products, their stock and codes, and reads them and the points of a user.
import { v7 as uuidv7 } from 'uuid';
import { audit } from '../core/write-audit';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import { shownCount } from '../core/shown-count';
import type { ItemKind } from './reserve-stock';

/** A product as the API shows it. */
export interface ProductView {
  readonly sku: string;
  readonly name: string;
  readonly kind: ItemKind;
  /** Units on hand; `stock − reserved` can be sold. null: the stock is not tracked. */
  readonly stock: number | null;
  readonly reserved: number;
  readonly sold: number;
  readonly codesLeft: number;
}

/** The result of a change. */
export type ProductChange =
  | { readonly kind: 'ok'; readonly product: ProductView }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'conflict'; readonly detail: string }
  | {
      readonly kind: 'code_taken' | 'code_unknown' | 'code_revoked';
      readonly indexes: readonly number[];
    };

/** A change of a user's points. */
export interface PointsEntry {
  readonly id: bigint;
  readonly outTradeNo: string;
  readonly effect: string;
  readonly delta: number;
  readonly at: Date;
}

export interface PointsPage {
  readonly userId: string;
  /** The last entry of the page before; null for the newest entries. */
  readonly afterId: bigint | null;
  readonly limit: number;
}

/** The largest value of an integer column. */
const MAX_COUNT = 2_147_483_647;

interface NewProduct {
  readonly sku: string;
  readonly name: string;
  readonly kind: ItemKind;
  readonly stock: number | null;
}

interface StockChange {
  readonly delta: number;
  readonly reason: string;
}

/** Products with their stock and codes, and the points that users earned with orders. */
export function createProducts(context: DatabaseContext) {
  const limit = (sku: string, change: () => Promise<ProductChange>) =>
    context.limitRows([`sku:${sku}`], change);
  return {
    find: (sku: string) => readProduct(context.prisma, sku),

    /** Creates a product, or renames it. `stock` counts at creation only; `kind` never changes. */
    put: (product: NewProduct, actor: Actor) =>
      limit(product.sku, () => putProduct(context, product, actor)),

    /** Adds stock (`delta` > 0) or removes it, never below the reserved units. */
    changeStock: (sku: string, change: StockChange, actor: Actor) =>
      limit(sku, () => changeStock(context, sku, change, actor)),

    /**
     * Adds codes to the pool, all or none. A code that the product has already is left as it is.
     */
    addCodes: (sku: string, codes: readonly string[], actor: Actor) =>
      limit(sku, () => addCodes(context, sku, codes, actor)),

    /** Marks codes as redeemed, all or none. A repeated call changes nothing. */
    useCodes: (sku: string, codes: readonly string[], actor: Actor) =>
      limit(sku, () => useCodes(context, sku, codes, actor)),

    /** A user's points; 0 for an unknown user, below 0 after refunds. */
    pointsBalance: (userId: string) => readPointsBalance(context, userId),

    /** One page of the changes of a user's points, newest first. */
    pointsEntries: (request: PointsPage) => readPointsEntries(context, request),
  };
}

function putProduct(
  { prisma }: DatabaseContext,
  product: NewProduct,
  actor: Actor,
): Promise<ProductChange> {
  const { sku, name, kind, stock } = product;
  return prisma.$transaction(async (tx): Promise<ProductChange> => {
    const { count } = await tx.product.createMany({
      data: [{ sku, name, kind, stock }],
      skipDuplicates: true,
    });
    if (count === 0) {
      const changed = await tx.product.updateMany({ where: { sku, kind }, data: { name } });
      if (changed.count === 0) {
        return {
          kind: 'conflict',
          detail: "The kind of a product can't be changed; create a product with another sku",
        };
      }
    }
    await audit(tx, actor, {
      action: 'product.put',
      subject: sku,
      details: { name, kind, stock, created: count === 1 },
    });
    return changed(tx, sku);
  });
}

function changeStock(
  { prisma }: DatabaseContext,
  sku: string,
  change: StockChange,
  actor: Actor,
): Promise<ProductChange> {
  const { delta, reason } = change;
  return prisma.$transaction(async (tx): Promise<ProductChange> => {
    const [row] = await tx.$queryRaw<{ stock: number | null; reserved: number }[]>`
      SELECT stock, reserved FROM products WHERE sku = ${sku} FOR NO KEY UPDATE`;
    if (!row) return { kind: 'not_found' };
    if (row.stock === null) {
      return {
        kind: 'conflict',
        detail: "The stock of this product is not tracked, so it can't be changed",
      };
    }
    const stock = row.stock + delta;
    if (stock < row.reserved || stock > MAX_COUNT) {
      const now = `The stock is ${row.stock}, and ${row.reserved} of it are reserved`;
      const detail = `${now}: it can't change by ${delta}`;
      return { kind: 'conflict', detail };
    }
    await tx.product.updateMany({ where: { sku }, data: { stock } });
    await tx.stockMovement.createMany({ data: [{ sku, delta, reason, actor: actor.name }] });
    await audit(tx, actor, { action: 'product.stock', subject: sku, details: { delta, reason } });
    return changed(tx, sku);
  });
}

async function addCodes(
  { prisma, cipher, hash }: DatabaseContext,
  sku: string,
  codes: readonly string[],
  actor: Actor,
): Promise<ProductChange> {
  const rows = [...new Set(codes)].map((code) => {
    const id = uuidv7();
    const place = { table: 'product_codes', column: 'code', row: id };
    return {
      id,
      sku,
      codeEncrypted: cipher.encrypt(place, code),
      codeHash: hash.hex('code', code),
    };
  });
  const hashes = rows.map(({ codeHash }) => codeHash);
  try {
    return await prisma.$transaction(async (tx): Promise<ProductChange> => {
      const product = await tx.product.findUnique({ where: { sku }, select: { kind: true } });
      if (!product) return { kind: 'not_found' };
      if (product.kind !== 'virtual') {
        return {
          kind: 'conflict',
          detail: 'Only virtual products have codes; this product is physical',
        };
      }
      // All callers insert in the same order, so that no two of them deadlock.
      const data = rows.toSorted((a, b) => (a.codeHash < b.codeHash ? -1 : 1));
      const { count } = await tx.productCode.createMany({ data, skipDuplicates: true });
      // Checked after the insert: another product may have got some of them a moment ago.
      const foreign = await tx.productCode.findMany({
        where: { codeHash: { in: hashes }, NOT: { sku } },
        select: { codeHash: true },
      });
      if (foreign.length > 0) throw new CodesTaken(foreign.map(({ codeHash }) => codeHash));
      await audit(tx, actor, {
        action: 'product.codes',
        subject: sku,
        details: { given: codes.length, added: count },
      });
      return changed(tx, sku);
    });
  } catch (error) {
    if (!(error instanceof CodesTaken)) throw error;
    const indexes = codes.flatMap((code, index) =>
      error.hashes.includes(hash.hex('code', code)) ? [index] : [],
    );
    return { kind: 'code_taken', indexes };
  }
}

async function useCodes(
  { prisma, hash }: DatabaseContext,
  sku: string,
  codes: readonly string[],
  actor: Actor,
): Promise<ProductChange> {
  const hashes = codes.map((code) => hash.hex('code', code));
  return prisma.$transaction(async (tx): Promise<ProductChange> => {
    const product = await tx.product.findUnique({ where: { sku }, select: { kind: true } });
    if (!product) return { kind: 'not_found' };
    // The lock puts this before or after a refund that revokes the same codes.
    const rows = await tx.$queryRaw<{ hash: string; revoked: boolean }[]>`
      SELECT code_hash AS hash, revoked_at IS NOT NULL AS revoked FROM product_codes
      WHERE sku = ${sku} AND delivered_at IS NOT NULL AND code_hash = ANY(${hashes})
      ORDER BY id DESC FOR UPDATE`;
    const found = new Map(rows.map((row) => [row.hash, row.revoked]));
    const indexesOf = (isBad: (hash: string) => boolean) =>
      hashes.flatMap((one, index) => (isBad(one) ? [index] : []));
    const unknown = indexesOf((one) => !found.has(one));
    if (unknown.length > 0) return { kind: 'code_unknown', indexes: unknown };
    const revoked = indexesOf((one) => found.get(one) === true);
    if (revoked.length > 0) return { kind: 'code_revoked', indexes: revoked };
    const marked = await tx.$executeRaw`
      UPDATE product_codes SET used_at = now()
      WHERE code_hash = ANY(${hashes}) AND used_at IS NULL`;
    await audit(tx, actor, {
      action: 'product.codes_used',
      subject: sku,
      details: { given: codes.length, marked: marked },
    });
    return changed(tx, sku);
  });
}

/** Rolls back the whole addition: all codes are added or none. */
class CodesTaken extends Error {
  readonly hashes: readonly string[];
  constructor(hashes: readonly string[]) {
    super('codes taken');
    this.hashes = hashes;
  }
}

async function readPointsBalance({ prisma }: DatabaseContext, userId: string): Promise<number> {
  const row = await prisma.pointsBalance.findUnique({
    where: { userId },
    select: { balance: true },
  });
  return shownCount(row?.balance ?? 0n);
}

function readPointsEntries(
  { prisma }: DatabaseContext,
  { userId, afterId, limit }: PointsPage,
): Promise<PointsEntry[]> {
  return prisma.pointsEntry.findMany({
    where: { userId, ...(afterId === null ? {} : { id: { lt: afterId } }) },
    select: { id: true, outTradeNo: true, effect: true, delta: true, at: true },
    orderBy: { id: 'desc' },
    take: limit,
  });
}

async function readProduct(tx: Tx, sku: string): Promise<ProductView | null> {
  const row = await tx.product.findUnique({
    where: { sku },
    select: { sku: true, name: true, kind: true, stock: true, reserved: true, sold: true },
  });
  if (!row) return null;
  const codesLeft = await tx.productCode.count({ where: { sku, outTradeNo: null } });
  return { ...row, sold: shownCount(row.sold), kind: row.kind as ItemKind, codesLeft };
}

async function changed(tx: Tx, sku: string): Promise<ProductChange> {
  const product = await readProduct(tx, sku);
  return product ? { kind: 'ok', product } : { kind: 'not_found' };
}

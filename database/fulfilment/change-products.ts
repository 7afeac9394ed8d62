import { v7 as uuidv7 } from 'uuid';
import { audit } from '../core/write-audit';
import type { Actor, DatabaseContext, Tx } from '../core/context';
import type { ItemKind } from './reserve-stock';

export interface ProductView {
  readonly sku: string;
  readonly name: string;
  readonly kind: ItemKind;
  /** On hand; what can be sold is `stock − reserved`; null is not tracked. */
  readonly stock: number | null;
  readonly reserved: number;
  readonly sold: number;
  readonly codesLeft: number;
}

export type ProductChange =
  | { readonly kind: 'ok'; readonly product: ProductView }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'conflict'; readonly detail: string }
  | {
      readonly kind: 'code_taken' | 'code_unknown' | 'code_revoked';
      readonly indexes: readonly number[];
    };

export interface PointsView {
  readonly balance: number;
  readonly entries: readonly {
    readonly outTradeNo: string;
    readonly effect: string;
    readonly delta: number;
    readonly at: Date;
  }[];
}

const MAX_COUNT = 2_147_483_647;
/** Entries shown with a balance, newest first. */
const POINTS_ENTRIES = 200;

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

/** Products, their stock and pool of codes, and the points that orders earned. */
export function createProducts(context: DatabaseContext) {
  return {
    find: (sku: string) => readProduct(context.prisma, sku),

    /** Makes a product, or gives it another name. Stock counts at creation only; the kind stays. */
    put: (product: NewProduct, actor: Actor) => putProduct(context, product, actor),

    /** Puts stock in (delta > 0) or takes it out; never below what is reserved. */
    changeStock: (sku: string, change: StockChange, actor: Actor) =>
      changeStock(context, sku, change, actor),

    /** Adds codes to the pool. One that is there already is left as it is; all or none are added. */
    addCodes: (sku: string, codes: readonly string[], actor: Actor) =>
      addCodes(context, sku, codes, actor),

    /** Notes codes as redeemed, all or none; a repeat changes nothing. */
    useCodes: (sku: string, codes: readonly string[], actor: Actor) =>
      useCodes(context, sku, codes, actor),

    points: (userId: string) => readPoints(context, userId),
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
        return { kind: 'conflict', detail: 'The kind of a product can not be changed' };
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
      return { kind: 'conflict', detail: 'The stock of this product is not tracked' };
    }
    const stock = row.stock + delta;
    if (stock < row.reserved || stock > MAX_COUNT) {
      const detail = `Stock ${row.stock}, of which ${row.reserved} reserved, can't change by ${delta}`;
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
        return { kind: 'conflict', detail: 'Only virtual products have codes' };
      }
      // In one order everywhere, so that no two callers wait for each other.
      const data = rows.toSorted((a, b) => (a.codeHash < b.codeHash ? -1 : 1));
      const { count } = await tx.productCode.createMany({ data, skipDuplicates: true });
      // After the insert: another product may have got some of them a moment ago.
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
    // A refund that takes codes back at this moment comes first or finds them used.
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
      UPDATE product_codes SET used_at = now() WHERE code_hash = ANY(${hashes}) AND used_at IS NULL`;
    await audit(tx, actor, {
      action: 'product.codes_used',
      subject: sku,
      details: { given: codes.length, marked: marked },
    });
    return changed(tx, sku);
  });
}

/** Undoes the whole addition: all codes or none. */
class CodesTaken extends Error {
  readonly hashes: readonly string[];
  constructor(hashes: readonly string[]) {
    super('codes taken');
    this.hashes = hashes;
  }
}

async function readPoints({ prisma }: DatabaseContext, userId: string): Promise<PointsView> {
  const [balance, entries] = await Promise.all([
    prisma.pointsBalance.findUnique({ where: { userId }, select: { balance: true } }),
    prisma.pointsEntry.findMany({
      where: { userId },
      select: { outTradeNo: true, effect: true, delta: true, at: true },
      orderBy: { id: 'desc' },
      take: POINTS_ENTRIES,
    }),
  ]);
  return { balance: balance?.balance ?? 0, entries };
}

async function readProduct(tx: Tx, sku: string): Promise<ProductView | null> {
  const row = await tx.product.findUnique({
    where: { sku },
    select: { sku: true, name: true, kind: true, stock: true, reserved: true, sold: true },
  });
  if (!row) return null;
  const codesLeft = await tx.productCode.count({ where: { sku, outTradeNo: null } });
  return { ...row, kind: row.kind as ItemKind, codesLeft };
}

async function changed(tx: Tx, sku: string): Promise<ProductChange> {
  const product = await readProduct(tx, sku);
  return product ? { kind: 'ok', product } : { kind: 'not_found' };
}

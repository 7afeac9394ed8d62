// Limits how many connections wait for the products that orders share.
import type { DatabaseContext, Tx } from '../core/context';

type Limits = Pick<DatabaseContext, 'prisma' | 'limitRows'>;

/**
 * Runs a transaction that may lock an order's products, as its effects and its close do, once few
 * enough others work on each of them.
 * @throws RowHeldError when one of them was held for too long
 */
export async function withProducts<T>(
  { prisma, limitRows }: Limits,
  outTradeNo: string,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const items = await prisma.orderItem.findMany({ where: { outTradeNo }, select: { sku: true } });
  return limitRows(
    items.map(({ sku }) => `sku:${sku}` as const),
    () => prisma.$transaction(work),
  );
}

/**
 * Runs a transaction that may lock an order's products only where it carries out an approved
 * resolution. Throws as {@link withProducts} does.
 */
export async function withProductsToResolve<T>(
  limits: Limits,
  outTradeNo: string,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const approved = await limits.prisma.interventionResolution.findFirst({
    where: { outTradeNo, status: 'approved' },
    select: { id: true },
  });
  return approved ? withProducts(limits, outTradeNo, work) : limits.prisma.$transaction(work);
}

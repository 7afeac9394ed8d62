// Finds which receivers of a request are known, with what is known of them.
import type { ReceiverType, RelationType } from '../../domain/sharing/profit-sharing';
import type { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext, Tx } from '../core/context';
import { receiverPlace } from './read-receivers';

/** A receiver that an admin added, or that WeChat has paid a share, in clear text. */
export interface KnownReceiver {
  readonly id: string;
  readonly type: ReceiverType;
  readonly account: string;
  readonly name: string | null;
  readonly relationType: RelationType | null;
  readonly createdAt: Date;
}

/** The columns of a {@link KnownReceiver}. Its account stands in the share that was paid first. */
export const KNOWN_RECEIVER = {
  id: true,
  type: true,
  accountEncrypted: true,
  nameEncrypted: true,
  relationType: true,
  createdAt: true,
  paid: { select: { id: true, accountEncrypted: true, nameEncrypted: true, relationType: true } },
} as const satisfies Prisma.KnownReceiverSelect;

type Row = Prisma.KnownReceiverGetPayload<{ select: typeof KNOWN_RECEIVER }>;

/** The place of a known receiver's encrypted field, which its encryption is bound to. */
export const knownPlace = (column: 'account' | 'name', row: string) => ({
  table: 'known_receivers',
  column,
  row,
});

/** Decrypts a row. The values that an admin gave count before those of the first paid share. */
export function openKnownReceiver(
  { cipher }: Pick<DatabaseContext, 'cipher'>,
  row: Row,
): KnownReceiver {
  const { id, paid } = row;
  const field = (column: 'account' | 'name', own: string | null, shared: string | null) => {
    if (own !== null) return cipher.decrypt(knownPlace(column, id), own);
    return paid && shared && cipher.decrypt(receiverPlace(column, paid.id), shared);
  };
  const account = field('account', row.accountEncrypted, paid?.accountEncrypted ?? null);
  if (account === null) throw new Error(`The known receiver ${id} has no account`);
  return {
    id,
    type: row.type as ReceiverType,
    account,
    name: field('name', row.nameEncrypted, paid?.nameEncrypted ?? null),
    relationType: (row.relationType ?? paid?.relationType ?? null) as RelationType | null,
    createdAt: row.createdAt,
  };
}

/**
 * Finds the known one of each receiver, in their order. It compares hashes, so that no account is
 * in a query's text.
 * @returns null in the place of each that is not known
 */
export async function findKnownReceivers(
  context: Pick<DatabaseContext, 'cipher' | 'hash'>,
  tx: Tx,
  receivers: readonly { readonly type: ReceiverType; readonly account: string }[],
): Promise<(KnownReceiver | null)[]> {
  const accountHashes = receivers.map(({ account }) => context.hash.hex('account', account));
  const rows = await tx.knownReceiver.findMany({
    where: { accountHash: { in: accountHashes }, removedAt: null },
    select: { ...KNOWN_RECEIVER, accountHash: true },
  });
  return receivers.map(({ type }, index) => {
    const row = rows.find((one) => one.type === type && one.accountHash === accountHashes[index]);
    return row ? openKnownReceiver(context, row) : null;
  });
}

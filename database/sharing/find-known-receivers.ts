// Finds which receivers of a request are known, with what is known of them.
import type { ReceiverType, RelationType } from '../../domain/sharing/profit-sharing';
import type { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext, Tx } from '../core/context';
import { receiverPlace } from './read-receivers';

/** A receiver that an admin added, or that WeChat has paid a share. */
export interface KnownReceiver {
  readonly id: string;
  readonly type: ReceiverType;
  /** In clear text; null when it can't be decrypted. */
  readonly account: string | null;
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

/** The view of a row: for lists and the audit log, so a value may be unreadable. */
export function viewKnownReceiver(
  { cipher }: Pick<DatabaseContext, 'cipher'>,
  row: Row,
): KnownReceiver {
  const { id, type, createdAt } = row;
  const sealed = sealedField(row, 'account');
  if (!sealed) throw new Error(`The known receiver ${id} has no account`);
  return {
    id,
    type: type as ReceiverType,
    account: cipher.show(sealed.place, sealed.value),
    createdAt,
  };
}

/** A field as it stands encrypted: what an admin gave counts before the first paid share. */
function sealedField({ id, paid, ...row }: Row, column: 'account' | 'name') {
  const own = row[`${column}Encrypted`];
  if (own !== null) return { place: knownPlace(column, id), value: own };
  const shared = paid?.[`${column}Encrypted`] ?? null;
  return paid && shared !== null ? { place: receiverPlace(column, paid.id), value: shared } : null;
}

/** The fields that a requested receiver takes over from the known one. */
export interface KnownFields {
  readonly name: string | null;
  readonly relationType: RelationType | null;
}

/**
 * Finds the known one of each receiver, in their order. It compares hashes, so that no account is
 * in a query's text.
 * @param receivers.name the name that the request has: only where it has none is the known one read
 * @returns null in the place of each that is not known
 * @throws UnreadableValueError when a name that is needed can't be decrypted: WeChat would not
 * compare it
 */
export async function findKnownReceivers(
  { cipher, hash }: Pick<DatabaseContext, 'cipher' | 'hash'>,
  tx: Tx,
  receivers: readonly {
    readonly type: ReceiverType;
    readonly account: string;
    readonly name: string | null;
  }[],
): Promise<(KnownFields | null)[]> {
  const accountHashes = receivers.map(({ account }) => hash.hex('account', account));
  const rows = await tx.knownReceiver.findMany({
    where: { accountHash: { in: accountHashes }, removedAt: null },
    select: { ...KNOWN_RECEIVER, accountHash: true },
  });
  return receivers.map(({ type, name }, index): KnownFields | null => {
    const row = rows.find((one) => one.type === type && one.accountHash === accountHashes[index]);
    if (!row) return null;
    const sealed = name === null ? sealedField(row, 'name') : null;
    return {
      name: sealed && cipher.decrypt(sealed.place, sealed.value),
      relationType: (row.relationType ?? row.paid?.relationType ?? null) as RelationType | null,
    };
  });
}

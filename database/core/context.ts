import type { Prisma, PrismaClient } from '../../generated/prisma/client';
import type { FieldCipher } from './field-encryption';
import type { KeyedHash } from './keyed-hash';

/** What the functions of this room share; it never leaves it (S16). */
export interface DatabaseContext {
  readonly prisma: PrismaClient;
  readonly cipher: FieldCipher;
  readonly hash: KeyedHash;
  readonly webhooks: boolean;
  /** Where WeChat tells of refunds of money that belongs to no order of ours. */
  readonly notifyUrl: string;
  /** How payments are shared, unless operators say otherwise. */
  readonly sharing: SharingRules;
}

/** How payments are shared. */
export interface SharingRules {
  /** The most of a payment that may be shared. */
  readonly ratioPercent: number;
  /** After the payment, before it is shared. */
  readonly delayMs: number;
  /** After the payment, when what is left is unfrozen by itself. */
  readonly unfreezeAfterMs: number;
}

export type Tx = Prisma.TransactionClient;

/** Who asked for a change through the API. */
export interface Actor {
  readonly name: string;
  readonly role: string;
}

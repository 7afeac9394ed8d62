// The context that the functions of database/ share: client, cipher, hash and settings.
import type { Prisma, PrismaClient } from '../../generated/prisma/client';
import type { KeyOwner } from '../../domain/proposals/person';
import type { RowLimit } from '../connections/limit-row-waits';
import type { FieldCipher } from '../encryption/field-encryption';
import type { KeyedHash } from '../encryption/keyed-hash';
import type { UnreadableValues } from '../encryption/unreadable-value';

/** The functions of database/ share this; it never leaves database/ (S16). */
export interface DatabaseContext {
  readonly prisma: PrismaClient;
  /** Limits how many connections work on one row at once; for what locks an order or products. */
  readonly limitRows: RowLimit;
  readonly cipher: FieldCipher;
  readonly unreadable: UnreadableValues;
  readonly hash: KeyedHash;
  /** True when a webhook of the shop is configured: only then webhook deliveries are written. */
  readonly webhooks: boolean;
  /** WeChat calls this URL about refunds of payments that belong to no order of ours. */
  readonly notifyUrl: string;
  /** The sharing rules of the environment; runtime settings override them. */
  readonly sharing: SharingRules;
  /** `two_person_fen` of the environment; a runtime setting overrides it. */
  readonly twoPersonFen: number;
}

/** How payments are shared with receivers. */
export interface SharingRules {
  /** The largest part of a payment that may be shared. */
  readonly ratioPercent: number;
  /** The time between the payment and its sharing. */
  readonly delayMs: number;
  /** This long after the payment, Oncepay unfreezes the unshared rest by itself. */
  readonly unfreezeAfterMs: number;
}

/** An open transaction of the database. (A transaction of WeChat is a payment.) */
export type Tx = Prisma.TransactionClient;

/** The API key that requested a change. */
export interface Actor extends KeyOwner {
  readonly role: string;
}

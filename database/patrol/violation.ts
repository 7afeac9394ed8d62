import type { InvariantKind } from '../../domain/patrol/findings';
import { Prisma } from '../../generated/prisma/client';

/** A rule that does not hold. */
export interface Violation {
  readonly kind: InvariantKind;
  /** What exactly, within its kind; the same at every look. */
  readonly key: string;
  readonly outTradeNo: string;
  readonly ours: boolean;
  /** What the rule says and what the rows say; numbers and states only, and no times. */
  readonly expected: unknown;
  readonly seen: unknown;
}

/** A rule about orders: one statement over the orders with these numbers. */
export type OrderCheck = (numbers: string[]) => Prisma.Sql;

/** Violations read of one statement; more wait for the next patrol. */
export const MAX_VIOLATIONS = 500;

export const isPaid = Prisma.sql`o.status IN ('paid', 'fulfilled', 'paid_late', 'refunded')`;

/** The columns that say what is wrong. */
export const row = (
  kind: InvariantKind,
  key: Prisma.Sql,
  expected: Prisma.Sql,
  seen: Prisma.Sql,
): Prisma.Sql =>
  Prisma.sql`${kind} AS kind, ${key} AS key, ${expected} AS expected, ${seen} AS seen`;

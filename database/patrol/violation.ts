// Describes a violated invariant, and the columns that a rule selects.
import type { InvariantKind } from '../../domain/patrol/findings';
import { Prisma } from '../../generated/prisma/client';

/** A violated rule. */
export interface Violation {
  readonly kind: InvariantKind;
  /** Names the violation within its kind; the same at every patrol. */
  readonly key: string;
  readonly outTradeNo: string;
  readonly ours: boolean;
  /** The values that the rule expects and those of the rows: numbers and states only, no times. */
  readonly expected: unknown;
  readonly seen: unknown;
}

/** A rule about orders: one statement on the orders with these numbers. */
export type OrderCheck = (numbers: string[]) => Prisma.Sql;

/** Violations read by one statement; more wait for the next patrol. */
export const MAX_VIOLATIONS = 500;

/** True for an order that has an applied payment. */
export const isPaid = Prisma.sql`o.status IN ('paid', 'fulfilled', 'paid_late', 'refunded')`;

/** The columns of a violation. */
export const row = (
  kind: InvariantKind,
  key: Prisma.Sql,
  expected: Prisma.Sql,
  seen: Prisma.Sql,
): Prisma.Sql =>
  Prisma.sql`${kind} AS kind, ${key} AS key, ${expected} AS expected, ${seen} AS seen`;

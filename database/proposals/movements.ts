// Adds up what a person moved alone, or a client refunded, in the last 24 hours.
import { v7 as uuidv7 } from 'uuid';
import {
  leftForMachine,
  MOVED_WITHIN_MS,
  needsSecondPerson,
  type MoneyLimits,
} from '../../domain/proposals/limits';
import { personOf } from '../../domain/clients/person';
import type { Actor } from '../core/context';
import type { TxScope } from '../core/tx-scope';

/** The one that moves money: a person, or the client that a machine's key belongs to. */
interface Mover {
  readonly kind: 'person' | 'client';
  readonly name: string;
}

/** A movement that is booked for its mover. */
export interface BookedMovement {
  /** The id of the resolution that moves it; made here when left out. */
  readonly id?: string;
  /** Fen; nothing is booked for 0 or less. */
  readonly amountFen: number;
  readonly action: string;
  /** The order's number. */
  readonly subject: string;
}

/** Apart from the locks of numbers and of proposals. */
const MOVER_LOCKS = 3;

/** Whether a caller may move an amount now. */
export type Permission =
  /** It may, and the movement is booked for it. */
  | { readonly kind: 'alone' }
  | { readonly kind: 'two_persons' }
  /** More than the bounds of merchant keys allow. */
  | { readonly kind: 'over_bound'; readonly leftFen: number };

/** Two persons agreed, so it counts in nobody's sum. */
export const ALONE: Permission = { kind: 'alone' };

/**
 * Lets one person move an amount alone and books it, or says that a second person is needed. It
 * locks the person until the transaction ends: two requests at once can't both fit under the limit
 * of a day. The caller has locked the order.
 * @param movement `amountFen` is null when it is unknown
 */
export async function moveAlone(
  scope: TxScope,
  actor: Actor,
  movement: Omit<BookedMovement, 'amountFen'> & {
    readonly amountFen: number | null;
    readonly alwaysTwo: boolean;
  },
  limits: MoneyLimits,
): Promise<Permission> {
  const { amountFen, alwaysTwo } = movement;
  const person: Mover = { kind: 'person', name: personOf(actor) };
  await lockMover(scope, person);
  const movedFen = await movedInADay(scope, person);
  if (needsSecondPerson({ amountFen, alwaysTwo, movedFen }, limits)) return { kind: 'two_persons' };
  await book(scope, person, { ...movement, amountFen: amountFen ?? 0 });
  return { kind: 'alone' };
}

/** Books a machine's refund, within the bounds of its client. */
export async function moveByMachine(
  scope: TxScope,
  { name }: Actor,
  movement: BookedMovement,
  limits: MoneyLimits,
): Promise<Permission> {
  const client: Mover = { kind: 'client', name };
  // Without a bound of a day, the refunds of a shop don't wait for each other.
  const isBound = limits.machineDayFen > 0;
  if (isBound) await lockMover(scope, client);
  const movedFen = isBound ? await movedInADay(scope, client) : 0;
  const leftFen = leftForMachine(movement.amountFen, movedFen, limits);
  if (leftFen !== null) return { kind: 'over_bound', leftFen };
  await book(scope, client, movement);
  return { kind: 'alone' };
}

/** Forgets what was booked for a resolution that could not be carried out: nothing moved. */
export async function forgetMovement({ tx }: Pick<TxScope, 'tx'>, id: string): Promise<void> {
  await tx.movement.deleteMany({ where: { id } });
}

async function lockMover({ tx }: TxScope, { kind, name }: Mover): Promise<void> {
  await tx.$executeRaw`SELECT pg_advisory_xact_lock(
    hashtextextended(${`${kind} ${name}`}, ${MOVER_LOCKS}::bigint))`;
}

async function movedInADay({ tx, now }: TxScope, { kind, name }: Mover): Promise<number> {
  const since = new Date(now.getTime() - MOVED_WITHIN_MS);
  const { _sum } = await tx.movement.aggregate({
    where: { moverKind: kind, mover: name, at: { gt: since } },
    _sum: { amountFen: true },
  });
  return _sum.amountFen ?? 0;
}

async function book(
  { tx, now }: TxScope,
  { kind, name }: Mover,
  { id = uuidv7(), amountFen, action, subject }: BookedMovement,
): Promise<void> {
  if (amountFen <= 0) return;
  await tx.movement.createMany({
    data: [{ id, moverKind: kind, mover: name, amountFen, action, subject, at: now }],
  });
}

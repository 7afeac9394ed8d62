// Records the attempts of numbered requests: one before each send, and how each of them ended (P8).
import { v7 as uuidv7 } from 'uuid';
import { Prisma } from '../../generated/prisma/client';
import type { AttemptOutcome } from '../core/attempt-outcome';
import type { Tx } from '../core/context';
import type { TxScope } from '../core/tx-scope';
import type { TurnScope } from './numbered-turn';

/**
 * A table with a row for each attempt: `id, sent_at, deadline_at, outcome, code, request_id,
 * finished_at`.
 */
export type AttemptTable = 'refund_attempts' | 'profit_sharing_attempts';

/**
 * The attempts of one request. Each kind of request has one function that makes this description.
 */
export interface RequestAttempts {
  readonly table: AttemptTable;
  /**
   * Columns and values that say which request it is: every attempt of the request has them, and no
   * attempt of another request. The names go into SQL as they are, so they come from code alone.
   */
  readonly columns: Readonly<Record<string, string>>;
}

/** How an attempt ended. */
export interface EndedAttempt {
  readonly id: string;
  readonly outcome: AttemptOutcome;
  /** WeChat's code, or ours where no response came; null when WeChat accepted the request. */
  readonly code: string | null;
  /** WeChat's `Request-ID`; null when no response came. */
  readonly requestId: string | null;
}

/** An attempt that WeChat accepted. */
export type AcceptedAttempt = Pick<EndedAttempt, 'id' | 'requestId'>;

/** A transaction, or the client itself where one statement is all. */
interface Statement {
  readonly tx: Pick<Tx, '$executeRaw'>;
  readonly now: Date;
}

/** Outcomes after which WeChat may have what was sent, as Prisma's filter. */
export const MAYBE_TAKEN = { OR: [{ outcome: null }, { outcome: { not: 'refused' } }] };

const UNDECIDED = Prisma.sql`(outcome IS NULL OR outcome = 'unknown')`;

/**
 * Records an attempt before it is sent.
 * @returns the attempt's id
 */
export async function startAttempt(
  { tx, now, attemptLifeMs }: TurnScope,
  { table, columns }: RequestAttempts,
): Promise<string> {
  const id = uuidv7();
  const names = Object.keys(columns).map((name) => Prisma.raw(name));
  await tx.$executeRaw`
    INSERT INTO ${Prisma.raw(table)} (id, sent_at, deadline_at, ${Prisma.join(names)})
    VALUES (${id}::uuid, ${now}, ${new Date(now.getTime() + attemptLifeMs)},
      ${Prisma.join(Object.values(columns))})`;
  return id;
}

/** Records how an attempt ended. */
export async function endAttempt(
  { tx, now }: Statement,
  table: AttemptTable,
  { id, outcome, code, requestId }: EndedAttempt,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE ${Prisma.raw(table)}
    SET outcome = ${outcome}, code = ${code}, request_id = ${requestId}, finished_at = ${now}
    WHERE id = ${id}::uuid`;
}

/** Records that WeChat accepted what an attempt sent. */
export function acceptAttempt(
  scope: TxScope,
  table: AttemptTable,
  { id, requestId }: AcceptedAttempt,
): Promise<void> {
  return endAttempt(scope, table, { id, outcome: 'accepted', code: null, requestId });
}

/** True when WeChat may have the request: an attempt was made that WeChat did not refuse. */
export function mayBeTaken(tx: Tx, request: RequestAttempts): Promise<boolean> {
  return hasAttempt(tx, request, Prisma.sql`outcome IS DISTINCT FROM 'refused'`);
}

/** True when the outcome of an attempt is not known. */
export function isUndecided(tx: Tx, request: RequestAttempts): Promise<boolean> {
  return hasAttempt(tx, request, UNDECIDED);
}

/**
 * WeChat doesn't know the number: attempts that were sent so long ago that nothing of them can be
 * under way any more were never taken (P8).
 */
export function refuseAbsentAttempts(scope: TxScope, request: RequestAttempts): Promise<void> {
  const isOver = Prisma.sql`deadline_at <= ${scope.now}`;
  return refuseUndecided(scope, request, 'RESOURCE_NOT_EXISTS', isOver);
}

/**
 * WeChat accepted the request before, and does not know its number any more: the acceptance counts
 * no more, so the run queries WeChat by the number before it sends the request again.
 */
export async function doubtAcceptedAttempts(
  { tx }: Pick<Statement, 'tx'>,
  request: RequestAttempts,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE ${Prisma.raw(request.table)} SET outcome = 'unknown'
    WHERE ${isOf(request)} AND outcome = 'accepted'`;
}

/** WeChat has other content under the number: none of our attempts was taken. */
export function refuseForeignAttempts(scope: Statement, request: RequestAttempts): Promise<void> {
  return refuseUndecided(scope, request, 'OUT_TRADE_NO_USED', Prisma.sql`true`);
}

async function refuseUndecided(
  { tx, now }: Statement,
  request: RequestAttempts,
  code: string,
  condition: Prisma.Sql,
): Promise<void> {
  await tx.$executeRaw`
    UPDATE ${Prisma.raw(request.table)}
    SET outcome = 'refused', code = ${code}, finished_at = ${now}
    WHERE ${isOf(request)} AND ${UNDECIDED} AND ${condition}`;
}

async function hasAttempt(
  tx: Tx,
  request: RequestAttempts,
  condition: Prisma.Sql,
): Promise<boolean> {
  const [row] = await tx.$queryRaw<{ found: boolean }[]>`
    SELECT EXISTS (SELECT 1 FROM ${Prisma.raw(request.table)}
      WHERE ${isOf(request)} AND ${condition}) AS found`;
  return row?.found ?? false;
}

function isOf({ columns }: RequestAttempts): Prisma.Sql {
  const pairs = Object.entries(columns);
  return Prisma.join(
    pairs.map(([name, value]) => Prisma.sql`${Prisma.raw(name)} = ${value}`),
    ' AND ',
  );
}

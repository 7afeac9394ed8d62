// Classifies errors of PostgreSQL and Prisma, and shows them without the data of a row.
import { types } from 'node:util';

/** Connection failures, shut-downs and overload: the same statement can succeed in a moment. */
const UNAVAILABLE_STATES = /^(08|53|57P0|57014|40001|40P01|25006|25P03|55P03)/;
const UNAVAILABLE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  // Prisma: server unreachable, timed out, closed, pool timeout, transaction closed, write
  // conflict.
  'P1001',
  'P1002',
  'P1008',
  'P1017',
  'P2024',
  'P2028',
  'P2034',
]);
const UNAVAILABLE_TEXT = new RegExp(
  [
    'timeout exceeded when trying to connect',
    'Query read timeout',
    'Connection terminated',
    'Client has encountered a connection error',
    'Cannot use a pool after calling end',
    'server closed the connection',
    'SocketTimeout',
    'DatabaseNotReachable',
    'ConnectionClosed',
    'TooManyConnections',
    'TransactionWriteConflict',
  ].join('|'),
  'i',
);
/** The walk along the causes of an error ends at this depth. */
const MAX_DEPTH = 6;

function* chain(error: unknown): Generator<Record<string, unknown>> {
  const queue: unknown[] = [error];
  for (let seen = 0; queue.length > 0 && seen < MAX_DEPTH * 3; seen += 1) {
    const current = queue.shift();
    if (typeof current !== 'object' || current === null) continue;
    const record = current as Record<string, unknown>;
    yield record;
    queue.push(record['cause'], record['meta'], record['driverAdapterError']);
    if (Array.isArray(record['errors'])) queue.push(...(record['errors'] as unknown[]));
  }
}

/** The SQLSTATE of PostgreSQL behind an error of `pg` or Prisma, or null. */
export function sqlStateOf(error: unknown): string | null {
  for (const record of chain(error)) {
    for (const value of [record['originalCode'], record['code']]) {
      if (typeof value === 'string' && /^[0-9A-Z]{5}$/.test(value) && /\d/.test(value)) {
        if (!/^P[12]\d{3}$/.test(value)) return value;
      }
    }
  }
  return null;
}

/** Only names that stand in a program or a schema are shown: codes and constraints. */
const NAME = /^[A-Za-z0-9_]{1,64}$/;
/** This many errors of a chain are shown. */
const MAX_SHOWN = 6;

/**
 * Lists an error and its causes, so that an operator can find the cause: names, codes and the
 * violated constraint. Messages and values are left out, because they may quote the data of a row.
 */
export function errorChain(error: unknown): string[] {
  const shown: string[] = [];
  for (const record of chain(error)) {
    const { code, originalCode } = record;
    const isError = types.isNativeError(record);
    if (!isError && originalCode === undefined) continue;
    const words = isError ? [record.name, code] : ['SQLSTATE', originalCode];
    const names = [...words, constraintOf(record)].filter(
      (word) => typeof word === 'string' && NAME.test(word),
    );
    shown.push(names.join(' '));
  }
  return shown.slice(0, MAX_SHOWN);
}

/** The constraint or column that a row violated, as `pg` or Prisma's adapter names it. */
function constraintOf({ originalCode, originalMessage, constraint }: Record<string, unknown>) {
  if (typeof constraint === 'object' && constraint !== null) {
    const { index, fields } = constraint as { index?: unknown; fields?: readonly unknown[] };
    // When a value is missing, the adapter takes these names out of the row's data.
    return originalCode === '23502' ? undefined : (index ?? fields?.[0]);
  }
  // For a violated CHECK the adapter keeps only PostgreSQL's own message.
  if (originalCode === '23514' && typeof originalMessage === 'string') {
    return / check constraint "([^"]+)"/.exec(originalMessage)?.[1];
  }
  return constraint;
}

/** True when another transaction held a row for too long (lock_not_available). */
export function isRowHeld(error: unknown): boolean {
  return sqlStateOf(error) === '55P03';
}

/** True when the database could not be reached; false when it refused the statement. */
export function isUnavailable(error: unknown): boolean {
  for (const record of chain(error)) {
    const code = record['code'] ?? record['originalCode'];
    if (typeof code === 'string' && UNAVAILABLE_CODES.has(code)) return true;
    for (const text of [record['message'], record['kind']]) {
      if (typeof text === 'string' && UNAVAILABLE_TEXT.test(text)) return true;
    }
  }
  const state = sqlStateOf(error);
  return state !== null && UNAVAILABLE_STATES.test(state);
}

// Reads one page of a list: parses cursor and limit, cuts the rows, makes next_cursor.
import { z } from 'zod';
import { readCursor, writeCursor, type Place } from './cursor';
import { inTime } from './deadline';
import type { Reply } from './operations';

const DEFAULT_LIMIT = 50;

/** The query parameters that every list has. */
export const pageQuery = {
  cursor: z.string().min(1).max(256).optional(),
  limit: z
    .string()
    .regex(/^\d{1,3}$/, 'must be 1 to 200')
    .transform(Number)
    .refine((value) => value >= 1 && value <= 200, 'must be 1 to 200')
    .optional(),
};

export interface PageRequest<Row> {
  readonly query: {
    readonly cursor?: string | undefined;
    /** Rows of the page; 50 when left out. */
    readonly limit?: number | undefined;
  };
  /** The shape of the ids in a cursor of this list. */
  readonly idShape: RegExp;
  /** Reads at most `limit` rows after a place, or from the start of the list for null. */
  readonly read: (after: Place | null, limit: number) => Promise<readonly Row[]>;
  /** The place of a row in the order of the list. */
  readonly placeOf: (row: Row) => Place;
  readonly render: (row: Row) => object;
  /** The body of the reply where it has more than the rows; `{data, next_cursor}` when left out. */
  readonly bodyOf?: (data: object[], nextCursor: string | null) => object;
}

/**
 * Replies with one page of a list. It reads one row more than the page has: only when that row
 * exists does the reply have a `next_cursor`.
 * @throws ApiError 400 for a cursor that is not of this list
 */
export async function page<Row>(request: PageRequest<Row>): Promise<Reply> {
  const { query, idShape, read, placeOf, render, bodyOf = listBody } = request;
  const limit = query.limit ?? DEFAULT_LIMIT;
  const after = query.cursor === undefined ? null : readCursor(query.cursor, idShape);
  const rows = await inTime(read(after, limit + 1));
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : undefined;
  const nextCursor = last ? writeCursor(placeOf(last)) : null;
  return { status: 200, body: bodyOf(shown.map(render), nextCursor) };
}

function listBody(data: object[], nextCursor: string | null): object {
  return { data, next_cursor: nextCursor };
}

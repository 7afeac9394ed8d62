// Writes and reads the cursor of a list: an opaque text for the place after a row.
import { isQueryableTime } from './fields';
import { invalidField } from './problem';

/** A place in a list: the time and the id of the row before it. */
export interface Place {
  readonly at: Date;
  readonly id: string;
}

/** The ids of lists whose rows are numbered: digits that a bigint column can hold. */
export const SEQUENCE_ID = /^\d{1,18}$/;

/** Encodes a place as the text that a caller sends back for the next page. */
export function writeCursor({ at, id }: Place): string {
  return Buffer.from(JSON.stringify([at.getTime(), id])).toString('base64url');
}

/**
 * Decodes a cursor.
 * @param idShape the ids of this list
 * @throws ApiError 400 for any text that {@link writeCursor} does not write
 */
export function readCursor(text: string, idShape: RegExp): Place {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    const [at, id] = Array.isArray(parsed) ? (parsed as unknown[]) : [];
    const whole = Array.isArray(parsed) && parsed.length === 2 && Number.isSafeInteger(at);
    if (whole && typeof at === 'number' && typeof id === 'string' && idShape.test(id)) {
      const date = new Date(at);
      if (isQueryableTime(at) && writeCursor({ at: date, id }) === text) {
        return { at: date, id };
      }
    }
  } catch {
    // The error below reports it, as for every other text that is not a cursor.
  }
  throw invalidField(
    'cursor',
    'is not a next_cursor of this list; leave it out to begin with the first page',
  );
}

import { invalidField } from './problem';
import { isQueryableTime } from './times';

/** An opaque place in a list: the time and id of its last row. */
export interface Place {
  readonly at: Date;
  readonly id: string;
}

export function writeCursor({ at, id }: Place): string {
  return Buffer.from(JSON.stringify([at.getTime(), id])).toString('base64url');
}

/** @throws ApiError 400 for anything that {@link writeCursor} did not write */
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
    // Reported below like every other text that is no cursor.
  }
  throw invalidField('cursor', 'is not one that a list answered with');
}

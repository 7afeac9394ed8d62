// Limits how long a caller waits for the database.
import { ApiError } from './problem';

/** A caller gets 503 within 5 s while the database is away or hangs. */
const DATABASE_DEADLINE_MS = 4_500;

/**
 * Waits for the database, at most `deadlineMs`. The work goes on after the deadline and may still
 * succeed; the caller sends the request again, and every write is safe to repeat.
 * @throws ApiError 503 when the deadline passes first; else what the work throws
 */
export function inTime<T>(work: Promise<T>, deadlineMs = DATABASE_DEADLINE_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new ApiError(
          'TEMPORARY_FAILURE',
          'The database did not respond in time; send the same request again',
        ),
      );
    }, deadlineMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

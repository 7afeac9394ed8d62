import { ApiError } from './problem';

/** A database that is away or hangs is answered with 503 within 5 s. */
const DATABASE_DEADLINE_MS = 4_500;

/**
 * Waits for the database for as long as a caller can be let waiting. What was under way may still
 * happen: the caller asks again, and every write is safe to repeat.
 */
export function inTime<T>(work: Promise<T>, deadlineMs = DATABASE_DEADLINE_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new ApiError('TEMPORARY_FAILURE', 'The database did not answer in time'));
    }, deadlineMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

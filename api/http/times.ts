const FIRST_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * True for a time in Unix ms with a year of four digits: the years of RFC 3339, and those the database
 * is asked about. An offset can lead out of them.
 */
export function isQueryableTime(ms: number): boolean {
  return ms >= FIRST_MS && ms <= LAST_MS;
}

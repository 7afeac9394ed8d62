// Tells which times the database can be queried for.
const FIRST_MS = Date.parse('0001-01-01T00:00:00Z');
const LAST_MS = Date.parse('9999-12-31T23:59:59.999Z');

/**
 * True for a time in Unix ms whose year has four digits: the years of RFC 3339, and those that the
 * queries of the database accept. An offset can move a valid text out of them.
 */
export function isQueryableTime(ms: number): boolean {
  return ms >= FIRST_MS && ms <= LAST_MS;
}

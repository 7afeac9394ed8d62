// Tests that the error catalogue is complete and consistent.
import { ERRORS } from '../../domain/error-catalogue';

const ENTRIES = Object.entries(ERRORS);

describe('the error catalogue', () => {
  test.each(ENTRIES)(
    'the error %s has a name, a status and a title that can be shown',
    (code, error) => {
      expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
      expect(error.status).toBeGreaterThanOrEqual(400);
      expect(error.status).toBeLessThanOrEqual(599);
      // RFC 9457: a title is a short summary, the same every time.
      expect(error.title).toMatch(/^[A-Z][^.!]{5,60}$/);
    },
  );

  test('no two errors have the same title', () => {
    expect(new Set(ENTRIES.map(([, error]) => error.title)).size).toBe(ENTRIES.length);
  });

  test('of the errors of a caller only too many requests are worth a retry', () => {
    const retried = ENTRIES.filter(([, error]) => error.status < 500 && error.retry);
    expect(retried.map(([code]) => code)).toEqual(['TOO_MANY_REQUESTS']);
  });

  test('every temporary error is marked as worth a retry', () => {
    const final = ENTRIES.filter(([, { status, retry }]) => [503, 504].includes(status) && !retry);
    expect(final).toEqual([]);
  });
});

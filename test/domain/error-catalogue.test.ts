import { ERRORS } from '../../domain/error-catalogue';

const ENTRIES = Object.entries(ERRORS);

describe('the error catalogue', () => {
  test.each(ENTRIES)('%s has a name, a status and a title that can be shown', (code, error) => {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
    expect(error.status).toBeGreaterThanOrEqual(400);
    expect(error.status).toBeLessThanOrEqual(599);
    // RFC 9457: a title is a short summary, the same every time.
    expect(error.title).toMatch(/^[A-Z][^.!]{5,60}$/);
  });

  test('no title is used twice', () => {
    expect(new Set(ENTRIES.map(([, error]) => error.title)).size).toBe(ENTRIES.length);
  });

  test("an error of the caller's is never worth the same request again", () => {
    const retried = ENTRIES.filter(([, error]) => error.status < 500 && error.retry);
    expect(retried).toEqual([]);
  });

  test('"not now" is always worth the same request again', () => {
    const final = ENTRIES.filter(([, { status, retry }]) => [503, 504].includes(status) && !retry);
    expect(final).toEqual([]);
  });
});

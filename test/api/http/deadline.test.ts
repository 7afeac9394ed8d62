// How long a request waits for a database that is away, over all its calls.
import { createBesideDatabase, inTime, withDatabaseTime } from '../../../api/http/deadline';

const MOST_MS = 5_000;

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

const after = <T>(ms: number, value: T) =>
  new Promise<T>((resolve) => setTimeout(resolve, ms, value));
const never = () => new Promise<never>(() => undefined);

/** When the request ended, in ms from now, and how. */
async function ended(request: () => Promise<unknown>): Promise<{ atMs: number; how: unknown }> {
  const startMs = Date.now();
  const end = withDatabaseTime(request).then(
    (how) => ({ atMs: Date.now() - startMs, how }),
    (error: unknown) => ({
      atMs: Date.now() - startMs,
      how: (error as { code?: string }).code,
    }),
  );
  await jest.advanceTimersByTimeAsync(30_000);
  return end;
}

test('all calls of a request have the time of one', async () => {
  const { atMs, how } = await ended(async () => {
    await inTime(after(2_000, 1));
    await inTime(after(2_000, 2));
    return inTime(after(2_000, 3));
  });
  expect(how).toBe('TEMPORARY_FAILURE');
  expect(atMs).toBeLessThan(MOST_MS);
});

test('a wait for a run takes none of the time while the database responds', async () => {
  const besideDatabase = createBesideDatabase(() => after(5, null));
  const { atMs, how } = await ended(async () => {
    await inTime(after(100, 1));
    await besideDatabase(after(8_000, null));
    return inTime(after(3_000, 'read'));
  });
  expect({ atMs, how }).toEqual({ atMs: 11_100, how: 'read' });
});

test.each([
  ['hangs', never],
  ['refuses', () => Promise.reject(new Error('ECONNREFUSED'))],
])('the database %s during a wait for a run: 503 within 5 s of that', async (_, away) => {
  for (let awayAtMs = 0; awayAtMs < 8_000; awayAtMs += 333) {
    const startMs = Date.now();
    const isAway = () => Date.now() - startMs >= awayAtMs;
    const besideDatabase = createBesideDatabase(() => (isAway() ? away() : after(5, null)));
    const { atMs, how } = await ended(async () => {
      await besideDatabase(after(8_000, null));
      return inTime(isAway() ? never() : after(5, 'read'));
    });
    expect([awayAtMs, how]).toEqual([awayAtMs, 'TEMPORARY_FAILURE']);
    expect(atMs - awayAtMs).toBeLessThan(MOST_MS);
  }
});

test('a database that is away for a moment ends no wait', async () => {
  const startMs = Date.now();
  const isAway = () => Date.now() - startMs > 1_000 && Date.now() - startMs < 3_500;
  const besideDatabase = createBesideDatabase(() =>
    isAway() ? Promise.reject(new Error('ECONNREFUSED')) : after(5, null),
  );
  const { how } = await ended(() => besideDatabase(after(8_000, 'replied')));
  expect(how).toBe('replied');
});

test('any number of waits share one check at a time', async () => {
  let pings = 0;
  const besideDatabase = createBesideDatabase(() => {
    pings += 1;
    return after(5, null);
  });
  await ended(() =>
    Promise.all(Array.from({ length: 100 }, () => besideDatabase(after(5_000, 1)))),
  );
  expect(pings).toBeLessThanOrEqual(10);
});

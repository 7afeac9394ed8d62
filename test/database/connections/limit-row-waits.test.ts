// Tests how many pieces of work on one row are under way at once, and which ones wait.
import {
  createRowLimit,
  ROW_WAIT_MS,
  RowHeldError,
  type SharedRow,
} from '../../../database/connections/limit-row-waits';
import { isRowHeld, isUnavailable } from '../../../database/core/classify-errors';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** A limit of two, and work that ends by name. */
function start(onHeldRow: 'wait' | 'fail' = 'wait') {
  const limit = createRowLimit({ most: 2, isRowHeld, onHeldRow });
  const begun: string[] = [];
  const ends = new Map<string, (error?: Error) => void>();
  const work = (name: string, rows: readonly SharedRow[]) =>
    limit(rows, () => {
      begun.push(name);
      return new Promise<string>((resolve, reject) => {
        ends.set(name, (error) => (error ? reject(error) : resolve(name)));
      });
    });
  const end = async (name: string, error?: Error) => {
    ends.get(name)?.(error);
    await jest.advanceTimersByTimeAsync(0);
  };
  return { work, end, begun };
}

test('the third piece of work on a row waits for the first, another row for nobody', async () => {
  const { work, end, begun } = start();
  const first = work('1', ['sku:a']);
  void work('2', ['sku:a']);
  void work('3', ['sku:a']);
  void work('4', ['sku:a']);
  void work('other', ['sku:b']);
  void work('order', ['order:a']);
  expect(begun).toEqual(['1', '2', 'other', 'order']);
  await end('1');
  expect(await first).toBe('1');
  expect(begun).toEqual(['1', '2', 'other', 'order', '3']);
  await end('3');
  expect(begun.at(-1)).toBe('4');
});

test('work on several rows waits for all of them, and keeps none meanwhile', async () => {
  const { work, end, begun } = start();
  void work('1', ['sku:a']);
  void work('2', ['sku:a']);
  void work('both', ['sku:b', 'sku:a', 'sku:b']);
  void work('3', ['sku:b']);
  void work('4', ['sku:b']);
  expect(begun).toEqual(['1', '2', '3', '4']);
  await end('1');
  expect(begun).toHaveLength(4);
  await end('3');
  expect(begun.at(-1)).toBe('both');
  // It counts once on each of its rows.
  await end('4');
  void work('5', ['sku:b']);
  expect(begun.at(-1)).toBe('5');
});

test('work that fails gives its place to the next, and its error to its caller', async () => {
  const { work, end, begun } = start();
  const first = work('1', ['order:a']);
  void work('2', ['order:a']);
  void work('3', ['order:a']);
  const failure = expect(first).rejects.toThrow('refused');
  await end('1', new Error('refused'));
  await failure;
  expect(begun).toEqual(['1', '2', '3']);
});

test('work that waits too long is refused like a lock that PostgreSQL times out', async () => {
  const { work, end, begun } = start();
  void work('1', ['sku:a']);
  void work('2', ['sku:a']);
  const late = work('3', ['sku:a']).catch((error: unknown) => error);
  await jest.advanceTimersByTimeAsync(ROW_WAIT_MS);
  const error = await late;
  expect(error).toBeInstanceOf(RowHeldError);
  expect([isRowHeld(error), isUnavailable(error)]).toEqual([true, true]);
  await end('1');
  expect(begun).toEqual(['1', '2']);
});

const lockTimeout = () => Object.assign(new Error('lock timeout'), { code: '55P03' });

test('once PostgreSQL gave up on a row, one at a time tries it until work succeeds', async () => {
  const { work, end, begun } = start('fail');
  const first = work('1', ['sku:a']).catch((error: unknown) => error);
  void work('2', ['sku:a']);
  const third = work('3', ['sku:a', 'sku:b']).catch((error: unknown) => error);
  await jest.advanceTimersByTimeAsync(2_000);
  await end('1', lockTimeout());
  expect(await first).toMatchObject({ message: 'lock timeout' });
  expect(await third).toBeInstanceOf(RowHeldError);
  // There would be room for two.
  await expect(work('4', ['sku:a'])).rejects.toThrow(RowHeldError);
  void work('other', ['sku:b']);
  await end('2');
  void work('5', ['sku:a']);
  void work('6', ['sku:a']);
  expect(begun).toEqual(['1', '2', 'other', '5', '6']);
});

test('of two rows, the one on which other work succeeded meanwhile is not held', async () => {
  const { work, end, begun } = start('fail');
  const both = work('both', ['sku:held', 'sku:free']).catch((error: unknown) => error);
  await jest.advanceTimersByTimeAsync(1_000);
  void work('1', ['sku:free']);
  await end('1');
  await jest.advanceTimersByTimeAsync(1_000);
  await end('both', lockTimeout());
  await both;
  void work('2', ['sku:free']);
  void work('3', ['sku:free']);
  void work('4', ['sku:held']);
  await expect(work('5', ['sku:held'])).rejects.toThrow(RowHeldError);
  expect(begun).toEqual(['both', '1', '2', '3', '4']);
});

test('a row counts as held for ten seconds at most', async () => {
  const { work, end, begun } = start('fail');
  const first = work('1', ['sku:a']).catch((error: unknown) => error);
  await end('1', lockTimeout());
  await first;
  void work('2', ['sku:a']);
  await expect(work('3', ['sku:a'])).rejects.toThrow(RowHeldError);
  await jest.advanceTimersByTimeAsync(10_000);
  void work('4', ['sku:a']);
  expect(begun).toEqual(['1', '2', '4']);
});

test('in a process with callers, work waits for a held row like for any other', async () => {
  const { work, end, begun } = start();
  const first = work('1', ['sku:a']).catch((error: unknown) => error);
  void work('2', ['sku:a']);
  void work('3', ['sku:a']);
  await end('1', lockTimeout());
  await first;
  void work('4', ['sku:a']);
  await end('2');
  expect(begun).toEqual(['1', '2', '3', '4']);
});

test('no more than 1,024 wait; one more is refused at once', async () => {
  const { work } = start();
  for (let n = 0; n < 2 + 1_024; n += 1) void work(String(n), ['sku:a']).catch(() => 'late');
  await expect(work('one more', ['sku:a'])).rejects.toThrow(RowHeldError);
  await jest.advanceTimersByTimeAsync(ROW_WAIT_MS);
});

// Tests which requests the lines start, keep waiting and refuse.
import { createLines, KEY_LIMITS, KEYLESS_LIMITS, type Place } from '../../../api/admission/lines';

/** Lines whose turns of the event loop the test begins. */
function createTestLines(maxAtWork = Infinity) {
  const turns: (() => void)[] = [];
  let max = maxAtWork;
  const lines = createLines(
    () => max,
    (then) => turns.push(then),
  );
  const started: { readonly key: string | null; readonly place: Place }[] = [];
  return {
    lines,
    started,
    allow: (count: number) => (max = count),
    enter: (key: string | null) => lines.enter(key, (place) => started.push({ key, place })),
    /** Begins turns until nothing more is started. */
    turnAll: () => {
      while (turns.length > 0) turns.shift()?.();
    },
    keys: () => started.map(({ key }) => key),
  };
}

test.each([
  ['of one key', 'shop', KEY_LIMITS],
  ['without a key', null, KEYLESS_LIMITS],
])(
  'requests %s start up to the limit, then wait up to the limit, then are refused',
  (_whose, key, { atWork, waiting }) => {
    const { enter, turnAll, started, lines } = createTestLines();
    for (let n = 0; n < atWork + waiting; n += 1) expect(enter(key)).toBe(true);
    turnAll();
    expect([started.length, lines.atWork()]).toEqual([atWork, atWork]);
    expect(enter(key)).toBe(false);
    started[0]?.place.leave();
    turnAll();
    expect(started).toHaveLength(atWork + 1);
    expect([enter(key), enter(key)]).toEqual([true, false]);
  },
);

test('a key whose line is full holds up no other key', () => {
  const { enter, turnAll, keys } = createTestLines();
  while (enter('flood')) continue;
  turnAll();
  expect(enter('shop')).toBe(true);
  turnAll();
  expect(keys().at(-1)).toBe('shop');
});

test('lines take turns while there is room for one request only', () => {
  const { enter, turnAll, keys, started } = createTestLines(1);
  for (const key of ['flood', 'flood', 'flood', 'shop', null]) enter(key);
  for (let n = 0; n < 5; n += 1) {
    turnAll();
    started[n]?.place.leave();
  }
  expect(keys()).toEqual(['flood', 'flood', 'shop', null, 'flood']);
});

test('four requests start at once, the next ones after turns that let connections in', () => {
  let turn = (): void => undefined;
  const lines = createLines(
    () => Infinity,
    (then) => {
      turn = then;
    },
  );
  let started = 0;
  for (let n = 0; n < 6; n += 1) lines.enter('shop', () => (started += 1));
  for (let n = 0; n < 15; n += 1) turn();
  expect(started).toBe(4);
  turn();
  expect(started).toBe(6);
});

test('a request that waits for WeChat gives its place away and comes back first', async () => {
  const { enter, turnAll, started, lines } = createTestLines(1);
  for (let n = 0; n < 3; n += 1) enter('shop');
  let respond = (_text: string): void => undefined;
  const response = new Promise<string>((resolve) => {
    respond = resolve;
  });
  const outside = started[0]?.place.outside(response);
  turnAll();
  expect([started.length, lines.atWork()]).toEqual([2, 1]);
  respond('prepaid');
  await response;
  await Promise.resolve();
  started[1]?.place.leave();
  turnAll();
  expect(await outside).toBe('prepaid');
  expect([started.length, lines.atWork()]).toEqual([2, 1]);
  started[0]?.place.leave();
  turnAll();
  expect(started).toHaveLength(3);
});

test('a place that is left twice, or left outside, is given back once', async () => {
  const { enter, started, turnAll, lines } = createTestLines();
  enter('shop');
  enter('shop');
  turnAll();
  started[0]?.place.leave();
  started[0]?.place.leave();
  const outside = started[1]?.place.outside(Promise.resolve(1));
  started[1]?.place.leave();
  await outside;
  expect(lines.atWork()).toBe(0);
});

test('requests that found no room start once there is room', () => {
  const { enter, turnAll, started, allow, lines } = createTestLines(2);
  for (let n = 0; n < 4; n += 1) enter('shop');
  turnAll();
  expect(started).toHaveLength(2);
  allow(4);
  lines.pump();
  expect(started).toHaveLength(4);
});

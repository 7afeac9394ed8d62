// Decides which requests are worked on now, which wait in line and which are refused.

/** How many requests of one line are worked on at once, and how many wait. */
export interface LineLimits {
  readonly atWork: number;
  readonly waiting: number;
}

/** The limits of each API key: more than a shop needs, and few enough to keep in memory. */
export const KEY_LIMITS: LineLimits = { atWork: 64, waiting: 1_024 };
/** The limits of all requests without a valid key together: nearly all of them are refused. */
export const KEYLESS_LIMITS: LineLimits = { atWork: 16, waiting: 64 };
/**
 * Requests that are started at once; the next ones are started {@link TURNS_BETWEEN} turns of the
 * event loop later. libuv accepts one new connection in a turn, so each long turn makes the new
 * connections wait, and the short turns after it let them in.
 */
const STARTS_AT_ONCE = 4;
const TURNS_BETWEEN = 16;

/** The place of a request that is being worked on. */
export interface Place {
  /**
   * Gives the place to others while the request waits for something else than this process and its
   * database, and takes a place again afterwards, before the requests that wait.
   * @returns what the work returns. @throws what the work throws
   */
  outside<T>(work: Promise<T>): Promise<T>;
  /** Ends the work on the request. A second call does nothing. */
  leave(): void;
}

interface Line {
  readonly limits: LineLimits;
  atWork: number;
  /** Requests that come back from {@link Place.outside}; they go first. */
  readonly returning: (() => void)[];
  readonly waiting: (() => void)[];
}

/** The lines of all API keys, and of the requests without one. */
export interface Lines {
  /**
   * Starts the request, now or when its turn comes.
   * @param key the name of the API key; null for a request without a valid one
   * @returns false when the line is full: the request is refused
   */
  readonly enter: (key: string | null, start: (place: Place) => void) => boolean;
  /** Starts the requests for which there is room now. */
  readonly pump: () => void;
  /** All requests that are being worked on. */
  readonly atWork: () => number;
}

/**
 * Makes the lines. The lines take turns, so that no key waits for the requests of another key.
 * @param maxAtWork how many requests of all lines may be worked on at once now
 * @param nextTurn calls back in the next turn of the event loop
 */
export function createLines(
  maxAtWork: () => number,
  nextTurn: (then: () => void) => void = setImmediate,
): Lines {
  /** In the order of their next turn. There are no more lines than keys, so all are kept. */
  const lines = new Map<string | null, Line>();
  let atWork = 0;
  let started = 0;

  function pump(): void {
    while (started < STARTS_AT_ONCE && atWork < maxAtWork()) {
      const entry = nextLine(lines);
      if (!entry) return;
      const [key, line] = entry;
      const next = line.returning.shift() ?? line.waiting.shift();
      lines.delete(key);
      lines.set(key, line);
      atWork += 1;
      line.atWork += 1;
      started += 1;
      if (started === 1) afterTurns(TURNS_BETWEEN);
      next?.();
    }
  }

  function afterTurns(turns: number): void {
    nextTurn(() => {
      if (turns > 1) {
        afterTurns(turns - 1);
        return;
      }
      started = 0;
      pump();
    });
  }

  function giveBack(line: Line): void {
    atWork -= 1;
    line.atWork -= 1;
    pump();
  }

  function comeBack(line: Line): Promise<void> {
    return new Promise((resolve) => {
      line.returning.push(resolve);
      pump();
    });
  }

  return {
    enter(key, start) {
      const limits = key === null ? KEYLESS_LIMITS : KEY_LIMITS;
      const line = lines.get(key) ?? { limits, atWork: 0, returning: [], waiting: [] };
      if (line.atWork + line.waiting.length >= limits.atWork + limits.waiting) return false;
      if (!lines.has(key)) lines.set(key, line);
      const place = createPlace(
        () => giveBack(line),
        () => comeBack(line),
      );
      line.waiting.push(() => start(place));
      pump();
      return true;
    },
    pump,
    atWork: () => atWork,
  };
}

/** The place of a request whose turn has come. */
function createPlace(giveBack: () => void, comeBack: () => Promise<void>): Place {
  let state: 'at work' | 'outside' | 'left' = 'at work';
  const hasLeft = () => state === 'left';
  return {
    async outside(work) {
      if (state !== 'at work') return work;
      state = 'outside';
      giveBack();
      try {
        return await work;
      } finally {
        if (!hasLeft()) {
          await comeBack();
          // A request that ended while it came back needs its place no more.
          if (hasLeft()) giveBack();
          else state = 'at work';
        }
      }
    },
    leave() {
      if (state === 'at work') giveBack();
      state = 'left';
    },
  };
}

/** The first line that has a request to start, and room for it. */
function nextLine(
  lines: ReadonlyMap<string | null, Line>,
): readonly [string | null, Line] | undefined {
  for (const entry of lines) {
    const [, { limits, atWork, returning, waiting }] = entry;
    if (atWork < limits.atWork && returning.length + waiting.length > 0) return entry;
  }
  return undefined;
}

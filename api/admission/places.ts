// Knows the place of the request that is being handled, wherever its handler waits.
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Place } from './lines';

/** A place that is left when its reply is out and all work on its request has ended. */
interface HeldPlace extends Pick<Place, 'outside'> {
  /** @returns what releases the hold */
  readonly hold: () => () => void;
}

const places = new AsyncLocalStorage<HeldPlace>();

/** Runs the handler of a request that has got a place. The place is left once nobody holds it. */
export function runInPlace(place: Place, run: (held: HeldPlace) => void): void {
  let holders = 0;
  const held: HeldPlace = {
    outside: (work) => place.outside(work),
    hold() {
      holders += 1;
      return () => {
        holders -= 1;
        if (holders === 0) place.leave();
      };
    },
  };
  places.run(held, () => run(held));
}

/**
 * Holds the place until the work on the request has ended, also when its caller has hung up: what
 * the database still does for it counts.
 */
export async function holdPlace<T>(work: () => Promise<T>): Promise<T> {
  const release = places.getStore()?.hold();
  try {
    return await work();
  } finally {
    release?.();
  }
}

/** Gives the place to others while the request waits for WeChat or Temporal. */
export function outsidePlace<T>(work: Promise<T>): Promise<T> {
  return places.getStore()?.outside(work) ?? work;
}

/** A body of a good sender arrives in this time; a longer wait is not for this process. */
const BODY_PATIENCE_MS = 100;

/**
 * Waits for the body of the request that is being handled. A sender who takes long gives the place
 * to others meanwhile: a hundred slow ones with two keys would hold all places of the process.
 */
export async function awaitBody<T>(body: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const isLate = new Promise<true>((resolve) => {
    timer = setTimeout(resolve, BODY_PATIENCE_MS, true);
  });
  const first = await Promise.race([body.then(() => false), isLate]).finally(() => {
    clearTimeout(timer);
  });
  return first ? outsidePlace(body) : body;
}

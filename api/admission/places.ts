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

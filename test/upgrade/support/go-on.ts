// Lets open orders go on at the same time, each as a test of its own.
import type { TestOncepay } from '../../support/oncepay';
import { checkOrder } from './books';
import { OPEN_STATES, type OpenOrder, type OpenState } from './open-orders';

/** One order in each state. */
export type OpenOrders = ReadonlyMap<OpenState, OpenOrder>;

/** Orders that are in work at the same time; more overload the machine of CI. */
const AT_ONCE = 6;

/** Does the work on each item. @returns the promise of each result, in order */
function inTurn<I, R>(items: readonly I[], work: (item: I) => Promise<R>): Promise<R>[] {
  const done: Promise<R>[] = [];
  for (const [index, item] of items.entries()) {
    const before = done.slice(0, Math.max(0, index - AT_ONCE + 1));
    done.push(Promise.allSettled(before).then(() => work(item)));
  }
  return done;
}

/** Brings one order into each state. */
export async function beginOrders(oncepay: TestOncepay): Promise<OpenOrders> {
  const begun = inTurn(OPEN_STATES, async (state) => {
    return [state, await state.begin(oncepay)] as const;
  });
  return new Map(await Promise.all(begun));
}

/**
 * Declares a test for each state. The orders go on before the first test; each test waits for the
 * end of its order.
 */
export function testEachState(
  when: string,
  { oncepay, orders }: { oncepay: () => TestOncepay; orders: () => OpenOrders },
): void {
  const ends = new Map<OpenState, Promise<unknown>>();
  beforeAll(() => {
    const states = [...orders().keys()];
    const started = inTurn(states, async (state) => orders().get(state)?.goOn());
    for (const [index, state] of states.entries()) {
      const end = started[index] ?? Promise.reject(new Error('not started'));
      end.catch(() => {
        // The test of this state reports it.
      });
      ends.set(state, end);
    }
  });
  test.each(OPEN_STATES)(`an order that $title, ${when}`, async (state) => {
    await ends.get(state);
    await checkOrder(oncepay(), orders().get(state)?.no ?? '', state.end);
  });
}

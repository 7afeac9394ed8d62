// Switches the stub for WeChat off and on, and reads how many calls it has counted.
import { z } from 'zod';
import type { Paid } from './signed-callbacks';

/** The stub's own paths, which neither WeChat nor the shop has. */
export const STUB_PATHS = { phase: '/bench/phase', tally: '/bench/tally' } as const;

/** The state of the stub's WeChat from now on. A new phase counts its calls from 0. */
export interface Phase {
  /** WeChat cuts each connection without a response. */
  readonly away: boolean;
  /** Payments that queries find from now on. All other orders are not paid. */
  readonly paid: readonly Paid[];
}

const tally = z.object({
  /** All calls to WeChat. */
  calls: z.number(),
  /** The most calls within one second of the clock. */
  peakPerSecond: z.number(),
  /** The orders that were queried, each counted once. */
  orders: z.number(),
});

/** The calls to WeChat since the phase began. */
export type Tally = z.output<typeof tally>;

/** Makes the switch of the stub at `url`. */
export function createStubControl(url: string) {
  return {
    async begin(phase: Phase): Promise<void> {
      const response = await fetch(`${url}${STUB_PATHS.phase}`, {
        method: 'POST',
        body: JSON.stringify(phase),
      });
      if (!response.ok) throw new Error(`The stub refused the phase: ${response.status}`);
    },
    async tally(): Promise<Tally> {
      const response = await fetch(`${url}${STUB_PATHS.tally}`);
      return tally.parse(await response.json());
    },
  };
}

/** The switch of the stub. */
export type StubControl = ReturnType<typeof createStubControl>;

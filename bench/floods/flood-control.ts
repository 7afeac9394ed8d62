// Begins and ends a flood in the process that sends it.
import { z } from 'zod';

/** The paths of the process that floods. */
export const FLOOD_PATHS = { begin: '/flood/begin', end: '/flood/end' } as const;

/** A load on a server. */
export interface Flood {
  /** The port of the server. */
  readonly target: number;
  readonly connections: number;
  /** Writes per second over all connections; each has `pipelined` requests. */
  readonly perSecond: number;
  readonly pipelined: number;
  /** The bytes of one request, as latin-1. */
  readonly request: string;
}

const tally = z.object({
  due: z.number(),
  sent: z.number(),
  /** Writes that were due while every connection waited for a reply. */
  unsent: z.number(),
  /** Connections that were opened. */
  opened: z.number(),
  /** Replies by status. */
  statuses: z.record(z.string(), z.number()),
});

/** The requests that a flood has sent, and the replies that it has received so far. */
export type FloodTally = z.output<typeof tally>;

/** Makes the control of the process that floods, which listens at `url`. */
export function createFloodControl(url: string) {
  return {
    async begin(flood: Flood): Promise<void> {
      await fetch(`${url}${FLOOD_PATHS.begin}`, { method: 'POST', body: JSON.stringify(flood) });
    },
    async end(): Promise<FloodTally> {
      const response = await fetch(`${url}${FLOOD_PATHS.end}`, { method: 'POST' });
      return tally.parse(await response.json());
    },
  };
}

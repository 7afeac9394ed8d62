// Limits how many connections stay open between requests.
import type { Socket } from 'node:net';

/** Each kept connection can send a request in each turn of the event loop. */
const MAX_KEPT = 1_024;
/** One address, also that of a proxy, needs no more for all its requests. */
const MAX_KEPT_OF_ADDRESS = 256;

/** The connections that stay open after a reply. */
export interface KeptConnections {
  /**
   * Keeps the connection until it closes.
   * @returns false when too many are kept: this one closes after its reply
   */
  keep(socket: Socket): boolean;
}

/** Makes the count of kept connections. A connection above the limits is served like any other. */
export function createKeptConnections(): KeptConnections {
  const kept = new WeakSet<Socket>();
  const byAddress = new Map<string, number>();
  let count = 0;

  function forget(address: string): void {
    count -= 1;
    const left = (byAddress.get(address) ?? 1) - 1;
    if (left > 0) byAddress.set(address, left);
    else byAddress.delete(address);
  }

  return {
    keep(socket) {
      if (kept.has(socket)) return true;
      const address = socket.remoteAddress ?? '';
      const ofAddress = byAddress.get(address) ?? 0;
      if (count >= MAX_KEPT || ofAddress >= MAX_KEPT_OF_ADDRESS) return false;
      kept.add(socket);
      count += 1;
      byAddress.set(address, ofAddress + 1);
      socket.once('close', () => forget(address));
      return true;
    },
  };
}

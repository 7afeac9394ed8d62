// One write of a table at a time, and batches that come a second time with the same client_token.
import { createHash } from 'node:crypto';
import { refuse, type Reply } from '../http/reply';
import type { Clock } from '../time/clock';
import type { Table } from './tables';

/**
 * Runs a write of a table. Each takes `writeMs`; another one meanwhile gets 1254291 and nothing of
 * it is done.
 */
export type WriteTurn = (table: Table, write: () => Reply) => Promise<Reply>;

export function createWriteTurn(clock: Clock, writeMs: number): WriteTurn {
  return async (table, write) => {
    if (table.isBusy) return refuse(1254291);
    table.isBusy = true;
    try {
      if (writeMs > 0) await clock.wait(writeMs);
      return write();
    } finally {
      table.isBusy = false;
    }
  };
}

const KEPT_TOKENS = 10_000;
const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

export interface Repeats {
  /** Runs a write once for each token: a repeat gets the reply of the first. */
  once: (token: string | undefined, content: unknown, write: () => Reply) => Reply;
  clear: () => void;
}

/** Keeps the replies of writes that succeeded, by client_token. */
export function createRepeats(): Repeats {
  const replies = new Map<string, { readonly hash: string; readonly reply: Reply }>();
  return {
    once: (token, content, write) => {
      if (token === undefined || token === '') return write();
      if (!UUID_V4.test(token)) return refuse(1254037);
      const hash = createHash('sha256').update(JSON.stringify(content)).digest('hex');
      const first = replies.get(token);
      if (first !== undefined) return first.hash === hash ? first.reply : refuse(1255006);
      const reply = write();
      if (reply.code !== 0) return reply;
      replies.set(token, { hash, reply });
      const oldest = replies.keys().next().value;
      if (replies.size > KEPT_TOKENS && oldest !== undefined) replies.delete(oldest);
      return reply;
    },
    clear: () => replies.clear(),
  };
}

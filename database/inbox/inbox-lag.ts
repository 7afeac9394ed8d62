// Reads how far the inbox is behind WeChat: the rows that have no verdict yet.
import type { DatabaseContext } from '../core/context';

export interface OpenInbox {
  /** Rows without a verdict. */
  readonly count: number;
  /** When the oldest one arrived that no intervention is about; null when there is no such row. */
  readonly oldestReceivedAt: Date | null;
}

/** The inbox as the api reads it; the callbacks' path writes it elsewhere (inbox-writer). */
export function createInbox({ prisma }: DatabaseContext) {
  return {
    /** Counts the rows without a verdict. */
    async open(): Promise<OpenInbox> {
      const [row] = await prisma.$queryRaw<OpenInbox[]>`
        SELECT count(*)::int AS count,
          min(received_at) FILTER (WHERE undeliverable_at IS NULL) AS "oldestReceivedAt"
        FROM notification_inbox WHERE verdict IS NULL`;
      if (!row) throw new Error('A count is always one row');
      return row;
    },
  };
}

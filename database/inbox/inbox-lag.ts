import type { DatabaseContext } from '../core/context';

export interface OpenInbox {
  /** Rows without a verdict. */
  readonly count: number;
  /** When the oldest of them came; null when a person is asked about all there are, or none is. */
  readonly oldestReceivedAt: Date | null;
}

/** What the api still asks of the inbox outside its hot path. */
export function createInbox({ prisma }: DatabaseContext) {
  return {
    /** The lag behind WeChat. */
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

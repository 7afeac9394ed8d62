// Lets one write at a time go to each table, because Feishu refuses a second one beside it.
import type { FeishuOutcome } from './outcome';

/** Writes that may wait for one table. Further ones would only wait too long. */
const MAX_WRITES_OF_A_TABLE = 64;

/** Runs a write when those before it of the same table have ended, in order of arrival. */
export type WriteLine = <T>(
  tableId: string,
  write: () => Promise<FeishuOutcome<T>>,
) => Promise<FeishuOutcome<T>>;

export function createWriteLine(): WriteLine {
  const lines = new Map<string, { waiting: number; last: Promise<unknown> }>();
  return async (tableId, write) => {
    const line = lines.get(tableId) ?? { waiting: 0, last: Promise.resolve() };
    if (line.waiting >= MAX_WRITES_OF_A_TABLE) {
      const message = 'too many writes wait for this table';
      return { kind: 'retryable', code: null, message, logId: null, waitMs: null };
    }
    lines.set(tableId, line);
    line.waiting += 1;
    const turn = line.last.then(write);
    line.last = turn.catch(() => null);
    try {
      return await turn;
    } finally {
      line.waiting -= 1;
      if (line.waiting === 0) lines.delete(tableId);
    }
  };
}

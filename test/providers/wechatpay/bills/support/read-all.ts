// Reads a whole bill in tests: its lines, and what is known at its end.
import type { UnreadableLine } from '../../../../../domain/reconciliation/bill-lines';
import type { BillEnd, BillReading } from '../../../../../providers/wechatpay/bills/read-bill';

/** The bytes in pieces of `size`, one after another. */
export async function* inPieces(bytes: Buffer, size = 65_536): AsyncGenerator<Buffer> {
  for (let start = 0; start < bytes.length; start += size) {
    yield await Promise.resolve(bytes.subarray(start, start + size));
  }
}

export interface WholeBill<Line, Summary> {
  readonly lines: (Line | UnreadableLine)[];
  readonly end: BillEnd<Summary>;
}

/** All lines together: for small bills alone. */
export async function readAll<Line, Summary>(
  bill: BillReading<Line, Summary>,
): Promise<WholeBill<Line, Summary>> {
  const lines: (Line | UnreadableLine)[] = [];
  for await (const batch of bill.lines) lines.push(...batch);
  return { lines, end: bill.end() };
}

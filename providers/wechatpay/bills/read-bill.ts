// Reads a bill from a stream of bytes: batches of lines, then its SHA-1 and its summary.
import { createHash } from 'node:crypto';
import type {
  FundLine,
  FundSummary,
  TradeLine,
  TradeSummary,
  UnreadableLine,
} from '../../../domain/reconciliation/bill-lines';
import type { BillLayout } from './bill-layout';
import { createFileReader } from './file-reader';
import { FUND_FLOW_BILL } from './fund-flow-bill';
import { createLineSplitter } from './line-splitter';
import type { CheckedSummary } from './summary-check';
import { TRADE_BILL } from './trade-bill';

/** A batch has so many lines, and those that the same piece completes: the file is never held. */
const BATCH_LINES = 1_000;

/** The facts about a bill that are known once its last line is read. */
export interface BillEnd<Summary> extends CheckedSummary<Summary> {
  /** Over all bytes, in lower-case hex: to be compared with WeChat's `hash_value`. */
  readonly sha1: string;
  readonly bytes: number;
}

export interface BillReading<Line, Summary> {
  /**
   * The lines in the file's order, to be read once. A failure of the bytes' source ends it.
   *
   * @throws UnreadableBill
   */
  readonly lines: AsyncIterable<readonly (Line | UnreadableLine)[]>;
  /** @throws Error before the last line was read. */
  readonly end: () => BillEnd<Summary>;
}

/**
 * Reads a trade bill of any layout.
 *
 * @param bytes the unpacked file in pieces of any size; never held as a whole.
 */
export function readTradeBill(bytes: AsyncIterable<Buffer>): BillReading<TradeLine, TradeSummary> {
  return readBill(TRADE_BILL, bytes);
}

/** Like {@link readTradeBill}, for a fund-flow bill. */
export function readFundFlowBill(bytes: AsyncIterable<Buffer>): BillReading<FundLine, FundSummary> {
  return readBill(FUND_FLOW_BILL, bytes);
}

function readBill<Line, Summary>(
  layout: BillLayout<Line, Summary>,
  bytes: AsyncIterable<Buffer>,
): BillReading<Line, Summary> {
  let end: BillEnd<Summary> | null = null;
  async function* read(): AsyncGenerator<readonly (Line | UnreadableLine)[]> {
    const hash = createHash('sha1');
    const splitter = createLineSplitter();
    const file = createFileReader(layout);
    let size = 0;
    let batch: (Line | UnreadableLine)[] = [];
    for await (const piece of bytes) {
      hash.update(piece);
      size += piece.length;
      for (const raw of splitter.push(piece)) {
        const line = file.read(raw);
        if (line !== null) batch.push(line);
      }
      if (batch.length < BATCH_LINES) continue;
      yield batch;
      batch = [];
    }
    for (const raw of splitter.finish()) {
      const line = file.read(raw);
      if (line !== null) batch.push(line);
    }
    end = { sha1: hash.digest('hex'), bytes: size, ...file.end() };
    if (batch.length > 0) yield batch;
  }
  return {
    lines: read(),
    end: () => {
      if (end === null) throw new Error('the bill was not read to its end');
      return end;
    },
  };
}

// Reads the lines of one bill in their order: header, data, summary.
import { isUtf8 } from 'node:buffer';
import type { UnreadableLine } from '../../../domain/reconciliation/bill-lines';
import type { BillLayout, Names } from './bill-layout';
import { readHeader, splitCells, UnreadableCell, type Columns } from './cells';
import { MAX_LINE_BYTES, type RawLine } from './line-splitter';
import { createSummaryCheck, type CheckedSummary, type SummaryCheck } from './summary-check';

const BYTE_ORDER_MARK = '\ufeff';

/**
 * The bytes are no such bill: an error page, another file, or a new layout without a column that
 * Oncepay needs. The message says why, and never quotes the file.
 */
export class UnreadableBill extends Error {
  constructor(why: string) {
    super(why);
    this.name = 'UnreadableBill';
  }
}

export interface FileReader<Line, Summary> {
  /** Null for a line that is no data. @throws UnreadableBill for a wrong header */
  readonly read: (raw: RawLine) => Line | UnreadableLine | null;
  /** @throws UnreadableBill when no line came. */
  readonly end: () => CheckedSummary<Summary>;
}

interface OpenBill<Line, Summary> {
  /** Null for a line that is no data. @throws UnreadableCell */
  readonly read: (text: string, line: number) => Line | null;
  readonly check: SummaryCheck<Summary>;
}

/** A reader of one bill, to be given its lines one after another. */
export function createFileReader<Line, Summary>(
  layout: BillLayout<Line, Summary>,
): FileReader<Line, Summary> {
  let open: OpenBill<Line, Summary> | null = null;
  let line = 0;
  return {
    read: (raw) => {
      line += 1;
      if (open === null) {
        open = openBill(layout, columnsOf(raw, layout.required));
        return null;
      }
      try {
        return open.read(textOf(raw), line);
      } catch (error) {
        if (!(error instanceof UnreadableCell)) throw error;
        open.check.add(null);
        return { kind: 'unreadable', line, why: error.message };
      }
    },
    end: () => {
      if (open === null) throw new UnreadableBill('the file is empty');
      return open.check.end();
    },
  };
}

function openBill<Line, Summary>(
  layout: BillLayout<Line, Summary>,
  columns: Columns,
): OpenBill<Line, Summary> {
  const reader = layout.open(columns);
  const check = createSummaryCheck(layout, reader.sums);
  return {
    check,
    read: (text, line) => {
      if (text === '' || check.takes(text)) return null;
      const cells = splitCells(text);
      if (cells === null) throw new UnreadableCell('the line does not begin with a backtick');
      if (cells.length !== columns.count) {
        const here = `the line has ${cells.length} columns`;
        throw new UnreadableCell(`${here}, the header has ${columns.count}`);
      }
      const seen = reader.read(cells, line);
      check.add(seen.amounts);
      return seen.line;
    },
  };
}

/** @throws UnreadableBill */
function columnsOf(raw: RawLine, required: readonly Names[]): Columns {
  if (raw === null || !isUtf8(raw)) throw new UnreadableBill('the first line is no header');
  const text = raw.toString();
  const columns = readHeader(text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text);
  if (columns === null) throw new UnreadableBill('the header names a column twice');
  const missing = required.find((names) => !columns.has(names));
  if (missing !== undefined) {
    throw new UnreadableBill(`the header has no column ${missing.join(' or ')}`);
  }
  return columns;
}

/** @throws UnreadableCell */
function textOf(raw: RawLine): string {
  if (raw === null) throw new UnreadableCell(`the line is longer than ${MAX_LINE_BYTES} bytes`);
  if (!isUtf8(raw)) throw new UnreadableCell('the line is not UTF-8');
  return raw.toString();
}

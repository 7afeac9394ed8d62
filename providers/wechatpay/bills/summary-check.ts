// Adds up the lines of a bill, and compares the sums with its summary.
import type { SummaryDifference } from '../../../domain/reconciliation/bill-lines';
import type { BillLayout, SumOf } from './bill-layout';
import { splitCells, splitNames, UnreadableCell } from './cells';

export interface CheckedSummary<Summary> {
  /** All data lines, with those that can't be read. */
  readonly lines: number;
  readonly unreadable: number;
  /** The sums over the lines that can be read; `count` is of all lines. */
  readonly totals: Summary;
  /** As WeChat wrote it. Null: it is missing or not whole, and `differences` says so. */
  readonly summary: Summary | null;
  /**
   * The values of the summary that the lines contradict. A line that can't be read is missing in
   * the sums and is a difference of its own, so that only the count is compared beside it.
   */
  readonly differences: readonly SummaryDifference<SumOf<Summary>>[];
}

export interface SummaryCheck<Summary> {
  /** Adds a data line: its part of each sum. Null for a line that can't be read. */
  readonly add: (amounts: readonly number[] | null) => void;
  /** True for the two lines of the summary, which it keeps. */
  readonly takes: (line: string) => boolean;
  readonly end: () => CheckedSummary<Summary>;
}

/** Compares the values that both the lines (`sums`) and the summary have: layouts differ. */
export function createSummaryCheck<Line, Summary>(
  layout: BillLayout<Line, Summary>,
  sums: readonly SumOf<Summary>[],
): SummaryCheck<Summary> {
  const added = sums.map(() => 0);
  const starts = layout.summary.count.names.flatMap((name) => [name, `\`${name}`]);
  let lines = 0;
  let unreadable = 0;
  let header: string[] | null = null;
  let values: string[] | null = null;
  return {
    add: (amounts) => {
      lines += 1;
      if (amounts === null) unreadable += 1;
      else amounts.forEach((amount, index) => (added[index] = (added[index] ?? 0) + amount));
    },
    takes: (line) => {
      if (header === null) {
        if (!starts.some((start) => line.startsWith(start))) return false;
        header = splitNames(line);
        return true;
      }
      if (values !== null) return false;
      values = splitCells(line) ?? [];
      return true;
    },
    end: () => {
      const totals = new Map<SumOf<Summary>, number>([['count', lines]]);
      sums.forEach((sum, index) => totals.set(sum, added[index] ?? 0));
      const totalled = layout.summaryOf(totals);
      if (totalled === null) throw new Error('the layout adds up less than its summary has');
      const stated = readSummary(layout, header ?? [], values ?? []);
      const differences = [...stated].flatMap(([column, summary]) => {
        const total = totals.get(column);
        const isComparable = total !== undefined && (column === 'count' || unreadable === 0);
        return isComparable && total !== summary ? [{ column, summary, lines: total }] : [];
      });
      return {
        lines,
        unreadable,
        totals: totalled,
        summary: layout.summaryOf(readable(stated)),
        differences,
      };
    },
  };
}

/**
 * The values that the summary's header names, null for those that can't be read; `count` alone, as
 * null, where there is no summary.
 */
function readSummary<Line, Summary>(
  { summary }: BillLayout<Line, Summary>,
  header: readonly string[],
  values: readonly string[],
): Map<SumOf<Summary>, number | null> {
  const stated = new Map<SumOf<Summary>, number | null>([['count', null]]);
  if (header.length !== values.length) return stated;
  for (const column of Object.keys(summary) as SumOf<Summary>[]) {
    const { names, read } = summary[column];
    const index = header.findIndex((name) => names.includes(name));
    if (index === -1) continue;
    stated.set(
      column,
      orNull(() => read(values[index] ?? '', column)),
    );
  }
  return stated;
}

function orNull(read: () => number): number | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnreadableCell) return null;
    throw error;
  }
}

function readable<Column>(stated: ReadonlyMap<Column, number | null>): Map<Column, number> {
  const known = new Map<Column, number>();
  for (const [column, value] of stated) if (value !== null) known.set(column, value);
  return known;
}

// The parts in which the kinds of bills differ: their columns, their lines and their summaries.
import type { Columns } from './cells';

/** The names that one column has had, the present one first. */
export type Names = readonly string[];

/** The names of a summary's values. `count` is the number of all data lines. */
export type SumOf<Summary> = (keyof Summary & string) | 'count';

/** A kind of bill. */
export interface BillLayout<Line, Summary> {
  /** A bill has a column of each of these, or it is no such bill. */
  readonly required: readonly Names[];
  /** The columns of the summary; `count` begins its header. Each reader throws UnreadableCell. */
  readonly summary: Readonly<
    Record<
      SumOf<Summary>,
      { readonly names: Names; readonly read: (text: string, column: string) => number }
    >
  >;
  /** The reader of the lines of one bill. */
  readonly open: (columns: Columns) => LineReader<Line, Summary>;
  /** Null where a value is missing that each such summary has. */
  readonly summaryOf: (values: ReadonlyMap<SumOf<Summary>, number>) => Summary | null;
}

export interface LineReader<Line, Summary> {
  /** The sums to which its lines contribute, without `count`. */
  readonly sums: readonly SumOf<Summary>[];
  /**
   * A line with its part of each of the `sums`, in their order.
   *
   * @throws UnreadableCell
   */
  readonly read: (
    cells: readonly string[],
    line: number,
  ) => { readonly line: Line; readonly amounts: readonly number[] };
}

// Cuts the bytes of a bill into its lines, with a bound for each line.

/**
 * The longest line taken. Real ones have some 250 bytes; with the longest texts that WeChat takes
 * for title and attachment they have 2 KB. A carriage return at its end counts.
 */
export const MAX_LINE_BYTES = 64 * 1024;

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** A line without its end, or null in the place of one that is longer than the bound. */
export type RawLine = Buffer | null;

export interface LineSplitter {
  /** The lines that this piece completes. They may share its memory. */
  readonly push: (piece: Buffer) => RawLine[];
  /** The last line, where it has no end: real bills lack it. */
  readonly finish: () => RawLine[];
}

/** Splits at `\n` and `\r\n`. Holds no more than one line of {@link MAX_LINE_BYTES}. */
export function createLineSplitter(): LineSplitter {
  let pieces: Buffer[] = [];
  let length = 0;
  const keep = (piece: Buffer): void => {
    length += piece.length;
    if (length > MAX_LINE_BYTES) pieces = [];
    else if (piece.length > 0) pieces.push(piece);
  };
  const complete = (piece: Buffer): RawLine => {
    keep(piece);
    const isTooLong = length > MAX_LINE_BYTES;
    const line = pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
    pieces = [];
    length = 0;
    return isTooLong || line === undefined ? null : withoutReturn(line);
  };
  return {
    push: (piece) => {
      const lines: RawLine[] = [];
      let start = 0;
      for (;;) {
        const end = piece.indexOf(LINE_FEED, start);
        if (end === -1) break;
        lines.push(complete(piece.subarray(start, end)));
        start = end + 1;
      }
      keep(piece.subarray(start));
      return lines;
    },
    finish: () => (length === 0 ? [] : [complete(Buffer.alloc(0))]),
  };
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === CARRIAGE_RETURN ? line.subarray(0, -1) : line;
}

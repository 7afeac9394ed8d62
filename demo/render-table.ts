// Renders the scenarios' results as a table that fits the terminal.
import type { Result } from './play-scenarios';

export const MARKS: Readonly<Record<Result['verdict'], string>> = {
  ok: '✓',
  wrong: '✗',
  not_played: '–',
};

/** The columns: `<mark> │ scenario │ expected │ actual │ ms`, with ` │ ` between them. */
const MARK_WIDTH = 1;
const MS_WIDTH = 6;
const SEPARATORS_WIDTH = 4 * 3;
const MIN_WIDTH = 80;
const MAX_WIDTH = 160;
const SCENARIO_SHARE = 0.26;

/** Breaks a text into lines of at most `width` characters, between words where it can. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (longer.length <= width) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = word;
    while (line.length > width) {
      lines.push(line.slice(0, width));
      line = line.slice(width);
    }
  }
  return [...lines, line];
}

function row(cells: readonly (readonly string[])[], widths: readonly number[]): string {
  const height = Math.max(...cells.map((lines) => lines.length));
  const lines = Array.from({ length: height }, (_none, line) =>
    widths
      .map((width, column) => {
        const text = cells[column]?.[line] ?? '';
        return column === widths.length - 1 ? text.padStart(width) : text.padEnd(width);
      })
      .join(' │ ')
      .trimEnd(),
  );
  return lines.join('\n');
}

/**
 * Renders the results as an aligned table.
 * @param columns the number of characters in a line of the terminal
 */
export function renderTable(results: readonly Result[], columns: number): string {
  const total = Math.min(Math.max(columns, MIN_WIDTH), MAX_WIDTH);
  const free = total - MARK_WIDTH - MS_WIDTH - SEPARATORS_WIDTH;
  const scenario = Math.floor(free * SCENARIO_SHARE);
  const expected = Math.floor((free - scenario) / 2);
  const widths = [MARK_WIDTH, scenario, expected, free - scenario - expected, MS_WIDTH];
  const rule = widths.map((width) => '─'.repeat(width)).join('─┼─');
  const head = row([[''], ['scenario'], ['expected'], ['actual'], ['ms']], widths);
  const body = results.map((result) =>
    row(
      [
        [MARKS[result.verdict]],
        wrap(result.name, scenario),
        wrap(result.expected, expected),
        wrap(result.seen, free - scenario - expected),
        [result.verdict === 'not_played' ? '–' : result.ms.toLocaleString('en-US')],
      ],
      widths,
    ),
  );
  return [head, ...body].join(`\n${rule}\n`);
}

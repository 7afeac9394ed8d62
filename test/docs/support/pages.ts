// Reads pages of the docs: their text, chapters, table rows and shell lines.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../config/paths';

/** The text of a page. @param path from the root of the repository */
export function readPage(path: string): string {
  return readFileSync(join(packageRoot(), path), 'utf8');
}

/** The chapters of a page by their heading of that level, each with its lines. */
export function chaptersOf(
  text: string,
  level: '##' | '###',
): [heading: string, lines: string[]][] {
  const found: [string, string[]][] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith(`${level} `)) found.push([line.slice(level.length + 1), []]);
    else found.at(-1)?.[1].push(line);
  }
  return found;
}

/** A table's row without the padding of its columns. */
function withoutPadding(line: string): string {
  return line.replace(/ +\|/g, ' |').replace(/\| +/g, '| ');
}

/**
 * The cells that `form` names, of every table row that starts with a code span.
 * @throws when a row has another form
 */
export function rowsOf(lines: readonly string[], form: RegExp): string[][] {
  return lines
    .map(withoutPadding)
    .filter((line) => line.startsWith('| `') || line.startsWith('| [`'))
    .map((line) => {
      const match = form.exec(line);
      if (!match) throw new Error(`not a row of this form: ${line}`);
      return match.slice(1);
    });
}

/** The lines of the shell that stand in a text. */
export function shellOf(text: string): string {
  return [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, lines = '']) => lines).join('\n');
}

/** The shell of one chapter (`##`) of a page. */
export function shellOfChapter(page: string, heading: string): string {
  const chapter = chaptersOf(page, '##').find(([found]) => found === heading);
  if (!chapter) throw new Error(`no chapter ${heading}`);
  return shellOf(chapter[1].join('\n'));
}

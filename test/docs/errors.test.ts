import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../config/paths';
import { ERRORS } from '../../domain/error-catalogue';

const ROW = /^\| `([A-Z_]+)` \| (\d+) \| (yes|no) \| (.+) \| (.+) \|$/;

interface Row {
  readonly code: string;
  readonly status: number;
  readonly retry: boolean;
}

/** The rows of every table of the page; a row of a code that can't be read is an error. */
function documentedRows(page: string): Row[] {
  return page
    .split('\n')
    .map((line) => line.replace(/ +\|/g, ' |').replace(/\| +/g, '| '))
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const [, code = '', status, retry] = ROW.exec(line) ?? [];
      if (code === '') throw new Error(`not a row of docs/errors.md: ${line}`);
      return { code, status: Number(status), retry: retry === 'yes' };
    });
}

test('docs/errors.md has one row for each code of the catalogue, with its status and retry', () => {
  const page = readFileSync(join(packageRoot(), 'docs', 'errors.md'), 'utf8');
  const catalogue = Object.entries(ERRORS).map(([code, { status, retry }]) => ({
    code,
    status,
    retry,
  }));
  const byCode = (a: Row, b: Row) => a.code.localeCompare(b.code);
  expect(documentedRows(page).toSorted(byCode)).toEqual(catalogue.toSorted(byCode));
});

test('a row that can not be read is not passed over', () => {
  expect(() => documentedRows('| `NOT_FOUND` | 404 | maybe | x | y |')).toThrow('NOT_FOUND');
});

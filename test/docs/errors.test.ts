// Holds docs/reference/errors.md to the error catalogue.
import { ERRORS } from '../../domain/error-catalogue';
import { readPage, rowsOf } from './support/pages';

const ROW = /^\| `([A-Z_]+)` \| (\d+) \| (yes|no) \| [^|]+ \| [^|]+ \|$/;

interface Row {
  readonly code: string;
  readonly status: number;
  readonly retry: boolean;
}

/** The rows of every table of the page; a row of a code that can't be read is an error. */
function documentedRows(page: string): Row[] {
  return rowsOf(page.split('\n'), ROW).map(([code = '', status, retry]) => ({
    code,
    status: Number(status),
    retry: retry === 'yes',
  }));
}

test('errors.md has one row for each code of the catalogue, with its status and retry', () => {
  const page = readPage('docs/reference/errors.md');
  const catalogue = Object.entries(ERRORS).map(([code, { status, retry }]) => ({
    code,
    status,
    retry,
  }));
  const byCode = (a: Row, b: Row) => a.code.localeCompare(b.code);
  expect(documentedRows(page).toSorted(byCode)).toEqual(catalogue.toSorted(byCode));
});

test('a row whose retry is neither yes nor no is an error, not passed over', () => {
  expect(() => documentedRows('| `NOT_FOUND` | 404 | maybe | x | y |')).toThrow('NOT_FOUND');
});

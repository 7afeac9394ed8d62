// The filter and the order of a search.
import { z } from 'zod';
import type { People } from '../tenant/people';
import { textOf, type Cell } from './cells';
import type { Column } from './columns';
import type { Row } from './tables';

const OPERATORS = [
  'is',
  'isNot',
  'contains',
  'doesNotContain',
  'isEmpty',
  'isNotEmpty',
  'isGreater',
  'isGreaterEqual',
  'isLess',
  'isLessEqual',
] as const;

const condition = z.object({
  field_name: z.string(),
  operator: z.enum(OPERATORS),
  value: z.array(z.string()).optional(),
});
type Condition = z.output<typeof condition>;
export const filterSchema = z.object({
  conjunction: z.enum(['and', 'or']),
  conditions: z.array(condition).max(50).optional(),
});
export const sortSchema = z.array(
  z.object({ field_name: z.string(), desc: z.boolean().optional() }),
);
export type Filter = z.output<typeof filterSchema>;
export type Sort = z.output<typeof sortSchema>;

const DATE_TYPE = 5;
const NOT_FOR_DATES: readonly string[] = [
  'isNot',
  'contains',
  'doesNotContain',
  'isGreaterEqual',
  'isLessEqual',
];

/** The values of a condition: a date's are `["ExactDate","<ms>"]`. Null: not Feishu's form. */
function valuesOf({ operator, value = [] }: Condition, column: Column): readonly string[] | null {
  if (operator === 'isEmpty' || operator === 'isNotEmpty') return value;
  if (column.type !== DATE_TYPE) return value.length === 0 ? null : value;
  if (NOT_FOR_DATES.includes(operator)) return null;
  const [kind, ms] = value;
  return kind === 'ExactDate' && ms !== undefined && /^\d+$/.test(ms) ? [ms] : null;
}

function compare(cell: Cell | undefined, wanted: string): number {
  return typeof cell === 'number' ? cell - Number(wanted) : NaN;
}

function holds(
  operator: Condition['operator'],
  cell: Cell | undefined,
  values: readonly string[],
  people: People,
): boolean {
  const text = cell === undefined ? '' : textOf(cell, people);
  const first = values[0] ?? '';
  const isOne = values.some((value) =>
    typeof cell === 'number' ? cell === Number(value) : text === value,
  );
  switch (operator) {
    case 'is':
      return isOne;
    case 'isNot':
      return !isOne;
    case 'contains':
      return values.some((value) => text.includes(value));
    case 'doesNotContain':
      return !values.some((value) => text.includes(value));
    case 'isEmpty':
      return cell === undefined;
    case 'isNotEmpty':
      return cell !== undefined;
    case 'isGreater':
      return compare(cell, first) > 0;
    case 'isGreaterEqual':
      return compare(cell, first) >= 0;
    case 'isLess':
      return compare(cell, first) < 0;
    case 'isLessEqual':
      return compare(cell, first) <= 0;
  }
}

/** The rows that pass; a code where the filter is not Feishu's or names an unknown column. */
export function filterRows(
  rows: readonly Row[],
  filter: Filter,
  columns: readonly Column[],
  people: People,
): readonly Row[] | number {
  const tests: ((row: Row) => boolean)[] = [];
  for (const one of filter.conditions ?? []) {
    const column = columns.find(({ name }) => name === one.field_name);
    if (column === undefined) return 1254045;
    const values = valuesOf(one, column);
    if (values === null) return 1254018;
    tests.push((row) => holds(one.operator, row.cells.get(column.fieldId), values, people));
  }
  if (tests.length === 0) return rows;
  return rows.filter((row) =>
    filter.conjunction === 'and'
      ? tests.every((test) => test(row))
      : tests.some((test) => test(row)),
  );
}

/** The rows in the wanted order; 1254045 where a column is unknown. */
export function sortRows(
  rows: readonly Row[],
  sort: Sort,
  columns: readonly Column[],
  people: People,
): readonly Row[] | number {
  let sorted = rows;
  for (const { field_name: name, desc } of sort.toReversed()) {
    const column = columns.find((one) => one.name === name);
    if (column === undefined) return 1254045;
    const keyOf = (row: Row): number | string => {
      const cell = row.cells.get(column.fieldId);
      return typeof cell === 'number' ? cell : cell === undefined ? '' : textOf(cell, people);
    };
    const sign = desc === true ? -1 : 1;
    sorted = sorted.toSorted((a, b) => {
      const [left, right] = [keyOf(a), keyOf(b)];
      return left === right ? 0 : left < right ? -sign : sign;
    });
  }
  return sorted;
}

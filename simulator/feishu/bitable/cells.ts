// Cells by field type: which values each type takes, and how a search reads them.
import { z } from 'zod';
import type { People } from '../tenant/people';

/** Feishu's numbers of the field types that this simulator has. */
export const FIELD_TYPES = {
  1: 'Text',
  2: 'Number',
  3: 'SingleSelect',
  4: 'MultiSelect',
  5: 'DateTime',
  7: 'Checkbox',
  11: 'User',
  13: 'Phone',
  15: 'Url',
  1001: 'CreatedTime',
  1002: 'ModifiedTime',
  1003: 'CreatedUser',
  1004: 'ModifiedUser',
  1005: 'AutoNumber',
} as const;
export type FieldType = keyof typeof FIELD_TYPES;

export const isFieldType = (type: number): type is FieldType => type in FIELD_TYPES;

/** A filled cell, in the shape in which its type is written. */
export type Cell =
  | string
  | number
  | true
  | readonly string[]
  | readonly { readonly id: string }[]
  | { readonly link: string; readonly text: string };

/** `empty` clears the cell. */
export type Conversion =
  | { readonly kind: 'cell'; readonly cell: Cell }
  | { readonly kind: 'empty' }
  | { readonly kind: 'refused'; readonly code: number };

const TEXT_LIMIT = 100_000;
const TOO_LARGE = 1254130;
const READ_ONLY = 1254015;

const text = z.string();
const number = z.number();
const milliseconds = z.int().min(0);
const options = z.array(z.string().min(1));
const persons = z.array(z.strictObject({ id: z.string() })).min(1);
const phone = z.string().regex(/^[+\d][\d-]*$/);
const url = z.strictObject({ link: z.string().min(1), text: z.string() });

const EMPTY: Conversion = { kind: 'empty' };
const refuse = (code: number): Conversion => ({ kind: 'refused', code });

function fill<T extends Cell>(schema: z.ZodType<T>, value: unknown, code: number): Conversion {
  const parsed = schema.safeParse(value);
  return parsed.success ? { kind: 'cell', cell: parsed.data } : refuse(code);
}

function convertText(value: unknown): Conversion {
  const parsed = text.safeParse(value);
  if (!parsed.success) return refuse(1254060);
  if (parsed.data === '') return EMPTY;
  return parsed.data.length > TEXT_LIMIT ? refuse(TOO_LARGE) : { kind: 'cell', cell: parsed.data };
}

function convertPersons(value: unknown, people: People): Conversion {
  const parsed = persons.safeParse(value);
  const known = parsed.success && parsed.data.every(({ id }) => people.find(id) !== null);
  return known ? { kind: 'cell', cell: parsed.data } : refuse(1254066);
}

function convertCheckbox(value: unknown): Conversion {
  if (value === true) return { kind: 'cell', cell: true };
  return value === false ? EMPTY : refuse(1254065);
}

/** Takes a written value for a cell of this type; null empties any cell that can be written. */
export function convert(type: FieldType, value: unknown, people: People): Conversion {
  if (type > 1000) return refuse(READ_ONLY);
  if (value === null) return EMPTY;
  switch (type) {
    case 1:
      return convertText(value);
    case 2:
      return fill(number, value, 1254061);
    case 3:
      return value === '' ? EMPTY : fill(text, value, 1254062);
    case 4:
      return Array.isArray(value) && value.length === 0 ? EMPTY : fill(options, value, 1254063);
    case 5:
      return fill(milliseconds, value, 1254064);
    case 7:
      return convertCheckbox(value);
    case 11:
      return convertPersons(value, people);
    case 13:
      return value === '' ? EMPTY : fill(phone, value, 1254072);
    case 15:
      return fill(url, value, 1254068);
    default:
      return refuse(READ_ONLY);
  }
}

/** A cell as a search reads it: a text comes in pieces, a person with the name. */
export function readCell(type: FieldType, cell: Cell, people: People): unknown {
  if (type === 1 && typeof cell === 'string') return [{ text: cell, type: 'text' }];
  if (type === 11 && Array.isArray(cell)) {
    const ids = persons.parse(cell);
    return ids.map(({ id }) => people.find(id) ?? { id });
  }
  return cell;
}

/** The plain text of a cell, as filters, events and the grid use it. */
export function textOf(cell: Cell, people: People): string {
  if (typeof cell === 'string') return cell;
  if (typeof cell === 'number' || cell === true) return String(cell);
  if ('link' in cell) return cell.text;
  return cell
    .map((one) => (typeof one === 'string' ? one : (people.find(one.id)?.name ?? one.id)))
    .join(', ');
}

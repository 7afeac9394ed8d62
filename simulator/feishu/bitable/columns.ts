// Columns of a table: how one is made, with its checks, and how Feishu shows it.
import { z } from 'zod';
import { createId } from '../http/identifiers';
import { FIELD_TYPES, isFieldType, type FieldType } from './cells';

export interface Option {
  readonly id: string;
  readonly name: string;
  readonly color: number;
}

export interface Column {
  readonly fieldId: string;
  readonly name: string;
  readonly type: FieldType;
  /** Of selects. */
  readonly options: readonly Option[];
  readonly property: Readonly<Record<string, unknown>> | null;
  readonly description: string | null;
  readonly createdMs: number;
}

export const COLUMN_LIMIT = 300;
const INDEX_TYPES: readonly number[] = [1, 2, 5, 13, 15, 20, 22];
const URL_TYPE = 15;
const NAME_LIMIT = 100;
const COLORS = 54;

const optionSchema = z.object({
  name: z.string().min(1),
  color: z.int().min(0).max(COLORS).optional(),
});
export const columnSpec = z.object({
  field_name: z.string(),
  type: z.int(),
  ui_type: z.string().optional(),
  property: z.record(z.string(), z.unknown()).nullish(),
  description: z.object({ text: z.string().optional() }).optional(),
});
export type ColumnSpec = z.output<typeof columnSpec>;

export type MadeColumn =
  | { readonly kind: 'column'; readonly column: Column }
  | { readonly kind: 'refused'; readonly code: number };

const refuse = (code: number): MadeColumn => ({ kind: 'refused', code });

/** Chooses the colours in turn where none is given. */
export function makeOption(name: string, color: number | undefined, at: number): Option {
  return { id: createId('opt', 10), name, color: color ?? at % (COLORS + 1) };
}

function optionsOf(spec: ColumnSpec): readonly Option[] | null {
  const parsed = z.array(optionSchema).safeParse(spec.property?.['options'] ?? []);
  if (!parsed.success) return null;
  return parsed.data.map(({ name, color }, at) => makeOption(name, color, at));
}

/** @param taken the names of the table's columns. */
export function makeColumn(spec: ColumnSpec, taken: readonly string[], nowMs: number): MadeColumn {
  const name = spec.field_name.trim();
  if (name === '' || name.length > NAME_LIMIT) return refuse(1254029);
  if (taken.includes(name)) return refuse(1254014);
  if (!isFieldType(spec.type)) return refuse(1254012);
  const { type } = spec;
  if (type === URL_TYPE && (spec.property ?? null) !== null) return refuse(1254087);
  const isSelect = type === 3 || type === 4;
  const options = isSelect ? optionsOf(spec) : [];
  if (options === null) return refuse(type === 3 ? 1254082 : 1254083);
  return {
    kind: 'column',
    column: {
      fieldId: createId('fld', 8),
      name,
      type,
      options,
      property: isSelect ? null : (spec.property ?? null),
      description: spec.description?.text ?? null,
      createdMs: nowMs,
    },
  };
}

export const canBeIndex = (type: number): boolean => INDEX_TYPES.includes(type);

/** A column as `GET …/fields` shows it. */
export function viewOfColumn(column: Column, isPrimary: boolean): Record<string, unknown> {
  const { fieldId, name, type, options, property, description } = column;
  const isSelect = type === 3 || type === 4;
  return {
    field_id: fieldId,
    field_name: name,
    type,
    ui_type: FIELD_TYPES[type],
    is_primary: isPrimary,
    property: isSelect ? { options } : property,
    ...(description === null ? {} : { description }),
  };
}

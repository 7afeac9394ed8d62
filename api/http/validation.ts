// Parses a part of a request with its schema, and reports every field that is not valid.
import type { z } from 'zod';
import { ApiError } from './problem';

/** A refusal names so many fields; it counts the rest. */
const MAX_ERRORS = 20;
/** The name of a field that a caller made up comes back to it at most this long. */
const MAX_NAME_CHARACTERS = 200;

/**
 * Parses a part of a request.
 * @throws ApiError 400 that names the fields that are not valid, at most {@link MAX_ERRORS}
 */
export function parse<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.flatMap((issue) => {
    const paths =
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => [...issue.path, key])
        : [issue.path];
    const message = issue.code === 'unrecognized_keys' ? 'is not a known field' : issue.message;
    return paths.map((path) => ({ field: fieldName(path), message }));
  });
  const shown = errors.slice(0, MAX_ERRORS);
  const fields = [...new Set(shown.map(({ field }) => field))].join(', ');
  const left = errors.length - shown.length;
  const more = left === 0 ? '' : ` and ${left} more`;
  const detail = `These fields are not valid: ${fields}${more}; correct them as errors says`;
  const extra = left === 0 ? {} : { errors_left: left };
  throw new ApiError('VALIDATION_ERROR', detail, { errors: shown, extra });
}

/** `items[0].sku` for `['items', 0, 'sku']`. */
function fieldName(path: readonly PropertyKey[]): string {
  const name = path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  return name === '' ? 'body' : name.replace(/^\./, '').slice(0, MAX_NAME_CHARACTERS);
}

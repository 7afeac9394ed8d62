// Parses a part of a request with its schema, and reports every field that is not valid.
import type { z } from 'zod';
import { ApiError } from './problem';

/**
 * Parses a part of a request.
 * @throws ApiError 400 that names every field that is not valid
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
  const fields = [...new Set(errors.map(({ field }) => field))].join(', ');
  const detail = `These fields are not valid: ${fields}; correct them as errors says`;
  throw new ApiError('VALIDATION_ERROR', detail, { errors });
}

/** `items[0].sku` for `['items', 0, 'sku']`. */
function fieldName(path: readonly PropertyKey[]): string {
  const name = path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  return name === '' ? 'body' : name.replace(/^\./, '');
}

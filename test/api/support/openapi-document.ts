// Reads the OpenAPI document and compares replies with it.
import { z } from 'zod';

const schema = z.record(z.string(), z.unknown());
const content = z.record(z.string(), z.strictObject({ schema }));
const operation = z.strictObject({
  operationId: z.string().regex(/^\w+$/),
  summary: z.string().min(1),
  description: z.string().optional(),
  security: z.array(z.record(z.string(), z.array(z.string()))).optional(),
  parameters: z
    .array(
      z.strictObject({
        name: z.string(),
        in: z.enum(['path', 'query', 'header']),
        required: z.boolean().optional(),
        description: z.string().optional(),
        schema,
      }),
    )
    .optional(),
  requestBody: z.strictObject({ required: z.boolean(), content }).optional(),
  responses: z
    .record(
      z.string().regex(/^([1-5]\d\d|[1-5]XX|default)$/),
      z.strictObject({
        description: z.string().min(1),
        headers: z.record(z.string(), z.strictObject({ schema })).optional(),
        content: content.optional(),
      }),
    )
    .refine((responses) => Object.keys(responses).length > 0),
});

/** The rules of OpenAPI 3.1 for the parts that the document uses. */
export const openApi = z.strictObject({
  openapi: z.string().regex(/^3\.1\.\d$/),
  info: z.strictObject({ title: z.string(), version: z.string(), description: z.string() }),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  paths: z.record(
    z.string().startsWith('/'),
    z.partialRecord(z.enum(['get', 'put', 'post', 'delete']), operation),
  ),
  webhooks: z.record(z.string(), z.strictObject({ post: operation })),
  components: z.strictObject({
    securitySchemes: z.record(z.string(), z.strictObject({ type: z.string(), scheme: z.string() })),
    schemas: z.record(z.string(), schema),
  }),
});

export type OpenApi = z.output<typeof openApi>;
type Operation = z.output<typeof operation>;

export interface DocumentedOperation extends Operation {
  readonly path: string;
  readonly method: string;
}

export const operationsOf = (document: OpenApi): DocumentedOperation[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, entry]) => ({ path, method, ...entry })),
  );

/** The operation for a path; a fixed segment takes precedence over a parameter. */
export function operationAt(
  document: OpenApi,
  method: string,
  address: string,
): DocumentedOperation | undefined {
  const path = address.replace(/\?.*$/, '');
  return operationsOf(document)
    .filter((entry) => entry.method === method.toLowerCase())
    .filter((entry) => new RegExp(`^${entry.path.replace(/\{\w+\}/g, '[^/]+')}$`).test(path))
    .sort((a, b) => a.path.split('{').length - b.path.split('{').length)[0];
}

/** The differences of a value from a schema of the document; an undocumented field is one. */
export function problemsWith(document: OpenApi, schemaOf: object | undefined, value: unknown) {
  const { schemas: $defs } = document.components;
  const whole = JSON.stringify({ ...schemaOf, $defs }, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && 'properties' in part
      ? { additionalProperties: false, ...part }
      : part,
  ).replaceAll('#/components/schemas/', '#/$defs/');
  return z.fromJSONSchema(JSON.parse(whole) as z.core.JSONSchema.JSONSchema).safeParse(value).error
    ?.issues;
}

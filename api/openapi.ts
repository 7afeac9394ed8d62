// Makes the OpenAPI 3.1 document from the operations and their schemas.
import { z } from 'zod';
import { ERRORS } from '../domain/error-catalogue';
import { OPERATIONS, type WhoDecides } from '../domain/proposals/who-decides';
import type { Operation } from './http/operations';
import { WEBHOOK_EVENTS } from './outbound/webhook-schemas';

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(ERRORS) as [keyof typeof ERRORS, ...(keyof typeof ERRORS)[]]),
    errors: z
      .array(z.object({ field: z.string(), message: z.string() }))
      .max(20)
      .optional(),
    errors_left: z.int().optional().describe('how many more fields are not valid'),
  })
  .describe('A problem document as RFC 9457 has it; decide on `code`');

const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'The request is not valid: `errors` names the fields',
  401: 'The API key is missing or unknown',
  403: 'The role of the API key does not allow this call',
  429: 'Too many requests of this caller are under way: send it again after `Retry-After` seconds',
  503: 'Temporarily unavailable: send the same request again',
};

/** Schemas with a name stand in the document once, in its components. */
const toSchema = (schema: z.ZodType, io: 'input' | 'output') => {
  const whole = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  const { $schema: _draft, $defs: _named, ...rest } = whole;
  return JSON.parse(JSON.stringify(rest).replaceAll('#/$defs/', '#/components/schemas/')) as object;
};

const anyJson = {
  anyOf: [
    { type: ['string', 'number', 'boolean', 'null'] },
    { type: 'array', items: { $ref: '#/components/schemas/Json' } },
    { type: 'object', additionalProperties: { $ref: '#/components/schemas/Json' } },
  ],
};

/**
 * Makes the OpenAPI 3.1 document. The schemas in it are those that check the requests, so the
 * document can't differ from the checks.
 */
export function createOpenApi(operations: readonly Operation[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const operation of operations) {
    const path = operation.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [operation.method]: describe(operation) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Oncepay',
      version: '0.3.0',
      description:
        'Every order is paid once and fulfilled once. Amounts are integers in 分, times have the ' +
        'format of RFC 3339.',
    },
    security: [{ apiKey: [] }],
    paths: { ...paths, ...callbackPath() },
    webhooks: webhooks(),
    components: {
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer' } },
      schemas: { Problem: toSchema(problem, 'output'), Json: anyJson },
    },
  };
}

/** The entry of an operation. */
function describe(operation: Operation): object {
  const { body, params, query, headers = [] } = operation;
  const inPath = params
    ? propertiesOf(params).map(([name, schema]) => ({ name, in: 'path', required: true, schema }))
    : [];
  const inQuery = query
    ? propertiesOf(query).map(([name, schema]) => ({ name, in: 'query', schema }))
    : [];
  const inHeader = headers.map(({ name, description }) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  }));
  return {
    operationId: operation.id,
    summary: operation.summary,
    description: descriptionOf(operation),
    parameters: [...inPath, ...inHeader, ...inQuery],
    ...(body && {
      requestBody: {
        required: operation.bodyOptional !== true,
        content: { 'application/json': { schema: toSchema(body, 'input') } },
      },
    }),
    responses: responses(operation),
  };
}

const PERSONS: Readonly<Record<WhoDecides, string>> = {
  'one person': '',
  'two persons': 'Two persons have to agree above the limits, or where it lets more money move.',
  'two persons, machines bound':
    'Two persons have to agree above the limits; the role merchant has bounds of its own.',
};

function descriptionOf({ id, roles }: Operation): string {
  const persons = PERSONS[OPERATIONS[id] ?? 'one person'];
  return [`Roles: ${roles.join(', ')}`, persons].filter((text) => text !== '').join('. ');
}

function propertiesOf(schema: z.ZodType): [string, object][] {
  const { properties = {} } = toSchema(schema, 'input') as { properties?: Record<string, object> };
  return Object.entries(properties);
}

/** The successes and refusals of an operation, and the refusals that all operations have. */
function responses(operation: Operation): object {
  const good = Object.entries(operation.replies).map(([status, description]) => [
    status,
    Number(status) < 300
      ? { description, ...contentOf(operation, Number(status)) }
      : { description, content: problemContent() },
  ]);
  const bad = Object.entries(PROBLEMS).map(([status, description]) => [
    status,
    { description, ...headersOf(Number(status)), content: problemContent() },
  ]);
  return Object.fromEntries([...bad, ...good]) as object;
}

const headersOf = (status: number) =>
  status === 429 ? { headers: { 'Retry-After': { schema: { type: 'integer' } } } } : {};

function contentOf({ reply, csv }: Operation, status: number): object | undefined {
  if (reply === undefined || status === 204) return undefined;
  const table = csv === true ? { 'text/csv': { schema: { type: 'string' } } } : {};
  return { content: { 'application/json': { schema: toSchema(reply, 'output') }, ...table } };
}

const problemContent = () => ({
  'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
});

/** The entry of the callback route, which is not an operation: WeChat Pay calls it. */
function callbackPath(): object {
  const failed = {
    description: 'Not accepted: WeChat Pay sends the notification again',
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: { code: { const: 'FAIL' }, message: { type: 'string' } },
        },
      },
    },
  };
  return {
    '/callbacks/wechat': {
      post: {
        operationId: 'wechatCallback',
        summary: 'Receives the notifications of WeChat Pay: payments, refunds, profit sharing',
        security: [],
        responses: {
          204: { description: 'Accepted: the notification is stored' },
          400: failed,
          401: failed,
          413: failed,
          503: failed,
        },
      },
    },
  };
}

const WEBHOOK_HEADERS = {
  'webhook-id':
    'one id per event, the same at every attempt: ignore an event that you already have',
  'webhook-timestamp': 'the time of this attempt, in seconds since 1970',
  'webhook-signature': 'v1,<base64>: HMAC-SHA256 over `<id>.<timestamp>.<body>`',
};

/**
 * The webhooks that Oncepay sends to the shop. A receiver must ignore fields that it does not know.
 */
function webhooks(): object {
  const parameters = Object.entries(WEBHOOK_HEADERS).map(([name, description]) => ({
    name,
    in: 'header',
    required: true,
    description,
    schema: { type: 'string' },
  }));
  const described = Object.entries(WEBHOOK_EVENTS).map(([event, { summary, payload }]) => [
    event,
    {
      post: {
        operationId: event.replace(/[._](\w)/g, (_, letter: string) => letter.toUpperCase()),
        summary,
        description:
          'Oncepay sends it to ONCEPAY_WEBHOOK_URL, signed as https://www.standardwebhooks.com ' +
          'describes, at least once and in any order',
        security: [],
        parameters,
        requestBody: {
          required: true,
          content: { 'application/json': { schema: toSchema(payload, 'input') } },
        },
        responses: {
          '2XX': { description: 'The shop has accepted the event' },
          default: {
            description: 'Any other status, or none within 10 s: Oncepay sends the event again',
          },
        },
      },
    },
  ]);
  return Object.fromEntries(described) as object;
}

import { z } from 'zod';
import { ERRORS } from '../domain/error-catalogue';
import type { Operation } from './http/operations';
import { WEBHOOK_EVENTS } from './outbound/webhook-schemas';

const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(ERRORS) as [keyof typeof ERRORS, ...(keyof typeof ERRORS)[]]),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .describe('RFC 9457');

const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'Not valid; `errors` names the fields',
  401: 'No or an unknown API key',
  403: 'The role may not do that',
  503: 'Not now',
};

/** What a schema refers to by name stands in the document once, in its components. */
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

/** The OpenAPI 3.1 document, from the operations and the schemas that check the input. */
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
      description: 'Every order paid once, fulfilled once. Money in 分, times as RFC 3339.',
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

function describe(operation: Operation): object {
  const { body, query, headers = [] } = operation;
  const inPath = [...operation.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const inHeader = headers.map(({ name, description }) => ({
    name,
    in: 'header',
    description,
    schema: { type: 'string' },
  }));
  return {
    operationId: operation.id,
    summary: operation.summary,
    description: `Roles: ${operation.roles.join(', ')}`,
    parameters: [...inPath, ...inHeader, ...(query ? queryParameters(query) : [])],
    ...(body && {
      requestBody: {
        required: operation.bodyOptional !== true,
        content: { 'application/json': { schema: toSchema(body, 'input') } },
      },
    }),
    responses: responses(operation),
  };
}

function queryParameters(query: z.ZodType): object[] {
  const { properties = {} } = toSchema(query, 'input') as { properties?: Record<string, object> };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }));
}

function responses(operation: Operation): object {
  const good = Object.entries(operation.replies).map(([status, description]) => [
    status,
    Number(status) < 300
      ? {
          description,
          content: { 'application/json': { schema: toSchema(operation.reply, 'output') } },
        }
      : { description, content: problemContent() },
  ]);
  const bad = Object.entries(PROBLEMS).map(([status, description]) => [
    status,
    { description, content: problemContent() },
  ]);
  return Object.fromEntries([...bad, ...good]) as object;
}

const problemContent = () => ({
  'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
});

function callbackPath(): object {
  const failed = {
    description: 'Not accepted: WeChat sends it again',
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
        summary: "WeChat Pay's notifications: payments, refunds, profit sharing",
        security: [],
        responses: {
          204: { description: 'Stored' },
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
  'webhook-id': 'one per event, the same at every attempt: drop what you have seen',
  'webhook-timestamp': 'of this attempt, in seconds since 1970',
  'webhook-signature': 'v1,<base64>: HMAC-SHA256 over `<id>.<timestamp>.<body>`',
};

/** What Oncepay sends to the shop. A receiver lets through fields that it doesn't know. */
function webhooks(): object {
  const parameters = Object.entries(WEBHOOK_HEADERS).map(([name, description]) => ({
    name,
    in: 'header',
    required: true,
    description,
    schema: { type: 'string' },
  }));
  const told = Object.entries(WEBHOOK_EVENTS).map(([event, { summary, payload }]) => [
    event,
    {
      post: {
        operationId: event.replace(/[._](\w)/g, (_, letter: string) => letter.toUpperCase()),
        summary,
        description:
          'Sent to ONCEPAY_WEBHOOK_URL, signed as https://www.standardwebhooks.com says. ' +
          'At least once, in any order',
        security: [],
        parameters,
        requestBody: {
          required: true,
          content: { 'application/json': { schema: toSchema(payload, 'input') } },
        },
        responses: {
          '2XX': { description: 'Taken' },
          default: { description: 'Anything else, or nothing within 10 s: it is sent again' },
        },
      },
    },
  ]);
  return Object.fromEntries(told) as object;
}

// Puts the HTTP side of the api together: routes, checks and error handling.
import express, { type Express, type Request, type Response } from 'express';
import type { Logger } from '../config/logger';
import { isRowHeld, isUnavailable } from '../database/core/classify-errors';
import {
  UnreadableValueError,
  type UnreadableValues,
} from '../database/encryption/unreadable-value';
import { CALLBACK_PATH } from './admission/admission';
import { awaitBody, holdPlace } from './admission/places';
import type { createAuthentication } from './http/auth';
import { requireRole } from './http/auth';
import { readJsonBody } from './body/json-body';
import { ApiError, sendProblem } from './http/problem';
import type { Metrics } from './health/metrics';
import { sharedNext } from './health/readings';
import { createOpenApi } from './openapi';
import type { Operation, Reply } from './http/operations';
import type { createCallbackHandler } from './callbacks/callback-handler';

export interface AppDeps {
  /** Null in a process without the role api. */
  readonly operations: readonly Operation[] | null;
  readonly authenticate: ReturnType<typeof createAuthentication>;
  /** Null in a process without the role callbacks. */
  readonly callback: ReturnType<typeof createCallbackHandler> | null;
  /** The checks of `/readyz`; ready means that callbacks can be accepted. */
  readonly readiness: () => Promise<{ readonly ready: boolean; readonly checks: object }>;
  readonly metrics: Metrics;
  /** Takes notice of a value that no encryption key decrypts. */
  readonly unreadable: Pick<UnreadableValues, 'report'>;
  readonly logger: Logger;
}

const HEALTH = ['/healthz', '/readyz', '/metrics'];
const OPENAPI = '/openapi.json';
/** Scrapes of the metrics take milliseconds: so many of them begin in a second at most. */
const SCRAPE_GAP_MS = 100;

/**
 * Makes the Express app. No body parser runs before the callback handler, because that one needs
 * the raw bytes.
 */
export function createApp(deps: AppDeps): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', 'simple');
  // Each route has one spelling, so that a proxy's rule for a path can't be passed by another.
  app.enable('case sensitive routing');
  app.enable('strict routing');
  if (deps.callback) app.all(CALLBACK_PATH, deps.callback);
  registerHealth(app, deps);
  if (deps.operations) registerOperations(app, deps, deps.operations);
  app.use(() => {
    throw new ApiError('NOT_FOUND', 'This path does not exist; GET /openapi.json lists all paths');
  });
  app.use((error: unknown, request: Request, response: Response, _next: unknown) => {
    replyWithError(deps, error, request, response);
  });
  return app;
}

/** Registers the routes that each process has. Their replies are shared. */
function registerHealth(app: Express, { readiness, metrics: { registry } }: AppDeps): void {
  const scrape = sharedNext(SCRAPE_GAP_MS, () => registry.metrics());
  app.get('/healthz', (_request, response) =>
    send(response, { status: 200, body: { status: 'ok' } }),
  );
  app.get('/readyz', async (_request, response) => {
    const { ready, checks } = await readiness();
    send(response, {
      status: ready ? 200 : 503,
      body: { status: ready ? 'ok' : 'not ready', checks },
    });
  });
  app.get('/metrics', async (_request, response) => {
    const text = await scrape();
    response.setHeader('content-type', registry.contentType);
    response.end(text);
  });
  refuseOtherMethods(app, new Map(HEALTH.map((path) => [path, ['GET']])));
}

/** Registers the operations and the document about them. */
function registerOperations(app: Express, deps: AppDeps, operations: readonly Operation[]): void {
  const document = createOpenApi(operations);
  app.get(OPENAPI, (_request, response) => send(response, { status: 200, body: document }));
  const methods = new Map([[OPENAPI, ['GET']]]);
  for (const operation of operations) {
    register(app, deps, operation);
    const { path, method } = operation;
    methods.set(path, [...(methods.get(path) ?? []), method.toUpperCase()]);
  }
  refuseOtherMethods(app, methods);
}

/** Refuses other methods of a path that exists: 405 with `Allow` (RFC 9110, 15.5.6). */
function refuseOtherMethods(app: Express, methods: ReadonlyMap<string, readonly string[]>): void {
  for (const [path, offered] of methods) {
    const allow = offered
      .flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
      .join(', ');
    app.all(path, (request) => {
      const detail = `This path does not allow ${request.method}; it allows ${allow}`;
      throw new ApiError('METHOD_NOT_ALLOWED', detail, { headers: { allow } });
    });
  }
}

/** Registers the route of an operation. */
function register(app: Express, deps: AppDeps, operation: Operation): void {
  const count = (status: number) =>
    deps.metrics.requests.inc({ operation: operation.id, status: String(status) });
  const handle = async (request: Request, response: Response) => {
    response.on('finish', () => count(response.statusCode));
    const caller = deps.authenticate(request);
    requireRole(caller, operation.roles);
    const reply = await operation.handle({
      caller,
      params: request.params,
      query: request.query,
      readBody: () => awaitBody(bodyOf(request, operation)),
      header: (name) => request.get(name),
    });
    send(response, reply);
  };
  app[operation.method](operation.path, (request, response) =>
    holdPlace(() => handle(request, response)),
  );
}

/** Reads the body. A call that may leave out the body may leave out its content type too. */
function bodyOf(request: Request, operation: Operation): Promise<unknown> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  const empty = encoding === undefined && (length === undefined || length === '0');
  return operation.bodyOptional === true && empty ? Promise.resolve({}) : readJsonBody(request);
}

function send(response: Response, { status, body, csv }: Reply): void {
  if (status === 204) {
    response.writeHead(status, { 'cache-control': 'no-store' }).end();
    return;
  }
  const text = csv ?? JSON.stringify(body);
  const type = csv === undefined ? 'application/json' : 'text/csv';
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

/** Replies with a problem document; an unexpected error is logged and not shown to the caller. */
function replyWithError(deps: AppDeps, error: unknown, request: Request, response: Response): void {
  // The rest of the request is read and dropped, so that the reply reaches the caller.
  request.resume();
  if (response.headersSent) {
    response.destroy();
    return;
  }
  sendProblem(response, toApiError(deps, error, request));
}

/** The problem that the caller gets for an error. */
function toApiError(deps: AppDeps, error: unknown, request: Request): ApiError {
  if (error instanceof ApiError) return error;
  if (
    error instanceof URIError ||
    (error instanceof Error && 'status' in error && error.status === 400)
  ) {
    return new ApiError(
      'VALIDATION_ERROR',
      'The path or query of the request is not well-formed; check its percent-encoding',
    );
  }
  if (error instanceof UnreadableValueError) {
    deps.unreadable.report(error);
    return new ApiError(
      'TEMPORARY_FAILURE',
      'Oncepay lacks the key of a stored value that this request needs, and nothing was done; an ' +
        'intervention names the key. Send the same request again once the operator has added it',
    );
  }
  if (isRowHeld(error)) {
    deps.logger.warn({ err: error, method: request.method }, 'api.row_held');
    return new ApiError(
      'TEMPORARY_FAILURE',
      'Another change of the same order or product takes too long; send the same request again',
    );
  }
  if (isUnavailable(error)) {
    deps.logger.warn({ err: error, method: request.method }, 'api.database_away');
    return new ApiError(
      'TEMPORARY_FAILURE',
      'The database is not reachable at the moment; send the same request again',
    );
  }
  deps.logger.error({ err: error, method: request.method, path: request.path }, 'api.failed');
  return new ApiError(
    'INTERNAL_ERROR',
    "Oncepay failed unexpectedly; the operator finds the cause in the api's log",
  );
}

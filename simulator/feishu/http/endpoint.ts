// Runs one call of Feishu's API: plays faults, passes the gate, does the work, records and replies.
import type { Request, Response } from 'express';
import type { Clock } from '../time/clock';
import type { Fault, Faults } from './faults';
import { refuse, refuseForRate, type Reply } from './reply';
import type { Operation, RequestRecords } from './records';
import type { RateLimit, RateWindow } from './rate-window';

/** One call, read from the request. */
export interface Call {
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly authorization: string | undefined;
  /** The parsed JSON; undefined when there is none or it is not JSON. */
  readonly body: unknown;
  /** The length of the body in bytes. */
  readonly bytes: number;
}

export interface Endpoint {
  readonly operation: Operation;
  /** Refuses before any work, and before an `error` fault: token, scope, quota. */
  readonly gate: (call: Call) => Reply | null;
  /** Feishu counts each API of an app by itself. */
  readonly limits: readonly RateLimit[];
  readonly work: (call: Call) => Reply | Promise<Reply>;
  /** True: the body holds a secret and is not recorded. */
  readonly isSecret?: boolean;
}

export interface EndpointDeps {
  readonly clock: Clock;
  readonly faults: Faults;
  readonly records: RequestRecords;
  readonly rates: RateWindow;
}

/** Feishu names each reply by it; the routes set it. */
export const LOG_ID = 'X-Tt-Logid';

const PROXY_PAGE = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>';
const NO_BODY = Buffer.alloc(0);

function parseJson(bytes: Buffer): unknown {
  try {
    const parsed: unknown = JSON.parse(bytes.toString('utf8'));
    return parsed;
  } catch {
    return undefined;
  }
}

const textsOf = (values: object): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => {
      return typeof entry[1] === 'string';
    }),
  );

function readCall(req: Request): Call {
  const sent: unknown = req.body;
  const bytes = Buffer.isBuffer(sent) ? sent : NO_BODY;
  return {
    params: textsOf(req.params),
    query: textsOf(req.query),
    authorization: req.get('Authorization'),
    body: bytes.length === 0 ? undefined : parseJson(bytes),
    bytes: bytes.length,
  };
}

/** A body must be JSON and say so. */
function checkBody(req: Request, call: Call): Reply | null {
  if (req.method === 'GET' || call.bytes === 0) return null;
  if (req.is('application/json') !== 'application/json') {
    return refuse(9499, { detail: 'Content-Type must be application/json; charset=utf-8' });
  }
  return call.body === undefined ? refuse(1254000) : null;
}

function send(res: Response, reply: Reply, logId: string): void {
  const error = reply.code === 0 ? {} : { error: { log_id: logId } };
  res.status(reply.status).set({ ...reply.headers });
  res.set('Content-Type', 'application/json; charset=utf-8');
  res.end(JSON.stringify({ ...reply.body, ...error }));
}

function errorFault({ code = 1254290, status, resetSeconds = 1 }: Fault): Reply {
  return code === 99991400 ? refuseForRate(resetSeconds, status) : refuse(code, { status });
}

/** Handles one call of Feishu's API. */
export function handler(deps: EndpointDeps, endpoint: Endpoint) {
  const { operation } = endpoint;
  const pass = (req: Request, call: Call): Reply | null => {
    const refusal = endpoint.gate(call);
    if (refusal !== null) return refusal;
    const waitMs = deps.rates.count(operation, endpoint.limits);
    return waitMs > 0 ? refuseForRate(Math.ceil(waitMs / 1000)) : checkBody(req, call);
  };
  return async (req: Request, res: Response): Promise<void> => {
    const call = readCall(req);
    const atMs = deps.clock.now();
    const logId = res.get(LOG_ID) ?? '';
    const tableId = call.params['table'] ?? null;
    const fault = deps.faults.take(operation, tableId);
    const record = (status: number | null, code: number | null): void => {
      const { method, originalUrl: path } = req;
      const body = endpoint.isSecret === true ? null : (call.body ?? null);
      const kind = fault?.kind ?? null;
      const reply = { status, code, logId, fault: kind };
      deps.records.add({ atMs, operation, method, path, tableId, body, ...reply });
    };
    if (fault?.delayMs !== undefined) await deps.clock.wait(fault.delayMs);
    if (fault?.kind === 'hang' || fault?.kind === 'cut') {
      record(null, null);
      if (fault.kind === 'cut') res.destroy();
      return;
    }
    if (fault?.kind === 'http') {
      record(fault.status ?? 502, null);
      res
        .status(fault.status ?? 502)
        .type('text/html')
        .end(PROXY_PAGE);
      return;
    }
    const refusal = pass(req, call) ?? (fault?.kind === 'error' ? errorFault(fault) : null);
    const reply = refusal ?? (await endpoint.work(call));
    if (fault?.kind === 'hang_after' || fault?.kind === 'cut_after') {
      record(null, null);
      if (fault.kind === 'cut_after') res.destroy();
      return;
    }
    record(reply.status, fault?.kind === 'odd' ? null : reply.code);
    if (fault?.kind === 'odd') res.status(200).type('application/json').end('{"code":0,"da');
    else send(res, reply, logId);
  };
}

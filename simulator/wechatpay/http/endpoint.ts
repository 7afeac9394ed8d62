// Runs one call of WeChat's API: verifies, plays faults, does the work, records and signs the
// reply.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { refuse, type Reply, type SentFile } from './reply';
import { sha256 } from '../keys/crypto';
import type { Fault, Faults } from './faults';
import { oddReply } from './odd-replies';
import type { Merchant } from '../keys/merchants';
import type { createRequestRecords, Operation, Subject } from './records';
import { checkHeaders, type SignedRequest, type Verification } from './request-verification';
import { createRequestId, forge, signatureHeaders } from './response-signing';
import type { Timers } from '../time/timers';

export interface EndpointDeps {
  readonly verify: (request: SignedRequest) => Verification;
  readonly faults: Faults;
  readonly requests: ReturnType<typeof createRequestRecords>;
  readonly timers: Timers;
  readonly requirePlatformSerial: boolean;
  readonly now: () => number;
}

export interface Call {
  readonly merchant: Merchant;
  readonly req: Request;
  /** The parsed JSON body; undefined when there is none or it is not JSON. */
  readonly body: unknown;
}

/** One call of WeChat's API: the subject of the call, and its work. */
export interface Endpoint {
  readonly operation: Operation;
  /** For faults and records. */
  readonly subject: (req: Request, body: unknown) => Subject;
  readonly work: (call: Call) => Reply;
  /** Runs before the work, and before an `error` fault: WeChat counts the request here. */
  readonly limit?: (merchant: Merchant, reply: () => Reply) => Reply;
  /** The content that WeChat reads from the body, where it differs from the body itself. */
  readonly content?: (call: Call) => unknown;
}

const numberInPath = z.looseObject({ no: z.string() });
const NO_BODY = Buffer.alloc(0);
const PROXY_PAGE = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>';

function parseJson(rawBody: Buffer): unknown {
  try {
    const parsed: unknown = JSON.parse(rawBody.toString('utf8'));
    return parsed;
  } catch {
    return undefined;
  }
}

/** `:no` of the path, decoded. */
export function pathNumber(req: Request): string {
  const parsed = numberInPath.safeParse(req.params);
  return parsed.success ? parsed.data.no : '';
}

function send(
  res: Response,
  reply: Reply,
  by: {
    readonly signing: 'signed' | 'unsigned' | 'forged';
    /** Null for a caller that WeChat does not know. */
    readonly merchant: Merchant | null;
    readonly nowMs: number;
  },
): void {
  const { signing, merchant, nowMs } = by;
  if (reply.file !== undefined) {
    sendFile(res, reply.file);
    return;
  }
  const body = reply.body === null ? '' : JSON.stringify(reply.body);
  res.status(reply.status);
  if (body !== '') res.set('Content-Type', 'application/json; charset=utf-8');
  if (merchant !== null && signing !== 'unsigned') {
    const headers = signatureHeaders(merchant.nextSigningKey(), body, nowMs);
    res.set({ ...headers });
    if (signing === 'forged') {
      res.set('Wechatpay-Signature', forge(headers['Wechatpay-Signature']));
    }
  }
  res.end(body);
}

function sendFile(res: Response, { bytes, type, isCut }: SentFile): void {
  res.status(200).set({ 'Content-Type': type, 'Content-Length': String(bytes.length) });
  if (isCut === true) {
    res.write(bytes.subarray(0, Math.floor(bytes.length / 2)), () => res.destroy());
  } else {
    res.end(bytes);
  }
}

function signingFor(fault: Fault | null): 'signed' | 'unsigned' | 'forged' {
  if (fault?.kind === 'forged') return 'forged';
  return fault?.kind === 'unsigned' || fault?.signed === false ? 'unsigned' : 'signed';
}

/** The reply, or null when the request gets no response. */
function playFault(
  fault: Fault | null,
  res: Response,
  work: () => Reply,
  limit: (reply: () => Reply) => Reply,
): Reply | null {
  switch (fault?.kind) {
    case 'cut':
      res.destroy();
      return null;
    case 'timeout':
      return null;
    case 'cut_after':
      work();
      res.destroy();
      return null;
    case 'timeout_after':
      work();
      return null;
    case 'error':
      return limit(() =>
        refuse(
          fault.status ?? 500,
          fault.code ?? 'SYSTEM_ERROR',
          fault.message ?? '系统异常，请用相同参数重新调用',
        ),
      );
    case 'odd':
      return oddReply(work(), fault);
    case 'html':
    case 'unsigned':
    case 'forged':
    case 'delay':
    case undefined:
      return work();
  }
}

/**
 * Verifies the request, plays the fault that waits for it, does the work, records and replies
 * signed.
 */
export function handler(deps: EndpointDeps, endpoint: Endpoint) {
  return async (req: Request, res: Response): Promise<void> => {
    const sent: unknown = req.body;
    const rawBody = Buffer.isBuffer(sent) ? sent : NO_BODY;
    const { method, originalUrl: target, headers } = req;
    const request: SignedRequest = { method, target, headers, rawBody };
    const body = rawBody.length === 0 ? undefined : parseJson(rawBody);
    res.set('Request-ID', createRequestId());
    const subject = endpoint.subject(req, body);
    const verified = deps.verify(request);
    const content =
      verified.kind === 'refused'
        ? undefined
        : (endpoint.content?.({ merchant: verified.merchant, req, body }) ?? body);
    const record = (status: number | null, fault: Fault | null): void =>
      deps.requests.record({
        at: new Date(deps.now()).toISOString(),
        operation: endpoint.operation,
        ...subject,
        status,
        requestId: status === null ? null : (res.get('Request-ID') ?? null),
        bodySha256: rawBody.length === 0 ? null : sha256(rawBody),
        contentSha256: content === undefined ? null : sha256(Buffer.from(JSON.stringify(content))),
        fault: fault?.kind ?? null,
      });
    if (verified.kind === 'refused') {
      record(verified.reply.status, null);
      send(res, verified.reply, { signing: 'unsigned', merchant: null, nowMs: deps.now() });
      return;
    }
    const { merchant } = verified;
    const fault = deps.faults.take(endpoint.operation, subject);
    if (fault?.delayMs !== undefined) await deps.timers.wait(fault.delayMs);
    if (fault?.kind === 'html') {
      res.removeHeader('Request-ID');
      record(fault.status ?? 502, fault);
      res.status(fault.status ?? 502).set('Content-Type', 'text/html');
      res.end(PROXY_PAGE);
      return;
    }
    const limit = (replied: () => Reply): Reply => endpoint.limit?.(merchant, replied) ?? replied();
    const work = (): Reply =>
      limit(
        () =>
          checkHeaders(request, merchant, deps.requirePlatformSerial) ??
          endpoint.work({ merchant, req, body }),
      );
    const reply = playFault(fault, res, work, limit);
    record(reply?.status ?? null, fault);
    if (reply === null) return;
    send(res, reply, { signing: signingFor(fault), merchant, nowMs: deps.now() });
  };
}

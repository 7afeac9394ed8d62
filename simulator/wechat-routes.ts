import express, { type Request, type Response, type Router } from 'express';
import { z } from 'zod';
import type { PrepayApi } from '../domain/channels';
import { paramError, refuse, type Answer } from './answer';
import { beijingTime } from './beijing-time';
import { encryptResource, sha256 } from './crypto';
import type { Fault, Faults } from './faults';
import type { Merchant } from './merchants';
import { paramErrorOf, parsePrepay } from './prepay-schemas';
import type { createRequestRecords, Operation } from './records';
import { checkHeaders, type SignedRequest, type Verification } from './request-verification';
import { createRequestId, forge, signatureHeaders } from './response-signing';
import type { Timers } from './timers';
import { transactionBody } from './transaction-body';
import type { Transactions } from './transactions';

const BODY_LIMIT = '64kb';
const NO_BODY = Buffer.alloc(0);
const PROXY_PAGE = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>';

export interface WechatRoutesDeps {
  readonly verify: (request: SignedRequest) => Verification;
  readonly transactions: Transactions;
  readonly faults: Faults;
  readonly requests: ReturnType<typeof createRequestRecords>;
  readonly timers: Timers;
  readonly requirePlatformSerial: boolean;
  readonly now: () => number;
}

interface Call {
  readonly merchant: Merchant;
  readonly req: Request;
  /** The parsed JSON body; undefined when there is none or it is no JSON. */
  readonly body: unknown;
}

interface Endpoint {
  readonly operation: Operation;
  /** The order the request is about, for faults and records. */
  readonly subject: (req: Request, body: unknown) => string | null;
  readonly work: (call: Call) => Answer;
}

const numberInBody = z.looseObject({ out_trade_no: z.string() });
const numberInPath = z.looseObject({ no: z.string() });
const closeBody = z.strictObject({ mchid: z.string().min(1).max(32) });

function parseJson(rawBody: Buffer): unknown {
  try {
    const parsed: unknown = JSON.parse(rawBody.toString('utf8'));
    return parsed;
  } catch {
    return undefined;
  }
}

function pathNumber(req: Request): string {
  const parsed = numberInPath.safeParse(req.params);
  return parsed.success ? parsed.data.no : '';
}

/** Null when the query names the merchant that signed. */
function checkMchid(req: Request, merchant: Merchant): Answer | null {
  if (req.query['mchid'] === merchant.merchantId) return null;
  return paramError('输入源“/query/mchid”不符合规则', {
    field: '/query/mchid',
    issue: 'must be the mchid that signed the request',
    location: 'query',
  });
}

function prepayEndpoint(api: PrepayApi, transactions: Transactions): Endpoint {
  return {
    operation: 'prepay',
    subject: (_req, body) => {
      const parsed = numberInBody.safeParse(body);
      return parsed.success ? parsed.data.out_trade_no : null;
    },
    work: ({ merchant, body }) => {
      const parsed = parsePrepay(api, body);
      return parsed.kind === 'refused'
        ? parsed.answer
        : transactions.prepay(merchant, api, parsed.body);
    },
  };
}

function queryByNumber(transactions: Transactions): Endpoint {
  return {
    operation: 'query',
    subject: pathNumber,
    work: ({ merchant, req }) => {
      const refusal = checkMchid(req, merchant);
      if (refusal !== null) return refusal;
      const order = transactions.find(merchant.merchantId, pathNumber(req));
      if (order === null) return refuse(404, 'ORDER_NOT_EXIST', '订单不存在');
      return { status: 200, body: transactionBody(order, order.payments[0] ?? null) };
    },
  };
}

function queryByTransaction(transactions: Transactions): Endpoint {
  return {
    operation: 'query',
    subject: (req) => transactions.findByTransaction(pathNumber(req))?.order.outTradeNo ?? null,
    work: ({ merchant, req }) => {
      const refusal = checkMchid(req, merchant);
      if (refusal !== null) return refusal;
      const found = transactions.findByTransaction(pathNumber(req));
      if (found?.order.merchantId !== merchant.merchantId) {
        return refuse(404, 'ORDER_NOT_EXIST', '订单不存在');
      }
      return { status: 200, body: transactionBody(found.order, found.payment) };
    },
  };
}

function closeEndpoint(transactions: Transactions): Endpoint {
  return {
    operation: 'close',
    subject: pathNumber,
    work: ({ merchant, req, body }) => {
      const parsed = closeBody.safeParse(body);
      if (!parsed.success) return paramErrorOf(parsed.error);
      if (parsed.data.mchid !== merchant.merchantId) {
        return paramError('商户号与签名的商户号不一致', {
          field: '/mchid',
          value: parsed.data.mchid,
          issue: 'not the mchid that signed',
          location: 'body',
        });
      }
      return transactions.close(merchant.merchantId, pathNumber(req));
    },
  };
}

const certificatesEndpoint: Endpoint = {
  operation: 'certificates',
  subject: () => null,
  work: ({ merchant }) => {
    const certificates = merchant.certificates();
    if (certificates.length === 0) {
      return refuse(404, 'RESOURCE_NOT_EXISTS', '无可用的平台证书，请使用微信支付公钥');
    }
    const data = certificates.map((certificate) => ({
      serial_no: certificate.serial,
      effective_time: beijingTime(certificate.notBeforeMs),
      expire_time: beijingTime(certificate.notAfterMs),
      encrypt_certificate: encryptResource(merchant.apiV3Key, certificate.pem, 'certificate'),
    }));
    return { status: 200, body: { data } };
  },
};

const unknownEndpoint: Endpoint = {
  operation: 'unknown',
  subject: () => null,
  work: () => refuse(404, 'RESOURCE_NOT_EXISTS', '请求的资源不存在'),
};

function send(
  res: Response,
  answer: Answer,
  signing: 'signed' | 'unsigned' | 'forged',
  merchant: Merchant | null,
  nowMs: number,
): void {
  const body = answer.body === null ? '' : JSON.stringify(answer.body);
  res.status(answer.status).set('Request-ID', createRequestId());
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

function signingFor(fault: Fault | null): 'signed' | 'unsigned' | 'forged' {
  if (fault?.kind === 'forged') return 'forged';
  return fault?.kind === 'unsigned' || fault?.signed === false ? 'unsigned' : 'signed';
}

/** What is answered, or null when the request is left without an answer. */
function playFault(fault: Fault | null, res: Response, work: () => Answer): Answer | null {
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
      return refuse(
        fault.status ?? 500,
        fault.code ?? 'SYSTEM_ERROR',
        fault.message ?? '系统异常，请用相同参数重新调用',
      );
    case 'html':
    case 'unsigned':
    case 'forged':
    case 'delay':
    case undefined:
      return work();
  }
}

function handler(deps: WechatRoutesDeps, endpoint: Endpoint) {
  return async (req: Request, res: Response): Promise<void> => {
    const sent: unknown = req.body;
    const rawBody = Buffer.isBuffer(sent) ? sent : NO_BODY;
    const { method, originalUrl: target, headers } = req;
    const request: SignedRequest = { method, target, headers, rawBody };
    const body = rawBody.length === 0 ? undefined : parseJson(rawBody);
    const outTradeNo = endpoint.subject(req, body);
    const record = (status: number | null, fault: Fault | null): void =>
      deps.requests.record({
        at: new Date(deps.now()).toISOString(),
        operation: endpoint.operation,
        outTradeNo,
        status,
        bodySha256: rawBody.length === 0 ? null : sha256(rawBody),
        fault: fault?.kind ?? null,
      });
    const verified = deps.verify(request);
    if (verified.kind === 'refused') {
      record(verified.answer.status, null);
      send(res, verified.answer, 'unsigned', null, deps.now());
      return;
    }
    const { merchant } = verified;
    const fault = deps.faults.take(endpoint.operation, outTradeNo);
    if (fault?.delayMs !== undefined) await deps.timers.wait(fault.delayMs);
    if (fault?.kind === 'html') {
      record(fault.status ?? 502, fault);
      res.status(fault.status ?? 502).set('Content-Type', 'text/html');
      res.end(PROXY_PAGE);
      return;
    }
    const work = (): Answer =>
      checkHeaders(request, merchant, deps.requirePlatformSerial) ??
      endpoint.work({ merchant, req, body });
    const answer = playFault(fault, res, work);
    record(answer?.status ?? null, fault);
    if (answer !== null) send(res, answer, signingFor(fault), merchant, deps.now());
  };
}

/** WeChat Pay's own API, `/v3/…`, on the raw bytes of the requests. */
export function createWechatRoutes(deps: WechatRoutesDeps): Router {
  const { transactions } = deps;
  const router = express.Router();
  router.use(express.raw({ type: () => true, limit: BODY_LIMIT, inflate: false }));
  const base = '/pay/transactions';
  for (const api of ['jsapi', 'h5', 'app', 'native'] as const) {
    router.post(`${base}/${api}`, handler(deps, prepayEndpoint(api, transactions)));
  }
  router.get(`${base}/out-trade-no/:no`, handler(deps, queryByNumber(transactions)));
  router.get(`${base}/id/:no`, handler(deps, queryByTransaction(transactions)));
  router.post(`${base}/out-trade-no/:no/close`, handler(deps, closeEndpoint(transactions)));
  router.get('/certificates', handler(deps, certificatesEndpoint));
  router.use(handler(deps, unknownEndpoint));
  return router;
}

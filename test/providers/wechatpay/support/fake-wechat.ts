// A fake WeChat Pay server that checks signatures and responds as the test planned.
import { verify, type KeyObject } from 'node:crypto';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { MERCHANT_ID, MERCHANT_SERIAL, NOW_SECONDS, signedHeaders } from './wechat';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly nonce: string;
}

export interface FakeResponse {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  /** The key that signs; null leaves the response unsigned. Default: the fake's `signer`. */
  readonly signedBy?: { privateKey: KeyObject; serial: string } | null;
}

/** The response to a request; `raw` takes the connection over (to cut it, or to send nothing). */
export type Plan = FakeResponse | { readonly raw: (response: ServerResponse) => void };

/**
 * A WeChat Pay that checks each request's signature over the received bytes and sends the response
 * that the test planned: the first plan of the queue, or else `fallback`.
 */
export interface FakeWechat {
  readonly baseUrl: string;
  readonly seen: SeenRequest[];
  readonly plans: Plan[];
  fallback: (request: SeenRequest) => Plan;
  close(): Promise<void>;
}

export async function startFakeWechat(options: {
  readonly merchantKey: KeyObject;
  readonly signer: { privateKey: KeyObject; serial: string };
  readonly merchantId?: string;
}): Promise<FakeWechat> {
  const seen: SeenRequest[] = [];
  const plans: Plan[] = [];
  const server = createServer((request, response) => {
    void handle(request, response);
  });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const nonce = checkSignature(request, body, options.merchantKey, options.merchantId);
    if (nonce === null) {
      answer(response, { status: 401, body: '{"code":"SIGN_ERROR","message":"签名错误"}' });
      return;
    }
    const { method = '', url: path = '', headers } = request;
    const one: SeenRequest = { method, path, headers, body: body.toString(), nonce };
    seen.push(one);
    const plan = plans.shift() ?? fake.fallback(one);
    if ('raw' in plan) plan.raw(response);
    else answer(response, plan);
  };
  const answer = (response: ServerResponse, plan: FakeResponse): void => {
    const body = plan.body ?? '';
    const signer = plan.signedBy === undefined ? options.signer : plan.signedBy;
    response.writeHead(plan.status, {
      'Request-ID': '08F78BB4A5',
      ...(body === '' ? {} : { 'Content-Type': 'application/json' }),
      ...(signer === null ? {} : signedHeaders(body, signer)),
      ...plan.headers,
    });
    response.end(body);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const fake: FakeWechat = {
    baseUrl: `http://127.0.0.1:${address.port}`,
    seen,
    plans,
    fallback: () => ({ status: 404, body: '{"code":"RESOURCE_NOT_EXISTS","message":"?"}' }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
  return fake;
}

const AUTHORIZATION = new RegExp(
  [
    '^WECHATPAY2-SHA256-RSA2048 mchid="(\\w+)"',
    'nonce_str="(\\w{32})"',
    'timestamp="(\\d{10})"',
    'serial_no="(\\w+)"',
    'signature="([A-Za-z0-9+/=]+)"$',
  ].join(','),
);

/** The nonce of a request that is signed as WeChat wants it, else null. */
function checkSignature(
  request: IncomingMessage,
  body: Buffer,
  key: KeyObject,
  merchantId = MERCHANT_ID,
): string | null {
  const match = AUTHORIZATION.exec(request.headers.authorization ?? '');
  if (match === null) return null;
  const [, mchid, nonce = '', timestamp = '', serial, signature = ''] = match;
  if (mchid !== merchantId || serial !== MERCHANT_SERIAL) return null;
  if (Math.abs(Number(timestamp) - NOW_SECONDS) > 300) return null;
  const text = Buffer.concat([
    Buffer.from(`${request.method ?? ''}\n${request.url ?? ''}\n${timestamp}\n${nonce}\n`),
    body,
    Buffer.from('\n'),
  ]);
  return verify('RSA-SHA256', text, key, Buffer.from(signature, 'base64')) ? nonce : null;
}

// The stub for WeChat Pay, which accepts each prepay, and for the shop, which takes each webhook.
// A process of its own and as cheap as possible. Its argument is an OutsideWorldConfig as JSON.
import { createPrivateKey } from 'node:crypto';
import { createServer } from 'node:http';
import { randomToken } from '../../simulator/wechatpay/keys/crypto';
import { signAsWechat } from '../../providers/wechatpay/crypto/signature';

export interface OutsideWorldConfig {
  readonly port: number;
  readonly keyId: string;
  readonly privateKeyPem: string;
}

/** A signed response is reused this long: signing is WeChat's cost, not Oncepay's. */
const SIGNED_FOR_MS = 60_000;

const config = JSON.parse(process.argv[2] ?? '{}') as OutsideWorldConfig;
const privateKey = createPrivateKey(config.privateKeyPem);
const body = JSON.stringify({ code_url: `weixin://wxpay/bizpayurl?pr=${randomToken(12)}` });
let signed = { untilMs: 0, headers: {} as Record<string, string> };

function responseHeaders(): Record<string, string> {
  const nowMs = Date.now();
  if (nowMs >= signed.untilMs) {
    const headers = signAsWechat({
      rawBody: body,
      timestamp: Math.floor(nowMs / 1_000),
      nonce: randomToken(32),
      serial: config.keyId,
      privateKey,
    });
    signed = { untilMs: nowMs + SIGNED_FOR_MS, headers };
  }
  return { 'content-type': 'application/json', 'request-id': randomToken(32), ...signed.headers };
}

createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    const isPrepay = request.method === 'POST' && request.url?.startsWith('/v3/pay/') === true;
    if (isPrepay) response.writeHead(200, responseHeaders()).end(body);
    else response.writeHead(request.method === 'GET' ? 200 : 204).end();
  });
}).listen(config.port, '127.0.0.1');

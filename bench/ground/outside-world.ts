// The stub for WeChat Pay, which accepts each prepay, responds to queries and can be away, and for
// the shop, which takes each webhook.
// A process of its own and as cheap as possible. Its argument is an OutsideWorldConfig as JSON.
import { createPrivateKey } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { randomToken } from '../../simulator/wechatpay/keys/crypto';
import { signAsWechat } from '../../providers/wechatpay/crypto/signature';
import { paymentText } from './signed-callbacks';
import { STUB_PATHS, type Phase, type Tally } from './stub-control';

export interface OutsideWorldConfig {
  readonly port: number;
  readonly keyId: string;
  readonly privateKeyPem: string;
  readonly appId: string;
  readonly merchantId: string;
}

/** A signed response to a prepay is reused this long: signing is WeChat's cost, not Oncepay's. */
const SIGNED_FOR_MS = 60_000;
/** WeChat's path of a query by order number. */
const QUERY = /^\/v3\/pay\/transactions\/out-trade-no\/([^/?]+)\?/;

const config = JSON.parse(process.argv[2] ?? '{}') as OutsideWorldConfig;
const privateKey = createPrivateKey(config.privateKeyPem);
const prepaid = JSON.stringify({ code_url: `weixin://wxpay/bizpayurl?pr=${randomToken(12)}` });
let signedPrepaid = { untilMs: 0, headers: {} as Record<string, string> };
let isAway = false;
/** WeChat's response to a query, by order number. */
const paid = new Map<string, string>();
let counted = startCount();

function startCount() {
  return { calls: 0, peakPerSecond: 0, second: 0, inSecond: 0, orders: new Set<string>() };
}

function countCall(outTradeNo: string | undefined): void {
  const second = Math.floor(Date.now() / 1_000);
  counted.inSecond = second === counted.second ? counted.inSecond + 1 : 1;
  counted.second = second;
  counted.calls += 1;
  counted.peakPerSecond = Math.max(counted.peakPerSecond, counted.inSecond);
  if (outTradeNo !== undefined) counted.orders.add(outTradeNo);
}

function signed(rawBody: string): Record<string, string> {
  return signAsWechat({
    rawBody,
    timestamp: Math.floor(Date.now() / 1_000),
    nonce: randomToken(32),
    serial: config.keyId,
    privateKey,
  });
}

function prepaidHeaders(): Record<string, string> {
  const nowMs = Date.now();
  if (nowMs >= signedPrepaid.untilMs) {
    signedPrepaid = { untilMs: nowMs + SIGNED_FOR_MS, headers: signed(prepaid) };
  }
  return signedPrepaid.headers;
}

function unpaidText(outTradeNo: string): string {
  return JSON.stringify({
    mchid: config.merchantId,
    appid: config.appId,
    out_trade_no: outTradeNo,
    trade_state: 'NOTPAY',
    trade_state_desc: '订单未支付',
    attach: '',
  });
}

function begin(phase: Phase): void {
  isAway = phase.away;
  for (const payment of phase.paid) paid.set(payment.outTradeNo, paymentText(config, payment));
  counted = startCount();
}

function tallyText(): string {
  const { calls, peakPerSecond, orders } = counted;
  return JSON.stringify({ calls, peakPerSecond, orders: orders.size } satisfies Tally);
}

async function respondAsWechat(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, outTradeNo] = QUERY.exec(request.url ?? '') ?? [];
  countCall(outTradeNo);
  if (isAway) {
    // A reset leaves no socket in TIME_WAIT: hundreds of cut calls a second would use up the ports.
    request.socket.resetAndDestroy();
    return;
  }
  await readText(request);
  const isQuery = request.method === 'GET' && outTradeNo !== undefined;
  const body = isQuery ? (paid.get(outTradeNo) ?? unpaidText(outTradeNo)) : prepaid;
  const signature = isQuery ? signed(body) : prepaidHeaders();
  const headers = { 'content-type': 'application/json', 'request-id': randomToken(32) };
  response.writeHead(200, { ...headers, ...signature }).end(body);
}

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.url?.startsWith('/v3/') === true) {
    await respondAsWechat(request, response);
    return;
  }
  const text = await readText(request);
  if (request.url === STUB_PATHS.phase) begin(JSON.parse(text) as Phase);
  if (request.url === STUB_PATHS.tally) response.writeHead(200).end(tallyText());
  else response.writeHead(request.method === 'GET' ? 200 : 204).end();
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

createServer((request, response) => {
  respond(request, response).catch((error: unknown) => {
    process.stderr.write(`A request failed: ${String(error)}\n`);
    request.socket.destroy();
  });
}).listen(config.port, '127.0.0.1');

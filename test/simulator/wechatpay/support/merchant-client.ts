// A merchant's client for the simulator, written from WeChat's documentation alone.
import { createSign, createVerify, randomUUID, X509Certificate, type KeyObject } from 'node:crypto';
import {
  createMerchantCredentials,
  merchantFor,
} from '../../../../simulator/wechatpay/keys/credentials';
import type { MerchantCredentials } from '../../../../simulator/wechatpay/keys/credentials';
import type { PlatformKeyMode, SimulatorOptions } from '../../../../simulator/wechatpay/options';
import { startSimulator } from '../../../../simulator/wechatpay/server';
import type { Simulator } from '../../../../simulator/wechatpay/control/simulator';

export interface Fixture {
  readonly simulator: Simulator;
  readonly credentials: MerchantCredentials;
}

export async function start(
  mode: PlatformKeyMode = 'public_key',
  options: Partial<SimulatorOptions> = {},
): Promise<Fixture> {
  const credentials = await createMerchantCredentials();
  const merchants = [merchantFor(credentials, mode)];
  return { credentials, simulator: await startSimulator({ merchants, ...options }) };
}

export interface Signed {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
  /** Changes the parts of Authorization before they are put together. */
  readonly parts?: Partial<Record<keyof AuthorizationParts, string>>;
  readonly timestamp?: number;
  readonly nonce?: string;
  /** The body that is sent, if it is not the signed one. */
  readonly sentBody?: string;
  readonly headers?: Record<string, string>;
}

interface AuthorizationParts {
  mchid: string;
  nonce_str: string;
  timestamp: string;
  serial_no: string;
  signature: string;
}

/** Uses none of the simulator's code. */
export function authorization(credentials: MerchantCredentials, request: Signed): string {
  const timestamp = String(request.timestamp ?? Math.floor(Date.now() / 1000));
  const nonce = request.nonce ?? randomUUID();
  const lines = [request.method, request.path, timestamp, nonce, request.body ?? ''];
  const signature = createSign('RSA-SHA256')
    .update(lines.map((line) => `${line}\n`).join(''))
    .sign(credentials.merchantPrivateKeyPem, 'base64');
  const parts: AuthorizationParts = {
    mchid: credentials.merchantId,
    nonce_str: nonce,
    timestamp,
    serial_no: credentials.merchantSerial,
    signature,
    ...request.parts,
  };
  const text = Object.entries(parts).map(([name, value]: [string, string]) => `${name}="${value}"`);
  return `WECHATPAY2-SHA256-RSA2048 ${text.join(',')}`;
}

export interface Received {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: unknown;
}

export async function call(fixture: Fixture, request: Signed): Promise<Received> {
  const { simulator, credentials } = fixture;
  const key = simulator.publicKeyOf();
  const body = request.sentBody ?? request.body;
  const response = await fetch(`${simulator.url}${request.path}`, {
    method: request.method,
    headers: {
      Accept: 'application/json',
      'Content-Type': 'application/json',
      'User-Agent': 'oncepay-test',
      Authorization: authorization(credentials, request),
      ...(key === null ? {} : { 'Wechatpay-Serial': key.id }),
      ...request.headers,
    },
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  const json: unknown = isJson ? JSON.parse(text) : null;
  return { status: response.status, headers: response.headers, text, json };
}

/** True if headers and body carry WeChat's signature by this key. */
export function isSignedBy(
  key: string | KeyObject | X509Certificate,
  header: (name: string) => string | null | undefined,
  body: string,
): boolean {
  const timestamp = header('wechatpay-timestamp') ?? '';
  const nonce = header('wechatpay-nonce') ?? '';
  const publicKey = key instanceof X509Certificate ? key.publicKey : key;
  return createVerify('RSA-SHA256')
    .update(`${timestamp}\n${nonce}\n${body}\n`)
    .verify(publicKey, header('wechatpay-signature') ?? '', 'base64');
}

export function prepayBody(
  credentials: MerchantCredentials,
  outTradeNo: string,
  more: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    appid: credentials.appId,
    mchid: credentials.merchantId,
    description: '一件商品',
    out_trade_no: outTradeNo,
    time_expire: new Date(Date.now() + 600_000).toISOString(),
    notify_url: 'https://shop.example/callbacks/wechat',
    amount: { total: 1230, currency: 'CNY' },
    payer: { openid: 'oUser' },
    ...more,
  };
}

export async function prepay(
  fixture: Fixture,
  body: Record<string, unknown>,
  api = 'jsapi',
): Promise<Received> {
  const path = `/v3/pay/transactions/${api}`;
  return call(fixture, { method: 'POST', path, body: JSON.stringify(body) });
}

export async function query(fixture: Fixture, outTradeNo: string): Promise<Received> {
  const mchid = fixture.credentials.merchantId;
  const path = `/v3/pay/transactions/out-trade-no/${outTradeNo}?mchid=${mchid}`;
  return call(fixture, { method: 'GET', path });
}

export async function closeOrder(fixture: Fixture, outTradeNo: string): Promise<Received> {
  const path = `/v3/pay/transactions/out-trade-no/${outTradeNo}/close`;
  const body = JSON.stringify({ mchid: fixture.credentials.merchantId });
  return call(fixture, { method: 'POST', path, body });
}

/** A refund of 30 of the 1230 that {@link prepayBody} orders. */
export function refundBody(
  outRefundNo: string,
  more: Record<string, unknown>,
): Record<string, unknown> {
  return {
    out_refund_no: outRefundNo,
    reason: '不想要了',
    amount: { refund: 30, total: 1230, currency: 'CNY' },
    ...more,
  };
}

export async function refund(fixture: Fixture, body: Record<string, unknown>): Promise<Received> {
  const path = '/v3/refund/domestic/refunds';
  return call(fixture, { method: 'POST', path, body: JSON.stringify(body) });
}

export async function queryRefund(fixture: Fixture, outRefundNo: string): Promise<Received> {
  const path = `/v3/refund/domestic/refunds/${encodeURIComponent(outRefundNo)}`;
  return call(fixture, { method: 'GET', path });
}

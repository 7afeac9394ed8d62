// Helps tests of bills at the simulator: a fixed day, trades of it, and signed requests.
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import {
  authorization,
  call,
  prepayBody,
  start,
  type Fixture,
  type Received,
} from './merchant-client';
import type { SimulatorOptions } from '../../../../simulator/wechatpay/options';

/** The day of the trades, and the next morning, from when its bill is there. */
export const BILL_DATE = '2026-11-28';
export const MORNING_MS = Date.parse('2026-11-29T10:00:00+08:00');

export interface BillFixture extends Fixture {
  /** WeChat's time, which the test sets. */
  readonly clock: { nowMs: number };
}

export async function startWithClock(
  options: Partial<SimulatorOptions> = {},
): Promise<BillFixture> {
  const clock = { nowMs: MORNING_MS };
  return { ...(await start('public_key', { now: () => clock.nowMs, ...options })), clock };
}

export const at = (time: string, day = BILL_DATE): string => `${day}T${time}+08:00`;

let sequence = 0;

/** An order of 1230 that was paid without a callback. */
export async function paid(
  fixture: BillFixture,
  time: string,
  more: Record<string, unknown> = {},
): Promise<{ readonly outTradeNo: string; readonly transactionId: string }> {
  const { simulator, clock } = fixture;
  const outTradeNo = `BILLED-${String(++sequence).padStart(6, '0')}`;
  const expiry = { time_expire: new Date(clock.nowMs + 600_000).toISOString() };
  const body = JSON.stringify(prepayBody(fixture.credentials, outTradeNo, { ...expiry, ...more }));
  const path = '/v3/pay/transactions/jsapi';
  await call(fixture, { method: 'POST', path, body, timestamp: clock.nowMs / 1000 });
  const result = await simulator.pay({ outTradeNo, callbacks: 0, successTime: time });
  return { outTradeNo, transactionId: result.transactionId ?? '' };
}

export const get = (fixture: BillFixture, path: string): Promise<Received> =>
  call(fixture, { method: 'GET', path, timestamp: Math.floor(fixture.clock.nowMs / 1000) });

export const requestBill = (fixture: BillFixture, query: string): Promise<Received> =>
  get(fixture, `/v3/bill/${query}`);

const ready = z.object({
  hash_type: z.literal('SHA1'),
  hash_value: z.string().regex(/^[0-9a-f]{40}$/),
  download_url: z.url(),
});

export interface Downloaded {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

/** A signed GET of the URL as it is. */
export async function download(fixture: BillFixture, url: string): Promise<Downloaded> {
  const { simulator, credentials, clock } = fixture;
  const path = url.slice(simulator.url.length);
  const timestamp = Math.floor(clock.nowMs / 1000);
  const response = await fetch(url, {
    headers: {
      Accept: 'application/json',
      'User-Agent': 'oncepay-test',
      Authorization: authorization(credentials, { method: 'GET', path, timestamp }),
      'Wechatpay-Serial': simulator.publicKeyOf()?.id ?? '',
    },
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes };
}

/** The URL of a bill that is ready, with its SHA-1. */
export async function readyBill(
  fixture: BillFixture,
  query: string,
): Promise<{ readonly url: string; readonly sha1: string }> {
  const { json } = await requestBill(fixture, query);
  const { download_url: url, hash_value: sha1 } = ready.parse(json);
  return { url, sha1 };
}

/** The file of a bill, unpacked, with the SHA-1 that the response named. */
export async function fileOf(fixture: BillFixture, query: string): Promise<Buffer> {
  const { url, sha1 } = await readyBill(fixture, query);
  const { bytes } = await download(fixture, url);
  const file = query.includes('GZIP') ? gunzipSync(bytes) : bytes;
  expect(createHash('sha1').update(file).digest('hex')).toBe(sha1);
  return file;
}

/** A call of the control API. */
export async function control(
  { simulator }: Fixture,
  path: string,
  body: object,
): Promise<{ readonly status: number; readonly json: unknown }> {
  const response = await fetch(`${simulator.url}/_control/${path}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  return { status: response.status, json: await response.json() };
}

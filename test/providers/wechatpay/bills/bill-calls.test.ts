// Requests bills and downloads them from a fake WeChat that checks each signature.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { BillResponse } from '../../../../providers/wechatpay/bills/bill-calls';
import type { BillDownload } from '../../../../providers/wechatpay/bills/bill-download';
import { readTradeBill } from '../../../../providers/wechatpay/bills/read-bill';
import { BrokenDownload } from '../../../../providers/wechatpay/transport/downloads';
import { startBench, type Bench } from '../support/client';
import type { Plan } from '../support/fake-wechat';
import { MERCHANT_ID, PUBLIC_KEY_ID } from '../support/wechat';
import { readAll } from './support/read-all';

const PLAIN = readFileSync(join(__dirname, 'fixtures', '01-all-bom-crlf.csv'));
const SHA1 = createHash('sha1').update(PLAIN).digest('hex');
const REQUEST = { merchantId: MERCHANT_ID, billDate: '2026-11-22' };
const PATH = '/v3/billdownload/file?token=6XIv5T-_%7C1&tartype=gzip';

let bench: Bench;

beforeAll(async () => {
  bench = await startBench({ mode: 'public_key' });
});
afterAll(() => bench.close());
beforeEach(() => {
  bench.fake.seen.length = 0;
  bench.fake.plans.length = 0;
  bench.events.length = 0;
});

const plan = (...plans: readonly Plan[]) => bench.fake.plans.push(...plans);
const errorOf = (code: string): string => JSON.stringify({ code, message: '…' });
const ready = (more: object = {}): string =>
  JSON.stringify({
    hash_type: 'SHA1',
    hash_value: SHA1.toUpperCase(),
    download_url: ` ${bench.fake.baseUrl}${PATH}`,
    ...more,
  });

describe('the request for a bill', () => {
  test('a bill that is ready gives its SHA-1 and its URL, for the path of each kind', async () => {
    plan({ status: 200, body: ready() }, { status: 200, body: ready() });
    const file = { sha1: SHA1, downloadUrl: `${bench.fake.baseUrl}${PATH}` };
    const expected = { kind: 'ready', file, requestId: '08F78BB4A5' };
    expect(await bench.client.requestTradeBill(REQUEST)).toEqual(expected);
    expect(await bench.client.requestFundFlowBill(REQUEST)).toEqual(expected);
    expect(bench.fake.seen).toMatchObject([
      {
        method: 'GET',
        path: '/v3/bill/tradebill?bill_date=2026-11-22&bill_type=ALL&tar_type=GZIP',
        headers: { accept: 'application/json', 'wechatpay-serial': PUBLIC_KEY_ID },
        body: '',
      },
      {
        method: 'GET',
        path: '/v3/bill/fundflowbill?account_type=BASIC&bill_date=2026-11-22&tar_type=GZIP',
      },
    ]);
    expect(bench.events).toMatchObject([
      { operation: 'trade_bill', billDate: '2026-11-22', outcome: 'ok' },
      { operation: 'fund_flow_bill', billDate: '2026-11-22', outcome: 'ok' },
    ]);
  });

  test.each<[string, Plan, Partial<BillResponse>]>([
    ['is being made', { status: 400, body: errorOf('STATEMENT_CREATING') }, { kind: 'creating' }],
    ['has no trades', { status: 400, body: errorOf('NO_STATEMENT_EXIST') }, { kind: 'none' }],
    ['is not allowed', { status: 403, body: errorOf('NO_AUTH') }, { kind: 'no_auth' }],
    [
      'is of a wrong date',
      { status: 400, body: errorOf('PARAM_ERROR') },
      { kind: 'refused', code: 'WECHAT_REFUSED' },
    ],
    [
      'has a wrong signature',
      { status: 401, body: errorOf('SIGN_ERROR') },
      { kind: 'refused', code: 'CONFIGURATION_ERROR' },
    ],
    [
      'comes too often',
      { status: 429, body: errorOf('FREQUENCY_LIMITED') },
      { kind: 'refused', code: 'FREQUENCY_LIMITED' },
    ],
    [
      'fails at WeChat',
      { status: 500, body: errorOf('SYSTEM_ERROR') },
      { kind: 'unknown', code: 'SYSTEM_ERROR' },
    ],
    [
      'is cut',
      { raw: (response) => response.destroy() },
      { kind: 'unknown', code: 'NETWORK_ERROR' },
    ],
  ])('the request for a bill that %s has its own outcome', async (_name, response, expected) => {
    plan(response);
    expect(await bench.client.requestTradeBill(REQUEST)).toMatchObject(expected);
  });

  test('a bill named in an unsigned or unreadable response counts for nothing', async () => {
    plan(
      { status: 200, body: ready(), signedBy: null },
      { status: 200, body: ready({ hash_type: 'MD5' }) },
      { status: 200, body: ready({ hash_value: 'short' }) },
      { status: 200, body: ready({ download_url: '' }) },
    );
    const codes = [];
    for (let times = 0; times < 4; times++) {
      const response = await bench.client.requestTradeBill(REQUEST);
      codes.push(response.kind === 'unknown' ? response.code : response.kind);
    }
    expect(codes).toEqual(['RESPONSE_FORGED', 'NOT_YET', 'NOT_YET', 'NOT_YET']);
  });
});

/** Begins a file that is longer than these bytes, and `end`s it after them. */
const fileOf =
  (bytes: Buffer, end: (response: ServerResponse) => void) =>
  (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'text/plain', 'content-length': bytes.length + 1 });
    response.write(bytes, () => end(response));
  };
const whole = (bytes: Buffer): Plan => ({
  raw: (response) => response.writeHead(200).end(bytes),
});
const download = (more: { downloadUrl?: string; signal?: AbortSignal } = {}) =>
  bench.client.downloadBill({
    ...REQUEST,
    downloadUrl: `${bench.fake.baseUrl}${PATH}`,
    ...more,
  });

function bytesOf(opened: BillDownload): AsyncIterable<Buffer> {
  if (opened.kind !== 'stream') throw new Error(`no stream but ${opened.kind}`);
  return opened.bytes;
}

describe('the download of a bill', () => {
  test.each([
    ['packed', gzipSync(PLAIN)],
    ['plain, though a packed one was requested', PLAIN],
    [
      'packed in two parts',
      Buffer.concat([gzipSync(PLAIN.subarray(0, 9)), gzipSync(PLAIN.subarray(9))]),
    ],
  ])('a file that is %s is unpacked on its way and read', async (_name, bytes) => {
    plan(whole(bytes));
    const { lines, end } = await readAll(readTradeBill(bytesOf(await download())));
    expect(lines).toHaveLength(9);
    expect(end).toMatchObject({ sha1: SHA1, bytes: PLAIN.length, differences: [] });
    expect(bench.fake.seen).toMatchObject([
      { method: 'GET', path: PATH, headers: { 'wechatpay-serial': PUBLIC_KEY_ID } },
    ]);
    expect(bench.events).toMatchObject([
      { operation: 'bill_download', billDate: '2026-11-22', outcome: 'ok' },
    ]);
  });

  test.each<[string, Plan, Partial<BillDownload>]>([
    ['a URL too old', { status: 400, body: errorOf('INVALID_REQUEST') }, { kind: 'expired' }],
    [
      'another merchant’s URL',
      { status: 403, body: errorOf('NO_AUTH') },
      { kind: 'refused', code: 'WECHAT_PERMISSION_DENIED' },
    ],
    [
      'a forged refusal',
      { status: 400, body: errorOf('INVALID_REQUEST'), headers: { 'wechatpay-signature': 'x' } },
      { kind: 'broken', code: 'RESPONSE_FORGED' },
    ],
    [
      'the page of a proxy',
      { status: 502, body: '<html>', signedBy: null },
      { kind: 'broken', code: 'SYSTEM_ERROR' },
    ],
    [
      'a redirect',
      { status: 302, signedBy: null, headers: { location: 'https://elsewhere.example/' } },
      { kind: 'broken', code: 'NETWORK_ERROR' },
    ],
    [
      'a cut connection',
      { raw: (response) => response.destroy() },
      { kind: 'broken', code: 'NETWORK_ERROR' },
    ],
  ])('a download that gets %s has its own outcome', async (_name, response, expected) => {
    plan(response);
    expect(await download()).toMatchObject(expected);
  });

  test.each([
    'https://api.mch.weixin.qq.com/v3/billdownload/file?token=x',
    'http://127.0.0.1:1/v3/billdownload/file?token=x',
    'ftp://127.0.0.1/file',
    '//127.0.0.1/file',
    'file:///etc/passwd',
    '',
  ])('a download from %p sends no header to anybody', async (downloadUrl) => {
    expect(await download({ downloadUrl })).toEqual({ kind: 'other_origin' });
    expect(bench.fake.seen).toEqual([]);
    expect(bench.events).toEqual([]);
  });

  test('a download from a URL that only looks like WeChat’s origin sends no header', async () => {
    const { baseUrl } = bench.fake;
    for (const downloadUrl of [
      `${baseUrl}@elsewhere.example/file`,
      `${baseUrl}.elsewhere.example/file`,
      `${baseUrl}\\@elsewhere.example/file`,
      `${baseUrl.replace('http:', 'https:')}/file`,
      `${baseUrl}/file#part`,
      `${baseUrl}/file\r\nHost: elsewhere.example`,
      `${baseUrl}/file name`,
    ]) {
      expect(await download({ downloadUrl })).toEqual({ kind: 'other_origin' });
    }
    expect(bench.fake.seen).toEqual([]);
  });

  test.each([
    ['cut', gzipSync(PLAIN).subarray(0, 200)],
    ['cut before its second byte', gzipSync(PLAIN).subarray(0, 1)],
    ['damaged', Buffer.concat([gzipSync(PLAIN).subarray(0, 50), Buffer.alloc(500, 0xff)])],
  ])('a file that is %s breaks, and is never a shorter bill', async (_name, bytes) => {
    plan({ raw: fileOf(bytes, (response) => response.destroy()) });
    const opened = await download();
    const reading = readAll(readTradeBill(bytesOf(opened)));
    await expect(reading).rejects.toThrow(BrokenDownload);
    await expect(reading).rejects.toMatchObject({ code: 'NETWORK_ERROR' });
  });

  test('a gzip that ends too early in a whole response breaks while it is read', async () => {
    plan(whole(gzipSync(PLAIN).subarray(0, 200)));
    const reading = readAll(readTradeBill(bytesOf(await download())));
    await expect(reading).rejects.toThrow('the packed file is cut or damaged');
  });

  test('a download that is cancelled ends the connection', async () => {
    const controller = new AbortController();
    let closed = false;
    const ended = new Promise<void>((resolve) => {
      plan({
        raw: (response) => {
          response.writeHead(200).write(PLAIN);
          response.on('close', () => {
            closed = true;
            resolve();
          });
        },
      });
    });
    const bytes = bytesOf(await download({ signal: controller.signal }));
    const reading = (async () => {
      for await (const piece of bytes) if (piece.length > 0) controller.abort();
    })();
    await expect(reading).rejects.toThrow('cancelled by the caller');
    await ended;
    expect(closed).toBe(true);
  });

  test('a download that nobody reads to its end ends the connection', async () => {
    const ended = new Promise<void>((resolve) => {
      plan({
        raw: (response) => {
          response.writeHead(200).write(gzipSync(PLAIN).subarray(0, 500));
          response.on('close', resolve);
        },
      });
    });
    for await (const piece of bytesOf(await download())) {
      expect(piece.length).toBeGreaterThan(0);
      break;
    }
    await ended;
  });
});

// The limits of a download: its bytes, the time without a byte, and its whole time.
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import {
  createDownloads,
  DOWNLOAD_LIMITS,
  type DownloadLimits,
} from '../../../../providers/wechatpay/transport/downloads';
import { unpacked } from '../../../../providers/wechatpay/bills/unpack';

let reply: (response: ServerResponse) => void;
const server = createServer((_request, response) => reply(response));
let baseUrl = '';

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  baseUrl = `http://127.0.0.1:${address.port}`;
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

/** The bytes that came, or the failure. */
async function downloadWithin(limits: Partial<DownloadLimits>): Promise<number | string> {
  const downloads = createDownloads(baseUrl, { ...DOWNLOAD_LIMITS, ...limits });
  try {
    const opened = await downloads.open({ path: '/file', headers: {} });
    if (opened.kind === 'failed') return `${opened.code}: ${opened.detail}`;
    let size = 0;
    for await (const piece of opened.body) size += piece.length;
    return size;
  } catch (error) {
    return String(error);
  } finally {
    await downloads.end();
    await downloads.end();
  }
}

test('a file within the limits comes whole', async () => {
  reply = (response) => response.end(Buffer.alloc(100_000));
  expect(await downloadWithin({ responseBytes: 100_000 })).toBe(100_000);
});

test('a file of more bytes than allowed breaks', async () => {
  reply = (response) => response.end(Buffer.alloc(100_001));
  expect(await downloadWithin({ responseBytes: 100_000 })).toMatch(/UND_ERR_RES_EXCEEDED_MAX_SIZE/);
});

test.each<[string, (response: ServerResponse) => void]>([
  ['before the headers', () => undefined],
  ['within the body', (response) => response.writeHead(200).write('x')],
])('a time without a byte %s is a timeout', async (_name, send) => {
  reply = send;
  expect(await downloadWithin({ idleMs: 50 })).toMatch(/the download took too long/);
});

test('a file that trickles longer than the whole time is a timeout', async () => {
  let timer: NodeJS.Timeout | undefined;
  reply = (response) => {
    response.writeHead(200).write('x');
    timer = setInterval(() => response.write('x'), 5);
    response.on('close', () => clearInterval(timer));
  };
  expect(await downloadWithin({ wholeMs: 100 })).toMatch(/the download took too long/);
});

test('a slow reader is no idleness: the bytes wait for it', async () => {
  const MANY = 8 * 1024 * 1024;
  reply = (response) => response.end(Buffer.alloc(MANY));
  const downloads = createDownloads(baseUrl, { ...DOWNLOAD_LIMITS, idleMs: 100 });
  const opened = await downloads.open({ path: '/file', headers: {} });
  if (opened.kind === 'failed') throw new Error(opened.detail);
  let size = 0;
  let waits = 0;
  for await (const piece of opened.body) {
    size += piece.length;
    // Longer than the idle time in all: undici stops its timer while nobody takes the bytes.
    if (waits++ < 2) await new Promise((resolve) => setTimeout(resolve, 150));
  }
  expect(size).toBe(MANY);
  await downloads.end();
});

test('the end of the client ends a download under way', async () => {
  reply = (response) => response.writeHead(200).write('x');
  const downloads = createDownloads(baseUrl);
  const opened = await downloads.open({ path: '/file', headers: {} });
  if (opened.kind === 'failed') throw new Error(opened.detail);
  const reading = (async () => {
    for await (const piece of opened.body) if (piece.length > 0) await downloads.end();
  })();
  await expect(reading).rejects.toMatchObject({ code: 'NETWORK_ERROR' });
  expect(await downloads.open({ path: '/file', headers: {} })).toMatchObject({ kind: 'failed' });
});

test('a bill that unpacks to more than allowed breaks', async () => {
  async function* evil(): AsyncGenerator<Buffer> {
    for (;;) yield await Promise.resolve(Buffer.alloc(1_000));
  }
  const leave = jest.fn();
  const reading = (async () => {
    let size = 0;
    const body = { [Symbol.asyncIterator]: evil, leave };
    for await (const piece of unpacked(body, 10_000)) size += piece.length;
    return size;
  })();
  await expect(reading).rejects.toThrow('the bill is larger than 10000 bytes');
  expect(leave).toHaveBeenCalled();
});

test.each(['not a URL', 'https://host/path', 'ftp://host'])('%p is no origin', (url) => {
  expect(() => createDownloads(url)).toThrow(TypeError);
});

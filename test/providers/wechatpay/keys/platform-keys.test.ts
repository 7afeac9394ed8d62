// WeChat's platform keys: certificates that are fetched, and the public key.
import type { ServerResponse } from 'node:http';
import { CERTIFICATE_FETCH_INTERVAL_MS } from '../../../../providers/wechatpay/keys/platform-keys';
import { startBench, type Bench } from '../support/client';
import type { FakeResponse } from '../support/fake-wechat';
import {
  API_V3_KEY,
  certificatesBody,
  envelope,
  makeKeyPair,
  makePlatform,
  NOW_MS,
  OLD_API_V3_KEY,
  PAYMENT,
  PUBLIC_KEY_ID,
  signedHeaders,
  type Platform,
} from '../support/wechat';

const FIRST = makePlatform('5157F09EFDC096DE15EBE81A47057A7200000001');
const SECOND = makePlatform('0ABC09EFDC096DE15EBE81A47057A7200000002F');
const BODY = envelope(JSON.stringify(PAYMENT));

let bench: Bench;
afterEach(() => bench.close());

async function start(mode: 'public_key' | 'certificates'): Promise<void> {
  bench = await startBench({ mode, signer: FIRST });
}

function answerWith(...answers: readonly FakeResponse[]): void {
  bench.fake.plans.push(...answers);
}

function listOf(...platforms: readonly Platform[]): FakeResponse {
  return { status: 200, body: certificatesBody(platforms) };
}

/** Opens a callback signed by `signer` now. @returns the result */
async function callbackBy(signer: Pick<Platform, 'privateKey' | 'serial'>): Promise<string> {
  const timestamp = Math.floor(bench.clock.nowMs / 1000);
  const opened = await bench.client.openCallback({
    headers: signedHeaders(BODY, signer, timestamp),
    rawBody: Buffer.from(BODY),
    nowMs: bench.clock.nowMs,
  });
  return opened.kind === 'opened' ? 'opened' : opened.reason;
}

function fetches(): number {
  return bench.fake.seen.filter((request) => request.path === '/v3/certificates').length;
}

function later(ms: number): void {
  bench.clock.nowMs += ms;
}

describe('platform certificates', () => {
  test('an unknown serial fetches the list once, and the key is kept', async () => {
    await start('certificates');
    answerWith(listOf(FIRST));
    expect(await callbackBy(FIRST)).toBe('opened');
    expect(await callbackBy(FIRST)).toBe('opened');
    expect(fetches()).toBe(1);
    expect(bench.fake.seen[0]).toMatchObject({ method: 'GET', body: '' });
    expect(bench.events).toEqual([{ event: 'wechat.certificates_taken', serials: [FIRST.serial] }]);
  });

  test('several certificates are kept side by side', async () => {
    await start('certificates');
    answerWith(listOf(FIRST, SECOND));
    expect(await callbackBy(SECOND)).toBe('opened');
    expect(await callbackBy(FIRST)).toBe('opened');
    expect(fetches()).toBe(1);
  });

  test('fifty callbacks at once share one fetch of the list', async () => {
    await start('certificates');
    const held: ServerResponse[] = [];
    const arrived = new Promise<void>((resolve) => {
      bench.fake.plans.push({
        raw: (response) => {
          held.push(response);
          resolve();
        },
      });
    });
    const all = Promise.all(Array.from({ length: 50 }, () => callbackBy(FIRST)));
    await arrived;
    const body = certificatesBody([FIRST]);
    held[0]?.writeHead(200, signedHeaders(body, FIRST)).end(body);
    expect(new Set(await all)).toEqual(new Set(['opened']));
    expect(fetches()).toBe(1);
  });

  test('invented serials cost one fetch per interval; known ones are still served', async () => {
    await start('certificates');
    bench.fake.fallback = () => listOf(FIRST);
    expect(await callbackBy(FIRST)).toBe('opened');
    for (let i = 0; i < 20; i += 1) {
      expect(await callbackBy({ ...SECOND, serial: `F00D${i}` })).toBe('unknown_serial');
    }
    expect(await callbackBy(FIRST)).toBe('opened');
    expect(fetches()).toBe(1);
    later(CERTIFICATE_FETCH_INTERVAL_MS - 1);
    expect(await callbackBy(SECOND)).toBe('unknown_serial');
    expect(fetches()).toBe(1);
  });

  test('a rotation is found at the first repeat of the callback, 15 s later', async () => {
    await start('certificates');
    answerWith(listOf(FIRST), listOf(FIRST, SECOND));
    await bench.client.warmUp();
    expect(await callbackBy(SECOND)).toBe('unknown_serial');
    later(15_000);
    const body = certificatesBody([FIRST, SECOND]);
    bench.fake.plans.length = 0;
    const timestamp = Math.floor(bench.clock.nowMs / 1000);
    const headers = signedHeaders(body, FIRST, timestamp);
    answerWith({ status: 200, body, signedBy: null, headers });
    expect(await callbackBy(SECOND)).toBe('opened');
    expect(fetches()).toBe(2);
  });

  test('a failed fetch counts for the interval too', async () => {
    await start('certificates');
    answerWith({ status: 500 }, listOf(FIRST));
    expect(await callbackBy(FIRST)).toBe('unknown_serial');
    expect(await callbackBy(FIRST)).toBe('unknown_serial');
    expect(fetches()).toBe(1);
    later(CERTIFICATE_FETCH_INTERVAL_MS);
    expect(await callbackBy(FIRST)).toBe('opened');
  });

  test('a clock that is set back does not stop the fetches', async () => {
    await start('certificates');
    answerWith({ status: 500 }, listOf(FIRST));
    expect(await callbackBy(FIRST)).toBe('unknown_serial');
    later(-60_000);
    expect(await callbackBy(FIRST)).toBe('opened');
  });

  test('a list may be signed by a certificate that only comes in it', async () => {
    await start('certificates');
    answerWith({ ...listOf(FIRST, SECOND), signedBy: SECOND });
    expect(await callbackBy(FIRST)).toBe('opened');
  });

  const stranger = makeKeyPair();
  test.each<[string, FakeResponse, string]>([
    ['unsigned', { ...listOf(FIRST), signedBy: null }, 'signature: unsigned'],
    [
      'signed by a stranger under the right serial',
      { ...listOf(FIRST), signedBy: { ...stranger, serial: FIRST.serial } },
      'signature: bad_signature',
    ],
    [
      'signed by a serial that is not in it',
      { ...listOf(FIRST), signedBy: SECOND },
      'signature: unknown_serial',
    ],
    [
      'encrypted with another key',
      { status: 200, body: certificatesBody([FIRST], OLD_API_V3_KEY) },
      'no readable certificate',
    ],
    ['empty', { status: 200, body: '{"data":[]}' }, 'no readable certificate'],
    ['of another shape', { status: 200, body: '{"data":{}}' }, 'not a list of certificates'],
    ['not JSON', { status: 200, body: '<html>' }, 'not a list of certificates'],
    [
      'with a certificate under a wrong serial',
      listOf({ ...FIRST, serial: SECOND.serial }),
      'no readable certificate',
    ],
    [
      'with text that is no certificate',
      listOf({ ...FIRST, pem: 'hello' }),
      'no readable certificate',
    ],
    ['a refusal', { status: 403, body: '{"code":"NO_AUTH","message":"no"}' }, 'status 403'],
    ['longer than a list can be', listOf(...Array<Platform>(17).fill(FIRST)), 'not a list'],
  ])('a list that is %s is not used', async (_name, answer, detail) => {
    await start('certificates');
    answerWith(answer);
    expect(await callbackBy(FIRST)).toBe('unknown_serial');
    expect(bench.events).toEqual([
      {
        event: 'wechat.certificates_failed',
        detail: expect.stringContaining(detail) as unknown,
      },
    ]);
  });

  test('one unreadable certificate does not spoil the others', async () => {
    await start('certificates');
    answerWith(listOf({ ...SECOND, pem: 'hello' }, FIRST));
    expect(await callbackBy(FIRST)).toBe('opened');
  });

  test('during a rotation of the APIv3 key the previous key decrypts the list', async () => {
    await start('certificates');
    const client = bench.another({ apiV3Keys: [OLD_API_V3_KEY, API_V3_KEY] });
    answerWith(listOf(FIRST));
    await client.warmUp();
    expect(bench.events).toMatchObject([{ event: 'wechat.certificates_taken' }]);
  });

  test('a certificate counts only between its dates', async () => {
    await start('certificates');
    const soon = makePlatform('AA01', { notBeforeMs: NOW_MS + 60_000 });
    const ended = makePlatform('AA02', { notAfterMs: NOW_MS - 1_000 });
    answerWith(listOf(FIRST, soon, ended));
    expect(await callbackBy(soon)).toBe('unknown_serial');
    expect(await callbackBy(ended)).toBe('unknown_serial');
    expect(await callbackBy(FIRST)).toBe('opened');
    later(60_000);
    expect(await callbackBy(soon)).toBe('opened');
  });

  test('the start succeeds although WeChat does not respond', async () => {
    await start('certificates');
    answerWith({ status: 503 });
    await expect(bench.client.warmUp()).resolves.toBeUndefined();
  });

  test('a refresh fetches the list again, at most once per interval', async () => {
    await start('certificates');
    bench.fake.fallback = () => listOf(FIRST);
    await bench.client.warmUp();
    await bench.client.refreshCertificates();
    expect(fetches()).toBe(1);
    later(CERTIFICATE_FETCH_INTERVAL_MS);
    await bench.client.refreshCertificates();
    expect(fetches()).toBe(2);
  });

  test('a response’s unknown serial fetches the list too', async () => {
    await start('certificates');
    answerWith({ status: 200, body: JSON.stringify(PAYMENT) }, listOf(FIRST));
    const order = { outTradeNo: PAYMENT.out_trade_no, merchantId: PAYMENT.mchid };
    expect(await bench.client.query(order)).toMatchObject({ kind: 'ok' });
    expect(fetches()).toBe(1);
  });
});

describe('the public key of WeChat', () => {
  test('the public key is known by its id and is never fetched', async () => {
    await start('public_key');
    await bench.client.warmUp();
    await bench.client.refreshCertificates();
    expect(await callbackBy(bench.wechat)).toBe('opened');
    const other = { ...bench.wechat, serial: `${PUBLIC_KEY_ID}9` };
    expect(await callbackBy(other)).toBe('unknown_serial');
    expect(fetches()).toBe(0);
  });

  test('the public key works beside certificates while WeChat uses both', async () => {
    await start('public_key');
    answerWith({ ...listOf(FIRST), signedBy: bench.wechat });
    expect(await callbackBy(FIRST)).toBe('opened');
    expect(await callbackBy(bench.wechat)).toBe('opened');
    expect(await callbackBy(FIRST)).toBe('opened');
    expect(fetches()).toBe(1);
    expect(bench.fake.seen[0]?.headers['wechatpay-serial']).toBe(PUBLIC_KEY_ID);
  });
});

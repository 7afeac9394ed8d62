// Tests a table of unsafe values: production refuses each, development and test warn about it.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../config/paths';
import { PUBLISHED_SECRETS } from '../../config/published-secrets';
import { checkEnvironment } from '../../config/settings';
import {
  API_SECRETS,
  ENCRYPTION_KEYS,
  makeRsa,
  REQUIRED,
  RSA,
  WECHAT_RSA,
} from './support/environment';

type Change = Readonly<Record<string, string>>;
const check = (change: Change) => {
  const { problems, warnings } = checkEnvironment({ ...REQUIRED, ...change });
  return { problems, warnings };
};

const secret = () => randomBytes(24).toString('base64url');
const keys = (...entries: readonly string[]) => ({ ONCEPAY_API_KEYS: entries.join(',') });
const root = `root:admin:${API_SECRETS.root}`;
const encryption = (...list: readonly Buffer[]) => ({
  ONCEPAY_ENCRYPTION_KEYS: list.map((key, at) => `k${at}:${key.toString('base64')}`).join(','),
});
const wechatKey = (publicKey: string) => ({
  WECHATPAY_PUBLIC_KEY_ID: 'PUB_KEY_ID_0119000000012026112300447200000301',
  WECHATPAY_PUBLIC_KEY: publicKey,
});
const webhook = (value: string) => ({
  ONCEPAY_WEBHOOK_URL: 'https://shop.example/hooks',
  ONCEPAY_WEBHOOK_SECRET: value,
});
const database = (parameters: string) => ({
  DATABASE_URL: `postgresql://oncepay:pw@127.0.0.1/oncepay?${parameters}`,
});
const SHORT_RSA = makeRsa(1024);
const hashKey = REQUIRED['ONCEPAY_HASH_KEY'] ?? '';
const apiV3Key = REQUIRED['WECHATPAY_API_V3_KEY'] ?? '';
const [{ key: firstKey }] = ENCRYPTION_KEYS;

/** An unsafe value each, and the one finding about it. */
const UNSAFE: readonly (readonly [what: string, change: Change, finding: string])[] = [
  [
    'an API key of 31 characters',
    keys(root, `shop:merchant:${secret().slice(0, 31)}`),
    'ONCEPAY_API_KEYS must have at least 32 characters in each secret (shop)',
  ],
  [
    'an API key with a space',
    keys(root, `shop:merchant:${secret()} ${secret()}`),
    'ONCEPAY_API_KEYS must have secrets of visible ASCII characters, at most 512 in each (shop)',
  ],
  [
    'an API key in Chinese',
    keys(root, `shop:merchant:${'密钥'.repeat(20)}`),
    'ONCEPAY_API_KEYS must have secrets of visible ASCII characters, at most 512 in each (shop)',
  ],
  [
    'an API key longer than the api takes',
    keys(root, `shop:merchant:${secret().repeat(17)}`),
    'ONCEPAY_API_KEYS must have secrets of visible ASCII characters, at most 512 in each (shop)',
  ],
  [
    'no admin',
    keys(`shop:merchant:${secret()}`),
    'ONCEPAY_API_KEYS must have a key with the role admin',
  ],
  [
    'two names that differ by case',
    keys(root, `Root:operator:${secret()}`),
    'ONCEPAY_API_KEYS must not have names that differ only by case',
  ],
  [
    'a hash key of 31 characters',
    { ONCEPAY_HASH_KEY: hashKey.slice(0, 31) },
    'ONCEPAY_HASH_KEY must have at least 32 characters',
  ],
  [
    'an APIv3 key of the tests',
    { WECHATPAY_API_V3_KEY: 'an-api-v3-key-of-thirty-two-byte' },
    "WECHATPAY_API_V3_KEY must not be a secret that stands in Oncepay's public repository",
  ],
  [
    'a webhook secret of the tests',
    webhook('whsec_c2VjcmV0c2VjcmV0c2VjcmV0'),
    "ONCEPAY_WEBHOOK_SECRET must not be a secret that stands in Oncepay's public repository",
  ],
  [
    'an encryption key of one byte',
    encryption(Buffer.alloc(32, 1)),
    'ONCEPAY_ENCRYPTION_KEYS must be random, not one byte repeated',
  ],
  [
    'a hash key of one letter',
    { ONCEPAY_HASH_KEY: 'a'.repeat(40) },
    'ONCEPAY_HASH_KEY must be random, not one byte repeated',
  ],
  [
    'an APIv3 key of one letter',
    { WECHATPAY_API_V3_KEY: '0'.repeat(32) },
    'WECHATPAY_API_V3_KEY must be random, not one byte repeated',
  ],
  [
    'an API key of one letter',
    keys(root, `shop:merchant:${'x'.repeat(32)}`),
    'ONCEPAY_API_KEYS must be random, not one byte repeated',
  ],
  [
    'a webhook secret of one byte',
    webhook(`whsec_${Buffer.alloc(24, 7).toString('base64')}`),
    'ONCEPAY_WEBHOOK_SECRET must be random, not one byte repeated',
  ],
  [
    'the hash key as encryption key',
    encryption(Buffer.from(hashKey, 'base64')),
    'ONCEPAY_ENCRYPTION_KEYS must not have the value of ONCEPAY_HASH_KEY',
  ],
  [
    'the APIv3 key as API key',
    keys(root, `shop:merchant:${apiV3Key}`),
    'ONCEPAY_API_KEYS must not have the value of WECHATPAY_API_V3_KEY',
  ],
  [
    'the hash key as webhook secret',
    webhook(`whsec_${hashKey}`),
    'ONCEPAY_WEBHOOK_SECRET must not have the value of ONCEPAY_HASH_KEY',
  ],
  [
    'the current APIv3 key as the previous one',
    { WECHATPAY_API_V3_KEY_PREVIOUS: apiV3Key },
    'WECHATPAY_API_V3_KEY_PREVIOUS must not have the value of WECHATPAY_API_V3_KEY',
  ],
  [
    'one encryption key under two ids',
    encryption(firstKey, firstKey),
    'ONCEPAY_ENCRYPTION_KEYS must not have one key twice',
  ],
  [
    'a merchant key of 1024 bits',
    { WECHATPAY_MERCHANT_PRIVATE_KEY: SHORT_RSA.privateKey },
    'WECHATPAY_MERCHANT_PRIVATE_KEY must have at least 2048 bits',
  ],
  [
    'a key of WeChat of 1024 bits',
    wechatKey(SHORT_RSA.publicKey),
    'WECHATPAY_PUBLIC_KEY must have at least 2048 bits',
  ],
  [
    "the merchant's own public key as WeChat's",
    wechatKey(RSA.publicKey),
    "WECHATPAY_PUBLIC_KEY must be WeChat Pay's key, not the public half of the merchant's",
  ],
  [
    'another address than that of WeChat',
    { WECHATPAY_BASE_URL: 'https://api.mch.weixin.qq.com.example' },
    'WECHATPAY_BASE_URL must be https://api.mch.weixin.qq.com; to send payments to another ' +
      'address, set ONCEPAY_ALLOW_BASE_URL=on',
  ],
  [
    'TLS without certificates',
    { NODE_TLS_REJECT_UNAUTHORIZED: '0' },
    'NODE_TLS_REJECT_UNAUTHORIZED must not be 0: no server would have to prove who it is',
  ],
  [
    'a database whose certificate is not checked',
    database('sslmode=no-verify'),
    'DATABASE_URL must not have sslmode=no-verify: use verify-full',
  ],
  [
    'the same said by PGSSLMODE',
    { PGSSLMODE: 'no-verify' },
    'DATABASE_URL must not have sslmode=no-verify: use verify-full',
  ],
  ...['prisma:*', 'express,prisma:query', '*', 'prisma*'].map(
    (DEBUG) =>
      [
        `DEBUG=${DEBUG}`,
        { DEBUG },
        'DEBUG must not name prisma: it would write the values of every query to the log',
      ] as const,
  ),
  [
    'the log level trace',
    { ONCEPAY_LOG_LEVEL: 'trace' },
    'ONCEPAY_LOG_LEVEL must not be trace: use debug or less',
  ],
];

test.each(UNSAFE)('production refuses %s with one line', (_what, change, finding) => {
  for (const NODE_ENV of ['production', '']) {
    expect(check({ ...change, NODE_ENV })).toEqual({ problems: [finding], warnings: [] });
  }
});

test.each(UNSAFE)('development and test take %s with one warning', (_what, change, finding) => {
  for (const NODE_ENV of ['development', 'test']) {
    expect(check({ ...change, NODE_ENV })).toEqual({ problems: [], warnings: [finding] });
  }
});

test("production refuses the simulator's address", () => {
  expect(check({ ONCEPAY_SIMULATOR_URL: 'http://127.0.0.1:1' }).problems).toEqual([
    'ONCEPAY_SIMULATOR_URL must not be set: production has no simulator',
  ]);
});

test.each<[what: string, change: Change]>([
  ['API keys of 32 and of 512 characters', keys(root, `a:viewer:${'ab'.repeat(256)}`)],
  ["WeChat's key beside the merchant's", wechatKey(WECHAT_RSA.publicKey)],
  ["WeChat's second address", { WECHATPAY_BASE_URL: 'https://api2.mch.weixin.qq.com/' }],
  [
    'another address that is allowed',
    { WECHATPAY_BASE_URL: 'https://wechat.example', ONCEPAY_ALLOW_BASE_URL: 'on' },
  ],
  ['a database with verify-full', database('sslmode=verify-full')],
  ['DEBUG of another library', { DEBUG: 'express:*,-prisma:*' }],
])('production accepts %s without a warning', (_what, change) => {
  expect(check(change)).toEqual({ problems: [], warnings: [] });
});

describe('what is weak', () => {
  const folder = mkdtempSync(join(tmpdir(), 'oncepay-weak-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const DATABASE = 'DATABASE_URL leads to another host with an sslmode weaker than verify-full';
  const TEMPORAL = 'TEMPORAL_ADDRESS is another host, and the connection has no TLS';
  const at = (host: string, mode: string) => ({
    DATABASE_URL: `postgresql://oncepay:pw@${host}/oncepay${mode}`,
  });

  test.each<[change: Change, warnings: readonly string[]]>([
    [at('db.shop.example', ''), [DATABASE]],
    [at('db.shop.example', '?sslmode=require'), [DATABASE]],
    [at('db.shop.example', '?sslmode=verify-ca'), [DATABASE]],
    [at('db.shop.example', '?sslmode=verify-full'), []],
    [at('10.0.0.7', '?sslmode=disable'), [DATABASE]],
    [at('127.0.0.1', '?sslmode=disable'), []],
    [at('localhost', ''), []],
    [at('%2Fvar%2Frun%2Fpostgresql', ''), []],
    [{ TEMPORAL_ADDRESS: 'temporal:7233' }, [TEMPORAL]],
    [{ TEMPORAL_ADDRESS: 'localhost:7233' }, []],
    [{ TEMPORAL_ADDRESS: '[::1]:7233' }, []],
    [{ TEMPORAL_ADDRESS: 'temporal:7233', TEMPORAL_TLS: 'true' }, []],
    [{ TEMPORAL_ADDRESS: 'temporal:7233', TEMPORAL_API_KEY: 'key' }, []],
  ])('the environment with %j starts and warns with %j', (change, warnings) => {
    expect(check(change)).toEqual({ problems: [], warnings });
  });

  test.each([
    [0o604, ['ONCEPAY_HASH_KEY_FILE names a file that every user may read']],
    [0o640, []],
  ])('a secret in a file with the mode %o starts and warns with %j', (mode, warnings) => {
    const path = join(folder, `key-${mode}`);
    writeFileSync(path, hashKey, { mode });
    const change = { ONCEPAY_HASH_KEY: '', ONCEPAY_HASH_KEY_FILE: path };
    expect(check(change)).toEqual({ problems: [], warnings });
  });
});

test('each text of this repository that could be a secret is in the list of published ones', () => {
  const files = execFileSync('git', ['ls-files', '-z'], { cwd: packageRoot(), encoding: 'utf8' })
    .split('\0')
    .filter((file) => /\.(ts|cjs|mjs|md|yml|sql|sh)$/.test(file) && file !== 'package-lock.json');
  const found = new Set<string>();
  for (const file of files) {
    const text = readFileSync(join(packageRoot(), file), 'utf8');
    // A webhook secret, an encryption key, or the value of a variable that holds one of the others.
    for (const [value] of text.matchAll(/whsec_[A-Za-z0-9+/]{16,}={0,2}/g)) found.add(value);
    for (const [, value = ''] of text.matchAll(/\b\w+:([A-Za-z0-9+/]{43}=)/g)) found.add(value);
    for (const [, value = ''] of text.matchAll(
      /\b(?:ONCEPAY_HASH_KEY|WECHATPAY_API_V3_KEY(?:_PREVIOUS)?)\b['"]?[:=]\s*['"]?([\w-]{16,})/g,
    )) {
      if (/[a-z]/.test(value) && value !== 'randomBytes') found.add(value);
    }
    expect([file, /BEGIN (RSA )?PRIVATE KEY-{5}\s*\n[\w+/]{40}/.test(text)]).toEqual([file, false]);
  }
  expect([...found].filter((value) => !PUBLISHED_SECRETS.includes(value))).toEqual([]);
});

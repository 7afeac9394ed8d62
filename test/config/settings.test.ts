// Tests the settings read from the environment, and the errors about bad variables.
import { createHash, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { loadSettings } from '../../config/settings';
import { TASK_QUEUE_NAMES } from '../../domain/temporal/task-queues';
import {
  API_SECRETS,
  ELLIPTIC,
  ENCRYPTION_KEYS,
  problems,
  REQUIRED,
  RSA,
  WECHAT_RSA,
  type Variables,
} from './support/environment';

const sha256 = (text: string) => createHash('sha256').update(text).digest();
const load = (change: Variables = {}) => loadSettings({ ...REQUIRED, ...change });

const problemsWith = (change: Variables) => problems({ ...REQUIRED, ...change });

describe('a complete environment', () => {
  test('an environment with only the required variables gets the defaults of all others', () => {
    const settings = load();
    expect(settings).toMatchObject({
      profile: 'production',
      logLevel: 'info',
      port: 8080,
      host: null,
      databaseUrl: REQUIRED['DATABASE_URL'],
      temporal: { connection: { address: '127.0.0.1:7233' }, namespace: 'default' },
      webhook: null,
      paymentWindowMs: 30 * 60_000,
      queryGapsMs: [30_000, 60_000, 120_000, 300_000, 600_000],
      taskQueues: TASK_QUEUE_NAMES,
      apiRoles: new Set(['callbacks', 'api', 'ops']),
      buildId: null,
    });
    expect(settings.wechatpay).toMatchObject({
      baseUrl: 'https://api.mch.weixin.qq.com',
      appId: REQUIRED['WECHATPAY_APP_ID'],
      merchantId: REQUIRED['WECHATPAY_MERCHANT_ID'],
      merchantSerial: REQUIRED['WECHATPAY_MERCHANT_SERIAL'],
      notifyUrl: REQUIRED['WECHATPAY_NOTIFY_URL'],
      publicKey: null,
    });
  });

  test('API keys are kept as hashes with their client and role', () => {
    expect(load().apiKeys).toEqual([
      { client: 'shop', role: 'merchant', secretHash: sha256(API_SECRETS.shop) },
      { client: 'root', role: 'admin', secretHash: sha256(API_SECRETS.root) },
    ]);
  });

  test('the secret of an API key may contain a colon', () => {
    const { apiKeys } = load({ NODE_ENV: 'test', ONCEPAY_API_KEYS: 'a:viewer:x:y' });
    expect(apiKeys).toEqual([{ client: 'a', role: 'viewer', secretHash: sha256('x:y') }]);
  });

  test('encryption keys keep their order, because the first one encrypts', () => {
    expect(load().encryptionKeys).toEqual(ENCRYPTION_KEYS);
  });

  test('the current APIv3 key comes before the previous one', () => {
    const previous = randomBytes(16).toString('hex');
    expect(load({ WECHATPAY_API_V3_KEY_PREVIOUS: previous }).wechatpay.apiV3Keys).toEqual([
      Buffer.from(REQUIRED['WECHATPAY_API_V3_KEY'] ?? ''),
      Buffer.from(previous),
    ]);
  });

  test('all optional variables are read when they are set', () => {
    const secret = `whsec_${randomBytes(24).toString('base64')}`;
    const settings = load({
      NODE_ENV: 'test',
      ONCEPAY_LOG_LEVEL: 'debug',
      TEMPORAL_NAMESPACE: 'shop',
      TEMPORAL_API_KEY: 'temporal-key',
      WECHATPAY_BASE_URL: 'http://127.0.0.1:9000/',
      ONCEPAY_WEBHOOK_URL: 'https://shop.example/hooks?of=oncepay',
      ONCEPAY_WEBHOOK_SECRET: secret,
      ONCEPAY_PAYMENT_WINDOW: '90s',
      ONCEPAY_QUERY_SCHEDULE: '500ms, 2s,1h',
      ONCEPAY_TASK_QUEUES: 'oncepay-outbound, oncepay-orders',
      ONCEPAY_API_ROLES: 'ops, callbacks',
      ONCEPAY_BUILD_ID: '1.2.3-rc.1',
    });
    expect(settings).toMatchObject({
      profile: 'test',
      logLevel: 'debug',
      temporal: { namespace: 'shop', connection: { apiKey: 'temporal-key', tls: true } },
      webhook: { url: 'https://shop.example/hooks?of=oncepay', secret },
      paymentWindowMs: 90_000,
      queryGapsMs: [500, 2_000, 3_600_000],
      taskQueues: ['oncepay-orders', 'oncepay-outbound'],
      apiRoles: new Set(['callbacks', 'ops']),
      buildId: '1.2.3-rc.1',
    });
    expect(settings.wechatpay.baseUrl).toBe('http://127.0.0.1:9000');
  });

  test.each([
    ['development', 'info'],
    ['test', 'warn'],
    ['production', 'info'],
    ['', 'info'],
  ])('an environment with NODE_ENV %j logs at the level %s', (NODE_ENV, expected) => {
    expect(load({ NODE_ENV }).logLevel).toBe(expected);
  });
});

describe('a missing variable', () => {
  test.each(Object.keys(REQUIRED))('the error names %s when it is missing or empty', (name) => {
    expect(problemsWith({ [name]: undefined })).toEqual([`${name} is missing`]);
    expect(problemsWith({ [name]: '' })).toEqual([`${name} is missing`]);
  });

  test('one error names all missing variables', () => {
    const expected = Object.keys(REQUIRED).map((name) => `${name} is missing`);
    expect(problems({}).toSorted()).toEqual(expected.toSorted());
    expect(() => loadSettings({})).toThrow(
      /^Correct these environment variables, then start again:\n/,
    );
  });
});

/** One bad value each, with what the message says of it. */
const BAD: readonly (readonly [string, string, RegExp])[] = [
  ['NODE_ENV', 'staging-7', /must be development, test or production/],
  ['ONCEPAY_LOG_LEVEL', 'loud-7', /must be trace, debug/],
  ['PORT', '80a7', /must be a port number/],
  ['PORT', '65536', /must be a port number/],
  ['PORT', '-1', /must be a port number/],
  ['DATABASE_URL', 'mysql://u:p-7@h/d', /must be a postgresql:\/\/ URL/],
  ['DATABASE_URL', 'no-url-7', /must be a postgresql:\/\/ URL/],
  ['DATABASE_URL', 'postgresql://u:p-7@h/d?schema=', /must have one schema after `schema=`/],
  ['TEMPORAL_ADDRESS', 'http://temporal-7:7233', /must be host:port/],
  ['TEMPORAL_ADDRESS', 'temporal-7 7233', /must be host:port/],
  ['WECHATPAY_BASE_URL', 'http://wechat-7.example', /must start with https:\/\//],
  ['WECHATPAY_APP_ID', 'wx 7!', /must be 1–32 letters, digits or underscores/],
  ['WECHATPAY_MERCHANT_ID', 'mch-7', /must be 1–32 digits/],
  ['WECHATPAY_MERCHANT_SERIAL', '7 7', /must be 1–64 letters, digits, hyphens or underscores/],
  ['WECHATPAY_MERCHANT_PRIVATE_KEY', 'key-7', /must be an RSA private key as PEM text/],
  ['WECHATPAY_MERCHANT_PRIVATE_KEY', RSA.publicKey, /must be an RSA private key as PEM text/],
  ['WECHATPAY_MERCHANT_PRIVATE_KEY', ELLIPTIC.privateKey, /must be an RSA private key/],
  ['WECHATPAY_MERCHANT_PRIVATE_KEY', RSA.privateKey.slice(0, 400), /must be an RSA private key/],
  ['WECHATPAY_API_V3_KEY', 'thirty-one-bytes-are-not-enough', /must be 32 bytes long/],
  [
    'WECHATPAY_API_V3_KEY_PREVIOUS',
    '三十二个字符但不是三十二个字节三十二个字符但不是三十二个字节三四',
    /must be 32 bytes/,
  ],
  ['WECHATPAY_NOTIFY_URL', 'pay-7.example/x', /must be a URL/],
  ['WECHATPAY_NOTIFY_URL', 'https://pay-7.example/x?a=1', /must have no query string/],
  ['WECHATPAY_NOTIFY_URL', 'https://pay-7.example/x?', /must have no query string/],
  ['WECHATPAY_NOTIFY_URL', ' https://pay-7.example/x', /must be a URL/],
  ['WECHATPAY_NOTIFY_URL', 'https://pay-7.example/\nx', /must be a URL/],
  ['WECHATPAY_NOTIFY_URL', 'https://u:p-7@pay.example/x', /must not contain a user or a password/],
  ['WECHATPAY_NOTIFY_URL', 'ftp://pay-7.example/x', /must start with https:\/\//],
  ['ONCEPAY_API_KEYS', 'shop:owner:secret-7', /must be name:role:secret,… with a role of merchant/],
  ['ONCEPAY_API_KEYS', 'secret-7', /must be name:role:secret/],
  ['ONCEPAY_API_KEYS', 'a:viewer:secret-7,', /must be name:role:secret/],
  [
    'ONCEPAY_ENCRYPTION_KEYS',
    'a:c2hvcnQtNw==',
    /with a different id for each key and 32 bytes in each/,
  ],
  [
    'ONCEPAY_ENCRYPTION_KEYS',
    `a:${'!'.repeat(44)}`,
    /with a different id for each key and 32 bytes in each/,
  ],
  [
    'ONCEPAY_ENCRYPTION_KEYS',
    `${'A'.repeat(43)}=`,
    /with a different id for each key and 32 bytes in each/,
  ],
  ['ONCEPAY_HASH_KEY', 'too-short-7', /must have at least 16 characters/],
  ['ONCEPAY_PAYMENT_WINDOW', '30', /must be a time like 30s, 5m, 1h, from 1s to 7d/],
  ['ONCEPAY_PAYMENT_WINDOW', '8d', /from 1s to 7d/],
  ['ONCEPAY_PAYMENT_WINDOW', '999ms', /from 1s to 7d/],
  ['ONCEPAY_QUERY_SCHEDULE', '30s,0s', /must be times like 30s,1m,2m, each up to 7d/],
  ['ONCEPAY_QUERY_SCHEDULE', '30s,,1m', /must be times like/],
  ['ONCEPAY_QUERY_SCHEDULE', '999999999d', /each up to 7d/],
  ['ONCEPAY_TASK_QUEUES', 'oncepay-orders,other-7', /must be one or more of oncepay-orders, /],
  ['ONCEPAY_HOST', 'host 7', /must be an address of this host/],
  ['ONCEPAY_ALLOW_BASE_URL', 'yes-7', /must be off or on/],
  ['ONCEPAY_API_ROLES', 'api,web-7', /must be one or more of callbacks, api, ops/],
  ['ONCEPAY_API_ROLES', 'api,', /must be one or more of callbacks, api, ops/],
  ['ONCEPAY_API_ROLES', '', /is empty: name its roles, or leave it out/],
  ['ONCEPAY_BUILD_ID', 'a b-7', /must be 1–128 letters, digits/],
  ['TEMPORAL_PROFILE', 'profile-7', /can't be read, or contradict each other/],
  ['TEMPORAL_CONFIG_FILE', tmpdir(), /can't be read, or contradict each other/],
  ['TEMPORAL_TLS_CLIENT_CERT_PATH', '/no/such/file-7', /can't be read, or contradict each other/],
];

describe('a bad variable', () => {
  test.each(BAD)(
    'the bad value %s=%j is reported by its name and not quoted: %s',
    (name, value, expected) => {
      const lines = problemsWith({ [name]: value });
      expect(lines).toHaveLength(1);
      expect(lines[0]).toMatch(new RegExp(`^${name} `));
      expect(lines[0]).toMatch(expected);
      // Numbers and units are in the examples of the messages; anything longer would be the value.
      if (value.length > 5) expect(lines[0]).not.toContain(value);
    },
  );

  test('one error names all bad and missing variables', () => {
    const bad = Object.fromEntries(BAD.map(([name, value]) => [name, value]));
    const { ONCEPAY_HASH_KEY: _, ...rest } = { ...REQUIRED, ...bad };
    const lines = problems({ ...rest, ONCEPAY_WEBHOOK_URL: 'nothing' }).join('\n');
    for (const [name, value] of Object.entries(bad)) {
      expect(lines).toContain(name);
      if (value.length > 5 && name !== 'ONCEPAY_TASK_QUEUES') expect(lines).not.toContain(value);
    }
    expect(lines).toContain('ONCEPAY_HASH_KEY is missing');
    expect(lines).toContain('ONCEPAY_WEBHOOK_URL must be a URL');
    expect(lines).not.toMatch(/-7/);
  });

  test('the error quotes no value, whatever values all the variables have', () => {
    const marker = 'MARKER-OF-A-VALUE';
    const names = [...new Set([...Object.keys(REQUIRED), ...BAD.map(([name]) => name)])];
    const everywhere = Object.fromEntries(names.map((name) => [name, `§${marker}§`]));
    expect(problems(everywhere).join('\n')).not.toContain(marker);
  });
});

describe('what belongs together', () => {
  const id = 'PUB_KEY_ID_0119000000012026112300447200000301';

  test("WeChat's public key and its id are read together", () => {
    const env = { WECHATPAY_PUBLIC_KEY_ID: id, WECHATPAY_PUBLIC_KEY: WECHAT_RSA.publicKey };
    const { publicKey } = load(env).wechatpay;
    expect(publicKey?.id).toBe(id);
    expect(publicKey?.key.export({ type: 'spki', format: 'pem' })).toBe(WECHAT_RSA.publicKey);
  });

  test.each<[string, Variables, string[]]>([
    [
      'the id alone',
      { WECHATPAY_PUBLIC_KEY_ID: id },
      ['WECHATPAY_PUBLIC_KEY_ID and WECHATPAY_PUBLIC_KEY must be set together'],
    ],
    [
      'the key alone',
      { WECHATPAY_PUBLIC_KEY: WECHAT_RSA.publicKey },
      ['WECHATPAY_PUBLIC_KEY_ID and WECHATPAY_PUBLIC_KEY must be set together'],
    ],
    [
      'an id of another shape',
      { WECHATPAY_PUBLIC_KEY_ID: '0119', WECHATPAY_PUBLIC_KEY: WECHAT_RSA.publicKey },
      ['WECHATPAY_PUBLIC_KEY_ID must start with PUB_KEY_ID_'],
    ],
    [
      'an elliptic key',
      { WECHATPAY_PUBLIC_KEY_ID: id, WECHATPAY_PUBLIC_KEY: ELLIPTIC.publicKey },
      ['WECHATPAY_PUBLIC_KEY must be an RSA public key as PEM text'],
    ],
    [
      'the address of webhooks without their secret',
      { ONCEPAY_WEBHOOK_URL: 'https://shop.example/hooks' },
      ['ONCEPAY_WEBHOOK_URL and ONCEPAY_WEBHOOK_SECRET must be set together'],
    ],
    [
      'a secret of webhooks that is not base64',
      { ONCEPAY_WEBHOOK_URL: 'https://shop.example/', ONCEPAY_WEBHOOK_SECRET: 'whsec_§' },
      ['ONCEPAY_WEBHOOK_SECRET must be whsec_ followed by base64'],
    ],
    [
      'an empty secret of webhooks',
      { ONCEPAY_WEBHOOK_URL: 'https://shop.example/', ONCEPAY_WEBHOOK_SECRET: 'whsec_' },
      ['ONCEPAY_WEBHOOK_SECRET must be whsec_ followed by base64'],
    ],
  ])('an environment with %s is refused', (_what, change, expected) => {
    expect(problemsWith(change)).toEqual(expected);
  });
});

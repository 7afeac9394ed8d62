// Tests the forms in which the environment gives values: files, PEM text, addresses, times.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatDuration, parseDurationMs } from '../../config/durations';
import { ConfigurationError, loadDatabaseUrl, loadSettings } from '../../config/settings';
import { REQUIRED, RSA, WECHAT_RSA, type Variables } from './support/environment';

const folder = mkdtempSync(join(tmpdir(), 'oncepay-settings-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

function message(load: () => unknown): string {
  try {
    load();
    return '';
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.message;
  }
}

const SECRET = randomBytes(24).toString('base64');
const PUBLIC_KEY_ID = 'PUB_KEY_ID_0119000000012026112300447200000301';
const SECRETS = [
  'DATABASE_URL',
  'WECHATPAY_MERCHANT_PRIVATE_KEY',
  'WECHATPAY_API_V3_KEY',
  'ONCEPAY_API_KEYS',
  'ONCEPAY_ENCRYPTION_KEYS',
  'ONCEPAY_HASH_KEY',
] as const;

describe('a secret in a file', () => {
  test.each(SECRETS)('the secret %s is read from the file in %s_FILE', (name) => {
    const value = REQUIRED[name] ?? '';
    for (const end of ['', '\n', '\r\n']) {
      const env = { ...REQUIRED, [name]: undefined, [`${name}_FILE`]: file(name, value + end) };
      const { merchantPrivateKey, ...wechatpay } = loadSettings(env).wechatpay;
      const expected = loadSettings(REQUIRED);
      const { merchantPrivateKey: expectedKey, ...expectedWechatpay } = expected.wechatpay;
      expect(merchantPrivateKey.equals(expectedKey)).toBe(true);
      expect(wechatpay).toEqual(expectedWechatpay);
      expect({ ...loadSettings(env), wechatpay: null }).toEqual({ ...expected, wechatpay: null });
    }
  });

  test('a secret from a file keeps every character but the last line break', () => {
    const path = file('hash-key', ' a key of 32 characters with white space \n\n');
    const { hashKey } = loadSettings({
      ...REQUIRED,
      ONCEPAY_HASH_KEY: undefined,
      ONCEPAY_HASH_KEY_FILE: path,
    });
    expect(hashKey.toString()).toBe(' a key of 32 characters with white space \n');
  });

  test("WeChat's public key, the webhook secret and Temporal's key can be files too", () => {
    const settings = loadSettings({
      ...REQUIRED,
      WECHATPAY_PUBLIC_KEY_ID: PUBLIC_KEY_ID,
      WECHATPAY_PUBLIC_KEY_FILE: file('public-key', WECHAT_RSA.publicKey),
      ONCEPAY_WEBHOOK_URL: 'https://shop.example/hooks',
      ONCEPAY_WEBHOOK_SECRET_FILE: file('webhook', `whsec_${SECRET}\n`),
      TEMPORAL_API_KEY_FILE: file('temporal', 'temporal-key\n'),
      FEISHU_APP_SECRET_FILE: file('feishu', 'x'),
    });
    expect(settings.wechatpay.publicKey?.id).toBe(PUBLIC_KEY_ID);
    expect(settings.webhook?.secret).toBe(`whsec_${SECRET}`);
    expect(settings.temporal.connection).toMatchObject({ apiKey: 'temporal-key' });
  });

  test.each<[string, Variables, string]>([
    [
      'a missing file is named once, without its path',
      { ONCEPAY_HASH_KEY: undefined, ONCEPAY_HASH_KEY_FILE: '/no/such/file' },
      "  ONCEPAY_HASH_KEY_FILE names a file that can't be read",
    ],
    [
      'a missing file counts as given for the check of pairs',
      { WECHATPAY_PUBLIC_KEY_ID: PUBLIC_KEY_ID, WECHATPAY_PUBLIC_KEY_FILE: '/no/such/file' },
      "  WECHATPAY_PUBLIC_KEY_FILE names a file that can't be read",
    ],
    [
      'the file and the variable itself are both set',
      { ONCEPAY_HASH_KEY_FILE: '/no/such/file' },
      '  ONCEPAY_HASH_KEY and ONCEPAY_HASH_KEY_FILE are both set: remove one of them',
    ],
    [
      'a bad value in the file is named by the variable, and not quoted',
      { WECHATPAY_API_V3_KEY: undefined, WECHATPAY_API_V3_KEY_FILE: file('short', 'short-key') },
      '  WECHATPAY_API_V3_KEY must be 32 bytes long',
    ],
  ])('a secret from a file, bad in this way, is reported: %s', (_what, change, expected) => {
    const text = message(() => loadSettings({ ...REQUIRED, ...change }));
    expect(text).toBe(`Correct these environment variables, then start again:\n${expected}`);
  });
});

describe('a key as PEM text', () => {
  test.each([
    ['with line breaks', RSA.privateKey],
    ['with \\n written out', RSA.privateKey.replaceAll('\n', '\\n')],
    ['with CR LF', RSA.privateKey.replaceAll('\n', '\r\n')],
    ['without its last line break', RSA.privateKey.trim()],
  ])('a key as PEM text is read %s', (_how, text) => {
    const { wechatpay } = loadSettings({ ...REQUIRED, WECHATPAY_MERCHANT_PRIVATE_KEY: text });
    const read = wechatpay.merchantPrivateKey.export({ type: 'pkcs8', format: 'pem' });
    expect(read).toBe(RSA.privateKey);
  });
});

describe('the scheme of an address', () => {
  const PLAIN = 'must start with https:// (http:// is accepted for loopback addresses only)';
  const STRICT = 'must start with https://';

  // Address → what is said of it outside production, and in production.
  test.each([
    ['https://pay.shop.example', null, null],
    ['https://pay.shop.example:8443/x', null, null],
    ['http://127.0.0.1:9000', null, STRICT],
    ['http://127.8.9.1', null, STRICT],
    ['http://localhost:9000', null, STRICT],
    ['http://[::1]:9000', null, STRICT],
    ['http://pay.shop.example', PLAIN, STRICT],
    ['http://localhost.shop.example', PLAIN, STRICT],
    ['http://127.0.0.1.shop.example', PLAIN, STRICT],
    ['http://10.0.0.1', PLAIN, STRICT],
    ['http://0.0.0.0', PLAIN, STRICT],
    ['file:///etc/passwd', PLAIN, STRICT],
  ])(
    'the address %s is accepted outside production: %p, in production: %p',
    (address, outside, inside) => {
      const names = ['WECHATPAY_BASE_URL', 'WECHATPAY_NOTIFY_URL', 'ONCEPAY_WEBHOOK_URL'];
      const addresses = Object.fromEntries(names.map((name) => [name, address]));
      const env = {
        ...REQUIRED,
        ...addresses,
        ONCEPAY_ALLOW_BASE_URL: 'on',
        ONCEPAY_WEBHOOK_SECRET: `whsec_${SECRET}`,
      };
      for (const [NODE_ENV, expected] of [
        ['development', outside],
        ['test', outside],
        ['production', inside],
      ] as const) {
        const text = message(() => loadSettings({ ...env, NODE_ENV }));
        const lines = text.split('\n').slice(1);
        expect(lines).toEqual(
          expected === null ? [] : names.map((name) => `  ${name} ${expected}`),
        );
      }
    },
  );
});

describe('the database alone, for the migrations', () => {
  const url = 'postgres://oncepay@127.0.0.1/oncepay';

  test('the database URL alone is read from its variable or file without the others', () => {
    expect(loadDatabaseUrl({ DATABASE_URL: url })).toBe(url);
    expect(loadDatabaseUrl({ DATABASE_URL_FILE: file('database', `${url}\n`) })).toBe(url);
  });

  test.each<[string, Variables, string]>([
    ['missing', {}, 'DATABASE_URL is missing'],
    ['empty', { DATABASE_URL: '' }, 'DATABASE_URL is missing'],
    ['of another kind', { DATABASE_URL: 'mysql://x' }, 'DATABASE_URL must be a postgresql:// URL'],
    [
      'with a schema of PostgreSQL itself',
      { DATABASE_URL: `${url}?schema=pg_catalog` },
      'DATABASE_URL must have one schema after `schema=`: up to 63 letters, digits or ' +
        'underscores, no name that begins with pg_',
    ],
    [
      'in no file',
      { DATABASE_URL_FILE: '/no' },
      "DATABASE_URL_FILE names a file that can't be read",
    ],
    [
      'given twice',
      { DATABASE_URL: url, DATABASE_URL_FILE: '/no' },
      'DATABASE_URL and DATABASE_URL_FILE are both set: remove one of them',
    ],
  ])('the database URL alone is refused when it is %s', (_how, env, expected) => {
    expect(message(() => loadDatabaseUrl(env))).toBe(expected);
  });
});

describe('a time', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['2d', 172_800_000],
    ['0s', 0],
    [' 30s ', 30_000],
    ['030s', 30_000],
    ['30', null],
    ['s', null],
    ['', null],
    ['-1s', null],
    ['1.5h', null],
    ['1h30m', null],
    ['30 s', null],
    ['30S', null],
    ['1w', null],
    ['1e3s', null],
    ['９s', null],
    ['1234567890s', null],
  ])('the time %j is parsed as %p ms', (text, expected) => {
    expect(parseDurationMs(text)).toBe(expected);
  });

  test.each([
    [1, '1ms'],
    [1_000, '1s'],
    [1_500, '1500ms'],
    [90_000, '90s'],
    [300_000, '5m'],
    [86_400_000, '1d'],
    [604_800_000, '7d'],
  ])('a time of %d ms is written as %s and parsed back', (ms, expected) => {
    expect(formatDuration(ms)).toBe(expected);
    expect(parseDurationMs(expected)).toBe(ms);
  });

  test.each([
    ['1s', 1_000],
    ['7d', 604_800_000],
  ])(
    'a payment window of %s, a limit of its range, is accepted',
    (ONCEPAY_PAYMENT_WINDOW, expected) => {
      const settings = loadSettings({ ...REQUIRED, ONCEPAY_PAYMENT_WINDOW });
      expect(settings.paymentWindowMs).toBe(expected);
    },
  );
});

// The findings at the start: `--check` of api and worker, and the warnings of a started process.
import { randomBytes } from 'node:crypto';
import type { TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

const SCRIPTS = ['dist/api/main.js', 'dist/workers/main.js'] as const;

/** Runs `--check` of a process. @returns its exit code and the lines that it printed */
async function check(script: string, change: Readonly<Record<string, string>> = {}) {
  const checked = await oncepay.stack.spawn(`check-${randomBytes(4).toString('hex')}`, {
    script,
    argv: ['--check'],
    env: { ...oncepay.env, PORT: '0', ...change },
  });
  const code = await checked.exited;
  return { code, lines: (await checked.output()).trim().split('\n') };
}

/** Values that production takes, of an Oncepay whose WeChat is a simulator. */
const forProduction = () => ({
  NODE_ENV: 'production',
  WECHATPAY_BASE_URL: 'https://api.mch.weixin.qq.com',
  WECHATPAY_NOTIFY_URL: 'https://pay.shop.example/callbacks/wechat',
  ONCEPAY_WEBHOOK_URL: 'https://shop.example/hooks',
});

test.each(SCRIPTS)(
  '%s --check of a good production ends with 0 and serves nothing',
  async (one) => {
    const { code, lines } = await check(one, forProduction());
    expect(lines.filter((line) => !line.startsWith('WARN '))).toEqual([
      expect.stringMatching(/^0 to correct before the start, \d+ warnings$/),
    ]);
    expect(code).toBe(0);
  },
);

test.each(SCRIPTS)('%s --check prints every finding and ends with 1', async (script) => {
  const { code, lines } = await check(script, {
    ...forProduction(),
    NODE_ENV: '',
    ONCEPAY_TWO_PERSON_FENS: '0',
    ONCEPAY_CONSOLE: 'off',
    ONCEPAY_HASH_KEY: 'short',
    DEBUG: 'prisma:*',
  });
  expect(code).toBe(1);
  expect(lines).toEqual([
    'ERROR  ONCEPAY_TWO_PERSON_FENS is unknown; the nearest known name is ONCEPAY_TWO_PERSON_FEN',
    'ERROR  ONCEPAY_HASH_KEY must have at least 16 characters',
    'ERROR  DEBUG must not name prisma: it would write the values of every query to the log',
    'WARN   ONCEPAY_CONSOLE has no effect: this version does not use it yet',
    'WARN   The database was not checked, because of the errors above',
    '3 to correct before the start, 2 warnings',
  ]);
});

test('--check says that the database is away', async () => {
  const { lines, code } = await check(SCRIPTS[0], {
    ...forProduction(),
    DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/nothing',
  });
  expect(lines[0]).toMatch(/^WARN {3}DATABASE_URL: the database is away: /);
  expect(code).toBe(0);
});

test('a started process has logged a warning for its base URL, and starts', async () => {
  const [api] = oncepay.apis;
  const warned = (await api?.output()) ?? '';
  const lines = warned.split('\n').filter((line) => line.includes('"config.warning"'));
  expect(lines.filter((line) => line.includes('WECHATPAY_BASE_URL'))).toHaveLength(1);
});

// Holds the READMEs, docs/integrate and docs/operate to the code, in both languages.
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../config/paths';
import { LATER_NAMES } from '../../config/known-names';
import { ENVIRONMENT_NAMES } from '../../config/settings';
import { WEBHOOK_EVENT_NAMES } from '../../domain/outbound/webhook-events';
import { INTERVENTION_REASONS } from '../../domain/interventions/reasons';
import { ORDER_STATUSES } from '../../domain/orders/order-state';
import { RECEIVER_RESULTS, SHARING_STATUSES } from '../../domain/sharing/profit-sharing';
import { REFUND_STATUSES } from '../../domain/refunds/refund-state';
import { RUNTIME_SETTING_NAMES } from '../../domain/settings/runtime-settings';
import { openApi, operationsOf } from '../api/support/openapi-document';
import type { TestOncepay } from '../support/oncepay';
import { sharedOncepay } from '../support/share-oncepay';

const LANGUAGES = ['English', 'Chinese'] as const;
type Language = (typeof LANGUAGES)[number];
const TRANSLATED = [
  'README.md',
  'docs/integrate/idempotency.md',
  'docs/integrate/quickstart.md',
  'docs/integrate/reference.md',
  'docs/integrate/refunds.md',
  'docs/integrate/sharing.md',
  'docs/integrate/webhooks.md',
  'docs/operate/configuration.md',
  'docs/operate/running.md',
];
/** A README that nobody reads to its end helps nobody; the rest is in docs/. */
const README_BYTES = 8 * 1_024;

const read = (file: string) => readFileSync(join(packageRoot(), file), 'utf8');
const fileIn = (language: Language, file: string) =>
  language === 'English' ? file : file.replace(/\.md$/, '.zh-CN.md');
const pageIn = (language: Language, file: string) => read(fileIn(language, file));

/** Not of the API, so not in its document. */
const WATCHED = ['GET /healthz', 'GET /readyz', 'GET /metrics'];
/** Temporal's own, of which the page names two. */
const OF_TEMPORAL = ['TEMPORAL_NAMESPACE', 'TEMPORAL_API_KEY'];
/** Named by rule S17: the first change of a released workflow makes it. */
const NOT_YET = ['workflows/patches.ts'];

let oncepay: TestOncepay;
let documented: string[];
beforeAll(async () => {
  oncepay = sharedOncepay();
  const { body } = await oncepay.call('GET', '/openapi.json');
  documented = operationsOf(openApi.parse(body)).map(({ method, path, parameters = [] }) => {
    const query = parameters.filter(({ in: place }) => place === 'query').map(({ name }) => name);
    return callOf(method, path, query);
  });
});

/** The same text for the same call, whatever its parameters are called. */
function callOf(method: string, path: string, query: readonly string[]): string {
  const names = [...query].sort().join('&');
  const address = path.replaceAll(/\{\w+\}/g, '{}');
  return `${method.toUpperCase()} ${address}${names === '' ? '' : `?${names}`}`;
}

const named = (text: string) => [...text.matchAll(/`([^`\n]+)`/g)].map(([, name = '']) => name);

/** Every call that a page names; in a table, `…` stands for the row's first address. */
function callsIn(page: string): string[] {
  const calls = page.split('\n').flatMap((line) => {
    const isRow = line.startsWith('|');
    let first = '';
    return named(line).flatMap((name) => {
      const [, method, address = ''] = /^(GET|POST|PUT|DELETE) ([/…].*)$/.exec(name) ?? [];
      if (method === undefined || (!isRow && address.includes('…'))) return [];
      const [path = '', query = ''] = address.replace('…', first).split('?');
      first ||= path;
      const fields = query.split('&').filter((one) => one !== '' && isRow);
      return [
        callOf(
          method,
          path,
          fields.map((one) => one.replace(/=.*$/, '')),
        ),
      ];
    });
  });
  return [...new Set(calls)];
}

/** The names in the first column of the table below this header. */
function firstColumn(page: string, header: RegExp): string[] {
  const lines = page.split('\n');
  const start = lines.findIndex((line) => header.test(line));
  if (start < 0) throw new Error(`no table ${String(header)}`);
  const rest = lines.slice(start + 2);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(0, end < 0 ? rest.length : end).flatMap((line) => {
    return named(line.split('|')[1] ?? '');
  });
}

/** The parts of a page, the same in both languages: headings, code, rows, items. */
function outlineOf(page: string): string[] {
  return page.split('\n').flatMap((line) => /^(#+ |```\w+|\||- )/.exec(line)?.[1] ?? []);
}

/** The whole commands of a page that send something to the api. */
function curlsIn(page: string): string[] {
  const blocks = [...page.matchAll(/```sh\n([^]*?)```/g)].map(([, text = '']) => text);
  return blocks.filter((text) => text.includes('curl') && text.includes('"$API'));
}

describe.each(LANGUAGES)('in %s', (language) => {
  const every = TRANSLATED.map((file) => fileIn(language, file));

  test('docs/integrate/reference.md names every HTTP call with its query', () => {
    const calls = callsIn(pageIn(language, 'docs/integrate/reference.md'));
    expect(documented.filter((call) => !calls.includes(call))).toEqual([]);
  });

  test.each(every)('%s names no HTTP call that does not exist', (file) => {
    // In running text without its query.
    const known = [...documented, ...documented.map((call) => call.replace(/\?.*$/, ''))];
    const unknown = callsIn(read(file)).filter((call) => ![...known, ...WATCHED].includes(call));
    expect(unknown).toEqual([]);
  });

  test('docs/operate/running.md has a row for each reason of an intervention', () => {
    const reasons = firstColumn(pageIn(language, 'docs/operate/running.md'), /^\| (reason|原因) /);
    expect(reasons.toSorted()).toEqual([...INTERVENTION_REASONS].sort());
  });

  test('docs/integrate/webhooks.md has a row for each event', () => {
    const events = firstColumn(pageIn(language, 'docs/integrate/webhooks.md'), /^\| (event|事件) /);
    expect(events.toSorted()).toEqual([...WEBHOOK_EVENT_NAMES].sort());
  });

  test.each(every)('%s names no webhook event that is not sent', (file) => {
    const events = named(read(file)).filter((name) =>
      /^(order|refund|profit_sharing)\.[a-z_]+$/.test(name),
    );
    const sent: readonly string[] = WEBHOOK_EVENT_NAMES;
    expect(events.filter((name) => !sent.includes(name))).toEqual([]);
  });

  test('docs/operate/configuration.md has a row for each variable of the environment', () => {
    const rows = firstColumn(
      pageIn(language, 'docs/operate/configuration.md'),
      /^\| (name|变量名) /,
    ).filter((name) => !name.includes('…'));
    expect(rows.toSorted()).toEqual([...ENVIRONMENT_NAMES, ...OF_TEMPORAL].sort());
  });

  test.each(every)('%s names no variable that is not read', (file) => {
    const names = read(file).match(/\b(ONCEPAY|WECHATPAY)_[A-Z_]+[A-Z]\b/g) ?? [];
    const unknown = names.filter((name) => ![...ENVIRONMENT_NAMES, ...LATER_NAMES].includes(name));
    expect(unknown).toEqual([]);
  });

  test('docs/operate/configuration.md has every setting that can be changed at run time', () => {
    const page = pageIn(language, 'docs/operate/configuration.md');
    const settings = firstColumn(page, /^\| (setting|设置) /);
    expect(settings.toSorted()).toEqual([...RUNTIME_SETTING_NAMES].sort());
  });

  test('docs/integrate/reference.md has a row for each status, in the order of the code', () => {
    const page = pageIn(language, 'docs/integrate/reference.md');
    expect(firstColumn(page, /^\| (status|状态) /)).toEqual([...ORDER_STATUSES]);
    const refund = firstColumn(page, /^\| (refund|退款) /);
    expect(refund.toSorted()).toEqual([...REFUND_STATUSES].sort());
    expect(firstColumn(page, /^\| (sharing|分账) /)).toEqual([...SHARING_STATUSES]);
    const results = firstColumn(page, /^\| (result|结果) /);
    expect(results.toSorted()).toEqual([...RECEIVER_RESULTS].sort());
  });

  test('the README has at most 8 KB', () => {
    expect(Buffer.byteLength(pageIn(language, 'README.md'))).toBeLessThanOrEqual(README_BYTES);
  });

  test.each([
    ['README.md', 1],
    ['docs/integrate/quickstart.md', 1],
    ['docs/integrate/refunds.md', 1],
    ['docs/integrate/sharing.md', 1],
  ])('the commands of %s are accepted by a running Oncepay', async (file, count) => {
    const no = await oncepay.newOrder({
      profit_sharing: true,
      items: [{ sku: 'coat', quantity: 1, unit_price: 10_000 }],
      amount: { total: 10_000, currency: 'CNY' },
    });
    await oncepay.simulator.pay({ outTradeNo: no });
    await oncepay.untilStatus(no, 'fulfilled');
    const commands = curlsIn(pageIn(language, file));
    expect(commands).toHaveLength(count);
    for (const command of commands) {
      // The same keys and numbers stand on several pages; each page is a request of its own here.
      const own = command.replaceAll(/cart-8841|R-1001|share-1/g, (text) => `${text}-${no}`);
      const env = { ...process.env, API: oncepay.apiUrl, KEY: oncepay.keys.merchant, NO: no };
      const { stdout } = await promisify(execFile)('bash', ['-euc', own], { env });
      expect(JSON.parse(stdout)).toMatchObject({ out_trade_no: expect.any(String) as string });
    }
  });
});

test.each(TRANSLATED)('%s has the same outline in both languages', (file) => {
  expect(outlineOf(pageIn('Chinese', file))).toEqual(outlineOf(pageIn('English', file)));
});

test('each page of docs/integrate is one of the translated pages', () => {
  const pages = readdirSync(join(packageRoot(), 'docs/integrate')).map(
    (name) => `docs/integrate/${name}`,
  );
  const expected = TRANSLATED.filter((file) => file.startsWith('docs/integrate/'));
  expect(pages.toSorted()).toEqual(
    expected.flatMap((file) => LANGUAGES.map((language) => fileIn(language, file))).sort(),
  );
});

test.each(['CONTRIBUTING.md', 'docs/contribute/recipes.md'])(
  'each file and folder that %s names exists',
  (file) => {
    // Only names with a slash: `routes` is a role, and `<room>` stands for any room.
    const paths = named(read(file)).filter((name) =>
      /^[a-z][\w-]*\/([\w.-]+\/)*[\w.-]*$/.test(name),
    );
    expect(paths.length).toBeGreaterThan(10);
    const missing = paths.filter((path) => !existsSync(join(packageRoot(), path)));
    expect(missing.filter((path) => !NOT_YET.includes(path))).toEqual([]);
  },
);

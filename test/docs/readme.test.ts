import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../config/paths';
import { ENVIRONMENT_NAMES } from '../../config/settings';
import { WEBHOOK_EVENT_NAMES } from '../../domain/fulfilment/effects';
import { INTERVENTION_REASONS } from '../../domain/interventions/reasons';
import { ORDER_STATUSES } from '../../domain/orders/order-state';
import { RECEIVER_RESULTS, SHARING_STATUSES } from '../../domain/sharing/profit-sharing';
import { REFUND_STATUSES } from '../../domain/refunds/refund-state';
import { RUNTIME_SETTING_NAMES } from '../../domain/settings/runtime-settings';
import { openApi, operationsOf } from '../api/support/openapi-document';
import { startTestOncepay } from '../support/oncepay';

const READMES = ['README.md', 'README.zh-CN.md'];
const read = (file: string) => readFileSync(join(packageRoot(), file), 'utf8');

/** Not of the API, so not in its document. */
const WATCHED = ['GET /healthz', 'GET /readyz', 'GET /metrics'];
/** Temporal's own, of which the page names two. */
const OF_TEMPORAL = ['TEMPORAL_NAMESPACE', 'TEMPORAL_API_KEY'];
/** Accepted and not read yet. */
const LATER = ['ONCEPAY_CALLBACK_ALLOWED_IPS'];

let documented: string[];
beforeAll(async () => {
  // The api alone: its document needs no worker.
  const oncepay = await startTestOncepay({ workers: 0 });
  const { body } = await oncepay.call('GET', '/openapi.json');
  await oncepay.stop();
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

/** Every call that a page names: in a table whole, where `…` stands for the row's first address. */
function callsIn(page: string): string[] {
  const calls = page.split('\n').flatMap((line) => {
    const isRow = line.startsWith('|');
    let first = '';
    return named(line).flatMap((name) => {
      const [, method, address = ''] = /^(GET|POST|PUT) ([/…].*)$/.exec(name) ?? [];
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
  return rest.slice(0, end).flatMap((line) => named(line.split('|')[1] ?? ''));
}

describe.each(READMES)('%s', (file) => {
  const page = read(file);

  test('names every HTTP call with its query, and none that does not exist', () => {
    const calls = callsIn(page);
    // In running text without its query.
    const known = [...documented, ...documented.map((call) => call.replace(/\?.*$/, ''))];
    expect(documented.filter((call) => !calls.includes(call))).toEqual([]);
    expect(calls.filter((call) => ![...known, ...WATCHED].includes(call))).toEqual([]);
  });

  test('has a row for each reason of a question', () => {
    const reasons = firstColumn(page, /^\| (reason|原因) /);
    expect(reasons.toSorted()).toEqual([...INTERVENTION_REASONS].sort());
  });

  test('names every webhook event, and none that is not sent', () => {
    const events = named(page).filter((name) =>
      /^(order|refund|profit_sharing)\.[a-z_]+$/.test(name),
    );
    expect([...new Set(events)].sort()).toEqual([...WEBHOOK_EVENT_NAMES].sort());
  });

  test('has a row for each variable of the environment', () => {
    const rows = firstColumn(page, /^\| (name|变量名) /).filter((name) => !name.includes('…'));
    expect(rows.toSorted()).toEqual([...ENVIRONMENT_NAMES, ...OF_TEMPORAL].sort());
    const elsewhere = page.match(/\b(ONCEPAY|WECHATPAY)_[A-Z_]+[A-Z]\b/g) ?? [];
    const unknown = elsewhere.filter((name) => ![...rows, ...LATER].includes(name));
    expect(unknown).toEqual([]);
  });

  test('names every setting that can be changed while everything runs', () => {
    expect(named(page)).toEqual(expect.arrayContaining([...RUNTIME_SETTING_NAMES]));
  });

  test('has a row for each status of an order, and names those of refunds and profit sharings', () => {
    expect(firstColumn(page, /^\| (status|状态) /)).toEqual([...ORDER_STATUSES]);
    const statuses = [...REFUND_STATUSES, ...SHARING_STATUSES, ...RECEIVER_RESULTS];
    expect(named(page)).toEqual(expect.arrayContaining(statuses));
  });
});

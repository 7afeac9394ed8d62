// Each place that decrypts a value says what happens when its key is gone (decision 0042).
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../config/paths';
import { ENCRYPTED_COLUMNS } from '../../../database/encryption/find-missing-keys';

const FOLDERS = ['activities', 'api', 'cli', 'config', 'database', 'domain', 'workers'];
const root = packageRoot();
const files = FOLDERS.flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file)),
).filter((file) => !file.startsWith(join('database', 'encryption')));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const callsOf = (pattern: RegExp) =>
  files.filter((file) => pattern.test(read(file))).sort((a, b) => (a < b ? -1 : 1));

/** Values that are only shown: null, and a report. */
const SHOWN = ['database/sharing/find-known-receivers.ts', 'database/sharing/view-sharing.ts'];

/**
 * Values that something is done with, and the test that takes their key away. An error of a worker
 * ends in the intervention of its request; one of the api is a 503 with an intervention.
 */
const DONE = {
  'database/inbox/apply-notices.ts': 'a notice without its key waits for a person',
  'database/orders/record-prepays.ts': 'a prepay without its openid stops',
  'database/proposals/proposal-row.ts': 'a proposal without its key is not carried out',
  'database/refunds/redirect-refund.ts': 'an abnormal refund without its card stops',
  'database/resolutions/carry-out-approved.ts': 'a resolution without its params is refused',
  'database/resolutions/resolution-records.ts': 'a resolution without its params is not approved',
  'database/sharing/find-known-receivers.ts': 'a sharing needs the key of a known name',
  'database/sharing/lock-share-returns.ts': 'a take-back without its receiver stops the refund',
  'database/sharing/read-receivers.ts': 'a sharing without its receivers is not sent',
};

/** Says for a person who adds a place: what it is, and where its test goes. */
const ADVICE =
  'show() a value that is only shown; decrypt() it where something is done with it, let the ' +
  'error pass, and add the place with its test';

test('every place that shows an encrypted value is known', () => {
  expect({ ADVICE, places: callsOf(/cipher\.show\(/) }).toEqual({
    ADVICE,
    places: [...SHOWN, 'database/views/read-order-details.ts'],
  });
});

test('every place that does something with an encrypted value has a test without its key', () => {
  const places = callsOf(/cipher\.decrypt\(/);
  expect({ ADVICE, places }).toEqual({ ADVICE, places: Object.keys(DONE) });
  const tests = ['unreadable-requests', 'unreadable-values']
    .map((name) => read(`test/database/encryption/${name}.test.ts`))
    .join('');
  for (const title of Object.values(DONE)) expect(tests).toContain(title);
});

test('nothing but the cipher opens a value', () => {
  expect(callsOf(/createDecipheriv|\.decrypt\b(?!\()/)).toEqual([]);
});

test('a value of every encrypted table finds its number', () => {
  const reports = read('database/interventions/report-unreadable.ts');
  for (const table of new Set(ENCRYPTED_COLUMNS.map(([name]) => name))) {
    expect(reports).toMatch(new RegExp(`case '${table}'|${table}: '`));
  }
});

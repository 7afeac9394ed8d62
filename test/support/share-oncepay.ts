// Plays several files of tests in one Oncepay: starting one costs more than most tests do.
//
// The files are called `*.cases.ts`. Each has its own orders, products and users; after each file
// the shared Oncepay gets back its workers, policies and settings.
import { startTestOncepay, type TestOncepay, type TestOptions } from './oncepay';

/** Longer than any wait of the files: a dead worker is noticed after 45 s. */
const LONGEST_TEST_MS = 180_000;

let running: TestOncepay | undefined;

/** The Oncepay that this file of cases shares. Call it in `beforeAll`. */
export function sharedOncepay(): TestOncepay {
  if (running) return running;
  throw new Error('These cases run in the test file that lists them, which shares an Oncepay.');
}

/**
 * Starts one Oncepay and plays files of cases in it, each in a `describe` of its own, in this
 * order.
 * @param files the name of each file's `describe`, and what loads the file
 * @param prepare called once, after the start
 */
export function shareOncepay(
  options: TestOptions,
  files: Readonly<Record<string, () => unknown>>,
  prepare: (oncepay: TestOncepay) => void | Promise<void> = () => undefined,
): void {
  beforeAll(async () => {
    running = await startTestOncepay(options);
    await prepare(running);
  });
  afterAll(() => running?.stop());
  for (const [name, load] of Object.entries(files)) {
    describe(name, () => {
      let policies: readonly Named[] = [];
      beforeAll(async () => {
        policies = await list(sharedOncepay(), '/v1/retry-policies');
      });
      afterAll(async () => {
        const oncepay = sharedOncepay();
        oncepay.simulator.clearFaults();
        await restoreWorkers(oncepay, options.workers ?? 1);
        await restorePolicies(oncepay, policies);
        await restoreSettings(oncepay);
      });
      load();
    });
  }
  jest.setTimeout(LONGEST_TEST_MS);
}

/** One row of the lists of policies and settings. */
interface Named {
  readonly operation?: string;
  readonly name?: string;
  readonly source?: string;
  readonly version: number;
}

async function list(oncepay: TestOncepay, path: string): Promise<readonly Named[]> {
  const { status, body } = await oncepay.call('GET', path);
  if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`);
  return (body as unknown as { data: readonly Named[] }).data;
}

async function put(oncepay: TestOncepay, path: string, body: object): Promise<void> {
  const first = await oncepay.call('PUT', path, { body });
  // A change that needs two persons: the deputy is the second.
  const reply =
    first.status === 202 ? await oncepay.call('PUT', path, { body, as: 'deputy' }) : first;
  if (reply.status !== 200) throw new Error(`${path}: ${JSON.stringify(reply.body)}`);
}

/** Stops the workers that a file started besides; a file that killed one has started another. */
async function restoreWorkers(oncepay: TestOncepay, count: number): Promise<void> {
  const workers = oncepay.workers.splice(0);
  const kept = count === 0 ? [] : workers.slice(-count);
  await Promise.all(workers.filter((worker) => !kept.includes(worker)).map((one) => one.kill()));
  oncepay.workers.push(...kept);
}

async function restorePolicies(oncepay: TestOncepay, before: readonly Named[]): Promise<void> {
  for (const now of await list(oncepay, '/v1/retry-policies')) {
    const was = before.find(({ operation }) => operation === now.operation);
    if (was === undefined || was.version === now.version) continue;
    await put(oncepay, `/v1/retry-policies/${now.operation}`, { ...was, version: now.version });
  }
}

async function restoreSettings(oncepay: TestOncepay): Promise<void> {
  for (const { name, source, version } of await list(oncepay, '/v1/settings')) {
    if (source === 'override') await put(oncepay, `/v1/settings/${name}`, { value: null, version });
  }
}

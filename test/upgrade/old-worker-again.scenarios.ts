// An old worker takes runs that a new worker has continued in a way that only new workers know.
import type { TestOncepay } from '../support/oncepay';
import { until } from '../support/until';
import { checkOrder, checkRest, allFailedTasks } from './support/books';
import { payWithoutTransaction } from './support/report-without-transaction';
import { startReleased, type Upgrade } from './support/upgrade';
import { isBuilt, RELEASES } from './releases';

/** A task of a dead worker goes to another after 10 s; one that failed is tried again later. */
const RETAKEN_MS = 75_000;
const ORDERS = 3;

describe.each(RELEASES)('old workers of $version that come back', (release) => {
  if (!isBuilt(release)) {
    test.skip('nothing is tested, because this clone lacks the commit', () => undefined);
    return;
  }
  let upgrade: Upgrade;
  let oncepay: TestOncepay;
  beforeAll(async () => {
    upgrade = await startReleased(release);
    ({ oncepay } = upgrade);
    await upgrade.migrate();
    await Promise.all([upgrade.old.worker.kill(), upgrade.old.api.kill()]);
    await upgrade.startApi(upgrade.old.api.port);
  });
  afterAll(() => oncepay.stop());

  test('fail at runs that they do not understand, and new workers finish these', async () => {
    const worker = await upgrade.startWorker();
    const numbers = await Promise.all(
      Array.from({ length: ORDERS }, () => payWithoutTransaction(oncepay)),
    );
    await upgrade.startOldWorker();
    await worker.kill('SIGKILL');
    for (const no of numbers) await oncepay.simulator.notify({ outTradeNo: no, newId: true });
    await until(
      'the old worker has failed at each',
      async () => {
        const failures = await allFailedTasks(oncepay);
        return numbers.every((no) => failures.some((one) => one.startsWith(no))) ? true : null;
      },
      RETAKEN_MS,
    );
    oncepay.simulator.clearFaults();
    await upgrade.startWorker();
    // The old worker still takes tasks too.
    for (const no of numbers) {
      await oncepay.untilStatus(no, 'fulfilled', RETAKEN_MS);
      await checkOrder(oncepay, no, { status: 'fulfilled', refundedFen: 0 });
    }
    await checkRest(oncepay);
  });
});

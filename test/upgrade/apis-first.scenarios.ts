// An upgrade with open orders in which the apis are replaced before the workers.
import type { TestOncepay } from '../support/oncepay';
import { checkRest, allFailedTasks } from './support/books';
import { beginOrders, testEachState, type OpenOrders } from './support/go-on';
import { startReleased, type Upgrade } from './support/upgrade';
import { isBuilt, RELEASES } from './releases';

describe.each(RELEASES)('apis first: orders of $version', (release) => {
  if (!isBuilt(release)) {
    test.skip('nothing is tested, because this clone lacks the commit', () => undefined);
    return;
  }
  let upgrade: Upgrade;
  let oncepay: TestOncepay;
  let now: OpenOrders;
  let later: OpenOrders;
  beforeAll(async () => {
    upgrade = await startReleased(release);
    ({ oncepay } = upgrade);
    now = await beginOrders(oncepay);
    later = await beginOrders(oncepay);
    await upgrade.migrate();
    await upgrade.old.api.kill();
    await upgrade.startApi(upgrade.old.api.port);
  });
  afterAll(() => oncepay.stop());

  testEachState('beside the old worker, with the new api', {
    oncepay: () => oncepay,
    orders: () => now,
  });

  describe('both workers', () => {
    beforeAll(() => upgrade.startWorker());

    testEachState('while an old and a new worker run', {
      oncepay: () => oncepay,
      orders: () => later,
    });
  });

  test('no worker failed at a run, each run has ended, and the patrol finds nothing', async () => {
    await upgrade.old.worker.kill();
    expect(await allFailedTasks(oncepay)).toEqual([]);
    await checkRest(oncepay);
  });
});

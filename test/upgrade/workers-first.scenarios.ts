// An upgrade with open orders in which the workers are replaced before the apis.
import type { TestOncepay } from '../support/oncepay';
import { checkRest, allFailedTasks } from './support/books';
import { beginOrders, testEachState, type OpenOrders } from './support/go-on';
import { startReleased, type Upgrade } from './support/upgrade';
import { isBuilt, RELEASES } from './releases';

describe.each(RELEASES)('workers first: orders of $version', (release) => {
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
    await upgrade.startWorker();
    await upgrade.old.worker.kill();
  });
  afterAll(() => oncepay.stop());

  testEachState('beside the old api, with the new worker', {
    oncepay: () => oncepay,
    orders: () => now,
  });

  describe('all new', () => {
    beforeAll(async () => {
      await upgrade.old.api.kill();
      await upgrade.startApi(upgrade.old.api.port);
    });

    testEachState('with everything new', { oncepay: () => oncepay, orders: () => later });

    test('no worker failed at a run, each has ended, and the patrol finds nothing', async () => {
      expect(await allFailedTasks(oncepay)).toEqual([]);
      await checkRest(oncepay);
    });
  });
});

// The database goes away between a webhook and its record.
import { databaseProxy } from '../../support/database-proxy';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';

/** Longer than a statement waits, shorter than the record is tried again. */
const AWAY_MS = 8_000;

jest.setTimeout(120_000);

const database = databaseProxy();
let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ through: database.through });
});
afterAll(async () => {
  await oncepay.stop();
  await database.close();
});

async function takeAway(how: 'hang' | 'refuse'): Promise<void> {
  if (how === 'refuse') await database.proxy.refuse();
  else database.proxy.hang();
}

test.each(['hang', 'refuse'] as const)(
  'the shop has replied in time when the database goes away (%s): it gets the webhook once',
  async (how) => {
    const no = await oncepay.newOrder();
    const away = new Promise<void>((resolve, reject) => {
      oncepay.webhooks.onReceived = ({ type }) => {
        if (type !== 'order.paid') return;
        oncepay.webhooks.onReceived = () => undefined;
        takeAway(how).catch(reject);
        setTimeout(() => {
          database.proxy.pass().then(resolve, reject);
        }, AWAY_MS);
      };
    });
    await oncepay.simulator.pay({ outTradeNo: no });
    await away;
    await oncepay.untilStatus(no, 'fulfilled', 60_000);
    const ids = oncepay.webhooks.of(no).map(({ id }) => id);
    expect(ids.toSorted()).toEqual([`${no}:order.fulfilled`, `${no}:order.paid`]);
  },
);

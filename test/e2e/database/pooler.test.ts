// An order is paid and refunded while PgBouncer stands between Oncepay and its database.
import { startTestOncepay, countEffects, type TestOncepay } from '../../support/oncepay';
import { describeWithPgBouncer, startPgBouncer, type PgBouncer } from '../../support/pgbouncer';
import { requestRefund } from '../support/refunds';

jest.setTimeout(120_000);

describeWithPgBouncer(
  ['session', 'transaction'] as const,
  'PgBouncer with %s pooling and its defaults stands in front of the database',
  (mode) => {
    let bouncer: PgBouncer | undefined;
    let oncepay: TestOncepay;
    beforeAll(async () => {
      oncepay = await startTestOncepay({
        through: async (databaseUrl) => {
          bouncer = await startPgBouncer(mode, [databaseUrl]);
          return bouncer.through(databaseUrl);
        },
      });
    });
    afterAll(async () => {
      await oncepay.stop();
      await bouncer?.close();
    });

    test('the api is ready', async () => {
      const ready = await oncepay.call('GET', '/readyz');
      expect([ready.status, ready.body]).toMatchObject([
        200,
        { checks: { database: 'up', migrations: 'current' } },
      ]);
    });

    test('an order is paid and refunded, each once', async () => {
      const no = await oncepay.newOrder();
      await oncepay.simulator.pay({ outTradeNo: no });
      await oncepay.untilStatus(no, 'fulfilled');
      expect(await countEffects(oncepay.sql, no)).toEqual({
        applied: 1,
        points: 3,
        pointsEntries: 1,
        paidSteps: 1,
      });
      const refund = await requestRefund(oncepay, no, { out_refund_no: `${no}-1`, amount: 300 });
      expect(refund.status).toBe(202);
      const refunded = await oncepay.untilStatus(no, 'refunded', 40_000);
      expect(refunded.amount).toMatchObject({ total: 300, refunded: 300 });
    });

    test('ten orders at once are each paid once', async () => {
      const numbers = await Promise.all(Array.from({ length: 10 }, () => oncepay.newOrder()));
      await Promise.all(numbers.map((outTradeNo) => oncepay.simulator.pay({ outTradeNo })));
      for (const no of numbers) {
        await oncepay.untilStatus(no, 'fulfilled', 40_000);
        expect(await countEffects(oncepay.sql, no)).toMatchObject({ applied: 1, points: 3 });
      }
    });
  },
);

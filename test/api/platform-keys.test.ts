import { startTestOncepay, type TestOncepay } from '../support/oncepay';

describe.each(['certificate', 'mixed'] as const)('a merchant in %s mode', (mode) => {
  let oncepay: TestOncepay;
  beforeAll(async () => {
    oncepay = await startTestOncepay({ mode });
  });
  afterAll(() => oncepay.stop());

  const certificates = () => oncepay.simulator.requests().counts.certificates;

  async function buy(): Promise<void> {
    const no = await oncepay.newOrder();
    const { callback } = await oncepay.simulator.pay({ outTradeNo: no });
    expect(callback?.status).toBe(204);
    await oncepay.untilStatus(no, 'fulfilled');
  }

  test('orders are made, paid and fulfilled, one after the other and at once', async () => {
    await buy();
    await Promise.all(Array.from({ length: 6 }, buy));
  });

  test('serials that nobody has cost no more than one look for certificates', async () => {
    const no = await oncepay.newOrder();
    const was = certificates();
    const sent = await Promise.all(
      Array.from({ length: 40 }, () =>
        oncepay.simulator.sendRaw({ kind: 'unknown_serial', outTradeNo: no }),
      ),
    );
    expect(new Set(sent.map(({ status }) => status))).toEqual(new Set([401]));
    expect(certificates() - was).toBeLessThanOrEqual(1);
    const { callback } = await oncepay.simulator.pay({ outTradeNo: no });
    expect(callback?.status).toBe(204);
  });

  test('a certificate that is new at run time is found: orders and callbacks go on', async () => {
    const no = await oncepay.newOrder();
    await oncepay.simulator.rotateCertificate();
    // The first callbacks may come before a look is due again; WeChat repeats those.
    oncepay.simulator.setClockSpeed(10);
    await oncepay.simulator.pay({ outTradeNo: no });
    await oncepay.untilStatus(no, 'fulfilled', 30_000);
    await oncepay.simulator.notify({ outTradeNo: no, newId: true });
    await buy();
  });
});

test('without certificates to be had an unknown serial is 401, and orders are still made', async () => {
  const oncepay = await startTestOncepay({ mode: 'public_key' });
  try {
    oncepay.simulator.setFault({ operation: 'certificates', kind: 'no_answer' });
    const no = await oncepay.newOrder();
    const sent = await oncepay.simulator.sendRaw({ kind: 'unknown_serial', outTradeNo: no });
    expect(sent.status).toBe(401);
    expect(sent.durationMs).toBeLessThan(5_000);
    const { callback } = await oncepay.simulator.pay({ outTradeNo: no });
    expect(callback?.status).toBe(204);
  } finally {
    await oncepay.stop();
  }
});

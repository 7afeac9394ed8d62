// Callbacks in the key modes of WeChat Pay: certificates, public key, both.
import type { PlatformKeyMode } from '../../../simulator/wechatpay/options';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';

const MODES = ['certificate', 'mixed', 'public_key'] as const;

const running = new Map<PlatformKeyMode, TestOncepay>();
beforeAll(async () => {
  await Promise.all(MODES.map(async (mode) => running.set(mode, await startTestOncepay({ mode }))));
});
afterAll(() => Promise.all([...running.values()].map((oncepay) => oncepay.stop())));

function oncepayIn(mode: PlatformKeyMode): TestOncepay {
  const oncepay = running.get(mode);
  if (!oncepay) throw new Error(`${mode} did not start`);
  return oncepay;
}

async function buy(oncepay: TestOncepay): Promise<void> {
  const no = await oncepay.newOrder();
  const { callback } = await oncepay.simulator.pay({ outTradeNo: no });
  expect(callback?.status).toBe(204);
  await oncepay.untilStatus(no, 'fulfilled');
}

test.each(['certificate', 'mixed'] as const)(
  'orders in the key mode %s are created, paid and fulfilled, one by one and at once',
  async (mode) => {
    const oncepay = oncepayIn(mode);
    await buy(oncepay);
    await Promise.all(Array.from({ length: 6 }, () => buy(oncepay)));
  },
);

test.each(MODES)(
  'forty callbacks with unknown serials in the key mode %s cause at most one download of keys',
  async (mode) => {
    const oncepay = oncepayIn(mode);
    const { simulator } = oncepay;
    const no = await oncepay.newOrder();
    const was = simulator.requests().counts.certificates;
    // A download of certificates that hangs must not delay the reply.
    if (mode === 'public_key') simulator.setFault({ operation: 'certificates', kind: 'timeout' });
    const sent = await Promise.all(
      Array.from({ length: 40 }, () =>
        simulator.sendRaw({ kind: 'unknown_serial', outTradeNo: no }),
      ),
    );
    expect(new Set(sent.map(({ status }) => status))).toEqual(new Set([401]));
    expect(Math.max(...sent.map(({ durationMs }) => durationMs))).toBeLessThan(5_000);
    expect(simulator.requests().counts.certificates - was).toBeLessThanOrEqual(1);
    const { callback } = await simulator.pay({ outTradeNo: no });
    expect(callback?.status).toBe(204);
  },
);

test('a callback signed with a new certificate is accepted when repeated', async () => {
  await Promise.all(
    (['certificate', 'mixed'] as const).map(async (mode) => {
      const oncepay = oncepayIn(mode);
      const numbers = [await oncepay.newOrder(), await oncepay.newOrder()];
      await oncepay.simulator.rotateCertificate();
      // The first callbacks may arrive before the next download is due; WeChat repeats them.
      oncepay.simulator.setClockSpeed(10);
      for (const outTradeNo of numbers) await oncepay.simulator.pay({ outTradeNo });
      for (const no of numbers) {
        await oncepay.untilStatus(no, 'fulfilled', 30_000);
        expect(oncepay.simulator.deliveries(no).at(-1)?.status).toBe(204);
      }
      await oncepay.newOrder();
    }),
  );
});

// A worker dies after a refund is booked: the next one announces it to the shop.
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy';
import { until } from '../../support/until';
import { lateOrder } from '../support/interventions';

/** Temporal notices a dead worker after 45 s; the rest is for a busy machine. */
const RECOVERY_MS = 75_000;

let oncepay: TestOncepay;
let toTemporal: TcpProxy;
beforeAll(async () => {
  oncepay = await startTestOncepay({ workers: 0, env: { ONCEPAY_REFUND_SPACING: '0s' } });
  const [host = '', port] = (oncepay.env['TEMPORAL_ADDRESS'] ?? '').split(':');
  toTemporal = await startTcpProxy({ host, port: Number(port) });
});
afterAll(async () => {
  await toTemporal.close();
  await oncepay.stop();
});

async function untilStored(what: string, query: string, no: string): Promise<void> {
  await until(what, async () => ((await oncepay.sql.query(query, [no])).rowCount ? true : null));
}

test('a worker dies before the shop gets the booked refund: the next one sends it', async () => {
  const first = await oncepay.startWorker({ TEMPORAL_ADDRESS: `127.0.0.1:${toTemporal.port}` });
  oncepay.simulator.setFault({ operation: 'refund', kind: 'delay', delayMs: 5_000, times: 1 });
  oncepay.simulator.setRefundOutcome({ status: 'SUCCESS', inAnswer: true, callbacks: 0, times: 1 });
  const no = await lateOrder(oncepay);
  await oncepay.untilStatus(no, 'paid_late');
  await untilStored(
    'the refund is on its way to WeChat',
    `SELECT 1 FROM refund_attempts JOIN refunds USING (out_refund_no) WHERE out_trade_no = $1`,
    no,
  );
  // From here on only the refund's own run is left to wake the order's run.
  toTemporal.hang();
  await oncepay.apis[0]?.kill('SIGKILL');
  await untilStored(
    'the refund is booked',
    `SELECT 1 FROM orders WHERE out_trade_no = $1 AND status = 'refunded'`,
    no,
  );
  await first.kill('SIGKILL');
  await toTemporal.close();
  const told = () => oncepay.webhooks.of(no).filter(({ type }) => type === 'refund.succeeded');
  expect(told()).toEqual([]);
  await oncepay.startWorker();
  await until(
    'the shop has heard',
    () => Promise.resolve(told().length > 0 ? true : null),
    RECOVERY_MS,
  );
  expect(told()).toHaveLength(1);
  expect(oncepay.simulator.refundsOf(no)).toHaveLength(1);
}, 150_000);

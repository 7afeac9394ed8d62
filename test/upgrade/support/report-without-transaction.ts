// Reports a payment without its transaction: versions before 0.4.0 don't know how to act on that.
import type { TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

/**
 * A payer pays 300 fen; no callback comes but one that names no transaction.
 * @returns the number of the order, whose run has started the activity that queries for the notice
 */
export async function payWithoutTransaction(oncepay: TestOncepay): Promise<string> {
  const { simulator, credentials, temporal } = oncepay;
  const no = await oncepay.newOrder({ expires_in_seconds: 3_600 });
  const away = { operation: 'query', kind: 'error', status: 500, code: 'SYSTEM_ERROR' } as const;
  simulator.setFault({ ...away, outTradeNo: no, times: 1_000 });
  await simulator.pay({ outTradeNo: no, callbacks: 0 });
  await simulator.sendRaw({
    kind: 'payment',
    outTradeNo: no,
    resource: {
      appid: credentials.appId,
      mchid: credentials.merchantId,
      out_trade_no: no,
      trade_state: 'SUCCESS',
      trade_type: 'NATIVE',
      success_time: new Date().toISOString(),
      amount: { total: 300, payer_total: 300, currency: 'CNY' },
    },
  });
  await until('its run queries for the notice', async () => {
    const { events } = await temporal.workflow.getHandle(no).fetchHistory();
    const names = (events ?? []).map(
      (event) => event.activityTaskScheduledEventAttributes?.activityType?.name,
    );
    return names.includes('queryForNotices') ? true : null;
  });
  return no;
}

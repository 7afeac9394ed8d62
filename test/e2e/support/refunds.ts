// Helps tests of refunds: paid orders, and the refunds that WeChat got.
import type { Reply } from '../../../stack/oncepay';
import type { OrderView, TestOncepay } from '../../support/oncepay';

/** The merchant's second API key, where a test starts Oncepay with one. */
export const SECOND_KEY = 'the-second-key-of-the-merchant';

/** An order of 300 fen that is paid and fulfilled. @returns its number */
export async function paidOrder(
  oncepay: TestOncepay,
  body: Record<string, unknown> = {},
): Promise<string> {
  const no = await oncepay.newOrder({ expires_in_seconds: 3_600, ...body });
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  return no;
}

export function requestRefund(
  oncepay: TestOncepay,
  no: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<Reply> {
  return oncepay.call('POST', `/v1/orders/${no}/refunds`, { body, headers, as: 'merchant' });
}

/** True if the order's refunds have these statuses, in any order. */
export function refundsWith({ refunds }: OrderView, statuses: readonly string[]): boolean {
  const seen = refunds.map(({ status }) => status).sort();
  return JSON.stringify(seen) === JSON.stringify([...statuses].sort());
}

/**
 * The refunds of an order at WeChat: the requests, the refunded sum in fen, and with how many
 * different contents the most frequent number was sent.
 */
export function atWechat(
  { simulator }: TestOncepay,
  no: string,
): { asked: number; backFen: number; contents: number } {
  const refunds = simulator.refundsOf(no);
  const back = refunds.filter(({ status }) => status === 'SUCCESS');
  const contents = refunds.map(({ outRefundNo }) => {
    const sent = simulator
      .requestsOf(outRefundNo)
      .filter(({ operation }) => operation === 'refund')
      .map(({ bodySha256 }) => bodySha256);
    return new Set(sent).size;
  });
  return {
    asked: refunds.length,
    backFen: back.reduce((sum, { refundFen }) => sum + refundFen, 0),
    contents: Math.max(0, ...contents),
  };
}

/** WeChat's notice about a refund made on its merchant platform, of an order of 300 fen. */
export function externalRefund(no: string, transactionId: string, refundFen: number): object {
  return {
    out_trade_no: no,
    transaction_id: transactionId,
    out_refund_no: `platform-${no}`,
    refund_id: `50${no}`.slice(0, 28),
    refund_status: 'SUCCESS',
    amount: { total: 300, refund: refundFen, payer_total: 300, payer_refund: refundFen },
  };
}

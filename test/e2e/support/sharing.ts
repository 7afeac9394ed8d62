// Helps tests of profit sharing: shareable orders, sharings and refunds of them.
import type { Reply } from '../../../stack/oncepay';
import type { TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { requestRefund } from './refunds';

/** The reply of `GET /v1/orders/{no}/profit-sharing/{out_order_no}`. */
export interface Sharing {
  readonly out_order_no: string;
  readonly kind: string;
  readonly status: string;
  readonly origin: string;
  readonly replaces: string | null;
  readonly unfreeze_rest: boolean;
  readonly receivers: readonly {
    readonly account: string;
    readonly amount: number;
    readonly result: string;
    readonly fail_reason: string | null;
    readonly returned: number;
  }[];
  readonly finished_at: string | null;
}

export const FIRST = '1900000109';
export const SECOND = '1900000110';
export const PERSON = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o';

export const SHARING_ENV = {
  ONCEPAY_QUERY_SCHEDULE: '1s',
  ONCEPAY_REFUND_SPACING: '0s',
  ONCEPAY_SHARING_DELAY: '0s',
} as const;

export const receiver = (amount: number, account = FIRST) => ({
  type: /^\d+$/.test(account) ? 'MERCHANT_ID' : 'PERSONAL_OPENID',
  account,
  amount,
  description: 'commission',
});

/** Makes the receivers known that payments of a test are shared with. */
export async function makeReceiversKnown(oncepay: TestOncepay): Promise<void> {
  for (const account of [FIRST, SECOND, PERSON]) {
    const { type } = receiver(1, account);
    const { status, body } = await oncepay.call('POST', '/v1/receivers', {
      body: { type, account },
    });
    if (status > 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  }
}

/** An order of 300 fen that can be shared, paid and fulfilled. @returns its number */
export async function sharableOrder(oncepay: TestOncepay): Promise<string> {
  const no = await oncepay.newOrder({ profit_sharing: true });
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  return no;
}

export function share(
  oncepay: TestOncepay,
  no: string,
  body: Record<string, unknown>,
): Promise<Reply> {
  return oncepay.call('POST', `/v1/orders/${no}/profit-sharing`, { as: 'merchant', body });
}

/** Requests a sharing and expects 202. @returns its number */
export async function shared(
  oncepay: TestOncepay,
  no: string,
  receivers: readonly object[],
  more: Record<string, unknown> = {},
): Promise<string> {
  const outOrderNo = `share-${no}-${Math.random().toString(36).slice(2, 8)}`;
  const answer = await share(oncepay, no, { out_order_no: outOrderNo, receivers, ...more });
  if (answer.status !== 202) throw new Error(JSON.stringify(answer.body));
  return outOrderNo;
}

export async function sharingOf(
  oncepay: TestOncepay,
  no: string,
  outOrderNo: string,
): Promise<Sharing> {
  const { body } = await oncepay.call('GET', `/v1/orders/${no}/profit-sharing/${outOrderNo}`);
  return body as unknown as Sharing;
}

export function untilSharing(
  oncepay: TestOncepay,
  no: string,
  outOrderNo: string,
  status: string,
  timeoutMs?: number,
): Promise<Sharing> {
  return until(
    `${outOrderNo} is ${status}`,
    async () => {
      const seen = await sharingOf(oncepay, no, outOrderNo);
      return seen.status === status ? seen : null;
    },
    timeoutMs,
  );
}

/** The sharings and unfreezings that an order shows. */
export async function sharingsOf(oncepay: TestOncepay, no: string): Promise<Sharing[]> {
  const { body } = await oncepay.call('GET', `/v1/orders/${no}`);
  return (body as unknown as { profit_sharings: Sharing[] }).profit_sharings;
}

/** Requests a refund and expects 202. @returns its number */
export async function refundOf(
  oncepay: TestOncepay,
  no: string,
  amountFen: number,
): Promise<string> {
  const refundNo = `refund-${no}-${Math.random().toString(36).slice(2, 8)}`;
  const body = { out_refund_no: refundNo, amount: amountFen };
  const answer = await requestRefund(oncepay, no, body);
  if (answer.status !== 202) throw new Error(JSON.stringify(answer.body));
  return refundNo;
}

import type { Database } from '../../database/database';
import type { PayableOrder } from '../../database/views/read-orders';
import { isErrorCode } from '../../domain/error-catalogue';
import { canBePaid } from '../../domain/orders/order-state';
import type { ClientPayParameters } from '../../providers/wechatpay/calls/pay-parameters';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import { inTime } from '../http/deadline';
import { ApiError } from '../http/problem';
import type { OrderRuns } from '../temporal/order-runs';

/** When WeChat has not responded to a prepay by then, the reply has `payment: null`. */
const PREPAY_WAIT_MS = 8_000;
/** Parameters that die sooner are made anew: the user needs time to use them. */
const PARAMETER_MARGIN_MS = 30_000;

export interface PaymentDeps {
  readonly database: Pick<Database, 'orders'>;
  readonly runs: Pick<OrderRuns, 'prepay'>;
  readonly wechatpay: Pick<WechatPayClient, 'payParameters'>;
  readonly now: () => number;
}

export interface PaymentReply {
  readonly order: PayableOrder;
  readonly payment: ClientPayParameters | null;
}

/**
 * What the user needs to pay an order: from the row while it lives, else through a prepay of the
 * order's run. Fifty identical requests share one prepay, by the number of its round.
 */
export function createPayments({ database, runs, wechatpay, now }: PaymentDeps) {
  async function find(outTradeNo: string): Promise<PayableOrder> {
    const order = await inTime(database.orders.findPayable(outTradeNo));
    if (!order) throw new ApiError('NOT_FOUND', `There is no order ${outTradeNo}`);
    return order;
  }

  function mayBePaid(order: PayableOrder): boolean {
    return (
      canBePaid(order.status) &&
      order.closeRequestedAt === null &&
      order.expiresAt.getTime() > now()
    );
  }

  function parameters(order: PayableOrder): ClientPayParameters | null {
    const { prepayToken: token, prepayExpiresAt } = order;
    const alive = prepayExpiresAt && prepayExpiresAt.getTime() > now() + PARAMETER_MARGIN_MS;
    if (token === null || !alive || !mayBePaid(order)) return null;
    const { channel, appId, merchantId } = order;
    return wechatpay.payParameters({ channel, appId, merchantId, token });
  }

  async function prepay(outTradeNo: string, round: number): Promise<PaymentReply> {
    await runs.prepay(outTradeNo, round, PREPAY_WAIT_MS);
    const order = await find(outTradeNo);
    refuseRefused(order);
    return { order, payment: parameters(order) };
  }

  return {
    find,
    mayBePaid,
    /** @throws ApiError 502 when WeChat refused the order, then and at every repeat */
    async obtain(outTradeNo: string): Promise<PaymentReply> {
      const order = await find(outTradeNo);
      refuseRefused(order);
      const payment = parameters(order);
      if (payment || !mayBePaid(order)) return { order, payment };
      return prepay(outTradeNo, order.prepayRounds + 1);
    },
    /** The first round of an order that was made a moment ago. @throws ApiError 502 as `obtain` */
    first: (outTradeNo: string): Promise<PaymentReply> => prepay(outTradeNo, 1),
  };
}

export type Payments = ReturnType<typeof createPayments>;

function refuseRefused(order: PayableOrder): void {
  const { refusalCode, refusalWechatCode, refusalMessage, outTradeNo } = order;
  if (refusalCode === null || (!canBePaid(order.status) && order.status !== 'closed')) return;
  throw new ApiError(
    isErrorCode(refusalCode) ? refusalCode : 'WECHAT_REFUSED',
    `WeChat Pay refused order ${outTradeNo}: ${refusalWechatCode ?? refusalCode} ${refusalMessage ?? ''}`.trim(),
    {
      extra: {
        out_trade_no: outTradeNo,
        order_status: order.status,
        wechat_code: refusalWechatCode,
        wechat_message: refusalMessage,
      },
    },
  );
}

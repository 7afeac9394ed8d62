// Obtains what a user needs to pay an order: from its row, or through a new prepay.
import type { Database } from '../../database/database';
import type { PayableOrder } from '../../database/views/read-orders';
import { isErrorCode } from '../../domain/error-catalogue';
import { canBePaid } from '../../domain/orders/order-state';
import type { ClientPayParameters } from '../../providers/wechatpay/calls/pay-parameters';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import { inTime, type BesideDatabase } from '../http/deadline';
import { ApiError, noSuchOrder } from '../http/problem';
import type { OrderRuns, PrepayRequest } from '../temporal/order-runs';

/** A caller waits this long for a prepay; after that the reply has `payment: null`. */
const PREPAY_WAIT_MS = 8_000;
/** Parameters that expire sooner are replaced, because the user needs time to use them. */
const PARAMETER_MARGIN_MS = 30_000;

export interface PaymentDeps {
  readonly database: Pick<Database, 'orders'>;
  readonly runs: Pick<OrderRuns, 'prepay'>;
  readonly besideDatabase: BesideDatabase;
  readonly wechatpay: Pick<WechatPayClient, 'payParameters'>;
  readonly now: () => number;
}

/** An order and the parameters to pay it; null when there are none yet, or no more. */
export interface PaymentReply {
  readonly order: PayableOrder;
  readonly payment: ClientPayParameters | null;
}

/**
 * Makes the functions that find the parameters to pay an order: those in its row while they are
 * valid, else those of a new prepay by the order's run. Identical requests share one prepay,
 * because they request the same round.
 */
export function createPayments(deps: PaymentDeps) {
  const { database, runs, besideDatabase, wechatpay, now } = deps;
  async function find(outTradeNo: string): Promise<PayableOrder> {
    const order = await inTime(database.orders.findPayable(outTradeNo));
    if (!order) throw noSuchOrder(outTradeNo);
    return order;
  }

  /** True while the user may pay the order. */
  function mayBePaid(order: PayableOrder): boolean {
    return (
      canBePaid(order.status) &&
      order.closeRequestedAt === null &&
      order.expiresAt.getTime() > now()
    );
  }

  function parameters(order: PayableOrder): ClientPayParameters | null {
    const { prepayToken: token, prepayExpiresAt } = order;
    const usable = prepayExpiresAt && prepayExpiresAt.getTime() > now() + PARAMETER_MARGIN_MS;
    if (token === null || !usable || !mayBePaid(order)) return null;
    const { channel, appId, merchantId } = order;
    return wechatpay.payParameters({ channel, appId, merchantId, token });
  }

  async function prepay(outTradeNo: string, request: PrepayRequest): Promise<PaymentReply> {
    await besideDatabase(runs.prepay(outTradeNo, request, PREPAY_WAIT_MS));
    const order = await find(outTradeNo);
    refuseRefused(order);
    return { order, payment: parameters(order) };
  }

  return {
    find,
    mayBePaid,
    /**
     * Finds the parameters of an order or requests a new prepay.
     * @throws ApiError 404 for an unknown order; 502 when WeChat refused the order, also at repeats
     */
    async obtain(outTradeNo: string): Promise<PaymentReply> {
      const order = await find(outTradeNo);
      refuseRefused(order);
      const payment = parameters(order);
      if (payment || !mayBePaid(order)) return { order, payment };
      const ended = await inTime(database.orders.wechatFailuresEnded(outTradeNo));
      return prepay(outTradeNo, { round: order.prepayRounds + 1, ended });
    },
    /** Requests the first prepay of a new order. @throws ApiError 502 as `obtain` does */
    first: (outTradeNo: string): Promise<PaymentReply> =>
      prepay(outTradeNo, { round: 1, ended: 0 }),
  };
}

export type Payments = ReturnType<typeof createPayments>;

/** @throws ApiError with the error that WeChat refused the order with, if it did */
function refuseRefused(order: PayableOrder): void {
  const { refusalCode, refusalWechatCode, refusalMessage, outTradeNo } = order;
  if (refusalCode === null || (!canBePaid(order.status) && order.status !== 'closed')) return;
  const why = `${refusalWechatCode ?? refusalCode} ${refusalMessage ?? ''}`.trim();
  throw new ApiError(
    isErrorCode(refusalCode) ? refusalCode : 'WECHAT_REFUSED',
    `WeChat Pay refused order ${outTradeNo}: ${why}; correct the cause that it names`,
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

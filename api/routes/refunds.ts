import type { Database } from '../../database/database';
import { inTime } from '../http/deadline';
import { ApiError } from '../http/problem';
import { ALL_ROLES, type Operation } from '../operations';
import { refundReply, renderRefund } from '../replies';
import { numberOf } from './order-number';

/** The refunds of an order. */
export function refundOperations({ orders }: Pick<Database, 'orders'>): Operation[] {
  return [
    {
      id: 'getRefund',
      method: 'get',
      path: '/v1/orders/:no/refunds/:refund_no',
      summary: 'A refund of an order',
      roles: ALL_ROLES,
      reply: refundReply,
      replies: { 200: 'The refund', 404: 'No such refund of this order' },
      handle: async (call) => {
        const refundNo = call.params['refund_no'] ?? '';
        const refund = await inTime(orders.findRefund(numberOf(call), refundNo));
        if (!refund) throw new ApiError('NOT_FOUND', 'The order has no such refund');
        return { status: 200, body: renderRefund(refund) };
      },
    },
  ];
}

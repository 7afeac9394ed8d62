// Parses the order number in a path.
import { z } from 'zod';
import { parseOrderNumber, type OrderNumber } from '../../domain/orders/order-number';
import { ApiError } from './problem';

const REFUSALS = {
  malformed: {
    detail: 'This is not an order number; send the out_trade_no that Oncepay gave to the order',
    message: 'must be 22 digits and capital letters',
  },
  wrong_check_digits: {
    detail: 'The check digits of this order number are wrong; compare it with the out_trade_no',
    message: 'has wrong check digits',
  },
} as const;

/**
 * An order number, checked before any look-up. It throws ApiError 400 itself, because a mistyped
 * number has a code of its own (IDENTIFIER_INVALID).
 */
const orderNumber = z.string().transform((text): OrderNumber => {
  const parsed = parseOrderNumber(text);
  if (parsed.kind === 'valid') return parsed.number;
  const { detail, message } = REFUSALS[parsed.kind];
  throw new ApiError('IDENTIFIER_INVALID', detail, { errors: [{ field: 'no', message }] });
});

/** The parameters of a path under `/v1/orders/:no`. */
export const orderPath = z.object({ no: orderNumber });
export type OrderPath = z.output<typeof orderPath>;

// Schemas of the requests for refunds.
import { z } from 'zod';
import { OWN_PREFIX } from '../../domain/refunds/refund-number';
import { amountFen, line } from '../http/fields';

const REASON_LENGTH = 80;

/** `POST /v1/orders/{no}/refunds`. */
export const newRefund = z.strictObject({
  out_refund_no: z
    .string()
    .regex(/^[0-9A-Za-z_\-|*@]{1,64}$/, 'must be 1 to 64 of 0-9 A-Z a-z _ - | * @')
    .refine((text) => !text.startsWith(OWN_PREFIX), `must not begin with ${OWN_PREFIX}`)
    .optional()
    .describe(
      'your number of the refund, required without an Idempotency-Key. A repeat has the same ' +
        `number. It must not begin with ${OWN_PREFIX}: such numbers are reserved for Oncepay`,
    ),
  amount: amountFen.describe('in 分; at most what is left of the payment'),
  reason: line(1, REASON_LENGTH).optional().describe('why the money is returned; the user sees it'),
  restock: z.boolean().optional().describe('true when the physical goods are back in stock'),
  revoke_codes: z.boolean().optional().describe('true to revoke the codes that are not yet used'),
});

export type NewRefundBody = z.output<typeof newRefund>;

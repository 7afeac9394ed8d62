import { MAX_FEN } from '../../domain/money';
import { OWN_PREFIX } from '../../domain/refunds/refund-number';
import { z } from 'zod';
import { count, line } from '../http/fields';

export const REASON_LENGTH = 80;
export const newRefund = z.strictObject({
  out_refund_no: z
    .string()
    .regex(/^[0-9A-Za-z_\-|*@]{1,64}$/, 'must be 1 to 64 of 0-9 A-Z a-z _ - | * @')
    .refine((text) => !text.startsWith(OWN_PREFIX), `must not begin with ${OWN_PREFIX}`)
    .optional()
    .describe(
      `yours; needed without an Idempotency-Key. A repeat keeps it. Must not begin with ${OWN_PREFIX}: such numbers are Oncepay's`,
    ),
  amount: count(MAX_FEN).describe('in 分; at most what is left of the payment'),
  reason: line(1, REASON_LENGTH).optional().describe('shown to the user'),
  restock: z.boolean().optional().describe('physical goods are on hand again'),
  revoke_codes: z.boolean().optional().describe('codes not yet used are taken back'),
});
export type NewRefundBody = z.output<typeof newRefund>;

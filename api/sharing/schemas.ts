// Schemas of the requests for profit sharing and its receivers.
import { z } from 'zod';
import { MAX_RECEIVERS, RECEIVER_TYPES, RELATION_TYPES } from '../../domain/sharing/profit-sharing';
import { OWN_PREFIX } from '../../domain/refunds/refund-number';
import { amountFen, line } from '../http/fields';
import { pageQuery } from '../http/page';

/** The most that WeChat's key can encrypt (RSA-2048, OAEP with SHA-1). */
const MAX_NAME_BYTES = 214;

const outOrderNo = z
  .string()
  .regex(/^[0-9A-Za-z_\-|*@]{1,64}$/, 'must be 1 to 64 of 0-9 A-Z a-z _ - | * @')
  .refine((text) => !text.startsWith(OWN_PREFIX), `must not begin with ${OWN_PREFIX}`);

/** An account, and what WeChat Pay wants to know of it. */
const accountShape = {
  type: z.enum(RECEIVER_TYPES, `must be ${RECEIVER_TYPES.join(' or ')}`),
  account: z
    .string()
    .regex(/^[\w-]{1,64}$/, 'must be 1 to 64 letters, digits, - or _')
    .describe('a merchant id, or an openid of the appid that the orders are created with'),
  name: line(1, MAX_NAME_BYTES)
    .refine(
      (text) => Buffer.byteLength(text) <= MAX_NAME_BYTES,
      `must have at most ${MAX_NAME_BYTES} bytes`,
    )
    .optional()
    .describe('the name of the account, which WeChat Pay compares; it wants one of a MERCHANT_ID'),
  relation_type: z
    .enum(RELATION_TYPES, `must be one of ${RELATION_TYPES.join(', ')}`)
    .optional()
    .describe('the relation of the receiver to the merchant; PARTNER when no request names one'),
};

const isAccountOfType = ({ type, account }: { type: string; account: string }) =>
  type !== 'MERCHANT_ID' || /^\d{1,32}$/.test(account);
const ACCOUNT_OF_TYPE = {
  path: ['account'],
  message: 'must be 1 to 32 digits for a MERCHANT_ID',
};

/** `POST /v1/receivers`. */
export const newReceiver = z.strictObject(accountShape).refine(isAccountOfType, ACCOUNT_OF_TYPE);

export type NewReceiverBody = z.output<typeof newReceiver>;

/** `GET /v1/receivers`. */
export const receiverListQuery = z.strictObject(pageQuery);

const receiver = z
  .strictObject({
    ...accountShape,
    amount: amountFen.describe('in 分'),
    description: line(1, 80).describe('the receiver sees it'),
  })
  .refine(isAccountOfType, ACCOUNT_OF_TYPE);

/** `POST /v1/orders/{no}/profit-sharing`. */
export const newSharing = z
  .strictObject({
    out_order_no: outOrderNo
      .optional()
      .describe(
        'your number of the sharing, required without an Idempotency-Key. A repeat has the same ' +
          `number. It must not begin with ${OWN_PREFIX}: such numbers are reserved for Oncepay`,
      ),
    receivers: z
      .array(receiver)
      .max(MAX_RECEIVERS, `must have at most ${MAX_RECEIVERS} entries`)
      .describe(
        'each account at most once; an empty list with unfreeze_rest only unfreezes the rest',
      ),
    unfreeze_rest: z
      .boolean()
      .optional()
      .describe('true to unfreeze the rest of the payment after all receivers are paid'),
  })
  .superRefine(({ receivers, unfreeze_rest: rest }, context) => {
    const add = (path: PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    if (receivers.length === 0 && rest !== true)
      add(['receivers'], 'must not be empty without unfreeze_rest');
    const names = receivers.map(({ type, account }) => `${type} ${account}`);
    names.forEach((name, index) => {
      if (names.indexOf(name) < index)
        add(['receivers', index, 'account'], 'must not be listed twice');
    });
  });

export type NewSharingBody = z.output<typeof newSharing>;

import { z } from 'zod';
import type { SharingView } from '../../database/sharing/view-sharing';
import { MAX_FEN } from '../../domain/money';
import {
  MAX_RECEIVERS,
  RECEIVER_RESULTS,
  RECEIVER_TYPES,
  RELATION_TYPES,
  SHARING_KINDS,
  SHARING_ORIGINS,
  SHARING_STATUSES,
} from '../../domain/sharing/profit-sharing';
import { OWN_PREFIX } from '../../domain/refunds/refund-number';
import { fen } from '../http/fields';
import { line } from '../http/fields';

/** Input and replies of profit sharing. */

/** WeChat's key encrypts no more than this (RSA-2048, OAEP with SHA-1). */
const MAX_NAME_BYTES = 214;

const outOrderNo = z
  .string()
  .regex(/^[0-9A-Za-z_\-|*@]{1,64}$/, 'must be 1 to 64 of 0-9 A-Z a-z _ - | * @')
  .refine((text) => !text.startsWith(OWN_PREFIX), `must not begin with ${OWN_PREFIX}`);

const receiver = z
  .strictObject({
    type: z.enum(RECEIVER_TYPES, `must be ${RECEIVER_TYPES.join(' or ')}`),
    account: z
      .string()
      .regex(/^[\w-]{1,64}$/, 'must be 1 to 64 letters, digits, - or _')
      .describe('a merchant id, or an openid of the appid of the order'),
    amount: z
      .int('must be an integer')
      .min(1, 'must be at least 1')
      .max(MAX_FEN, `must be at most ${MAX_FEN}`)
      .describe('in 分'),
    description: line(1, 80).describe('shown to the receiver'),
    name: line(1, MAX_NAME_BYTES)
      .refine(
        (text) => Buffer.byteLength(text) <= MAX_NAME_BYTES,
        `must have at most ${MAX_NAME_BYTES} bytes`,
      )
      .optional()
      .describe("WeChat compares it with the account's; required there for a merchant"),
    relation_type: z
      .enum(RELATION_TYPES, `must be one of ${RELATION_TYPES.join(', ')}`)
      .optional()
      .describe('what the receiver is to the merchant; PARTNER when left out'),
  })
  .refine(({ type, account }) => type !== 'MERCHANT_ID' || /^\d{1,32}$/.test(account), {
    path: ['account'],
    message: 'must be 1 to 32 digits for a MERCHANT_ID',
  });

export const newSharing = z
  .strictObject({
    out_order_no: outOrderNo
      .optional()
      .describe(
        `yours; needed without an Idempotency-Key. A repeat keeps it. Must not begin with ${OWN_PREFIX}: such numbers are Oncepay's`,
      ),
    receivers: z
      .array(receiver)
      .max(MAX_RECEIVERS, `must have at most ${MAX_RECEIVERS} entries`)
      .describe(
        'no account twice, of one type; empty, with unfreeze_rest: only unfreezes what is left',
      ),
    unfreeze_rest: z
      .boolean()
      .optional()
      .describe('what is left is unfrozen once all receivers have their money'),
  })
  .superRefine(({ receivers, unfreeze_rest: rest }, context) => {
    const add = (path: PropertyKey[], message: string) =>
      context.addIssue({ code: 'custom', path, message });
    if (receivers.length === 0 && rest !== true) add(['receivers'], 'must not be empty');
    const names = receivers.map(({ type, account }) => `${type} ${account}`);
    names.forEach((name, index) => {
      if (names.indexOf(name) < index) add(['receivers', index, 'account'], 'is there twice');
    });
  });

export type NewSharingBody = z.output<typeof newSharing>;

const time = z.iso.datetime();

export const sharingReply = z.object({
  out_order_no: z.string(),
  out_trade_no: z.string(),
  kind: z.enum(SHARING_KINDS),
  status: z.enum(SHARING_STATUSES),
  origin: z
    .enum(SHARING_ORIGINS)
    .describe('api: on request; deadline, rest: unfreezes by itself; resolution: by an answer'),
  replaces: z.string().nullable().describe('the sharing whose closed receivers this one takes on'),
  unfreeze_rest: z.boolean(),
  receivers: z.array(
    z.object({
      line: z.int().describe('its place in the request, from 1; the webhook names it by this'),
      type: z.enum(RECEIVER_TYPES),
      account: z.string().describe('an openid in clear text for merchant and admin only'),
      amount: fen,
      description: z.string(),
      result: z.enum(RECEIVER_RESULTS),
      fail_reason: z.string().nullable().describe("WeChat Pay's, of one that is CLOSED"),
      returned: fen.describe('in 分; taken back for refunds'),
    }),
  ),
  created_at: time,
  finished_at: time.nullable(),
});

/** Enough to recognise an openid by, too little to use it. */
const SHOWN = 4;

export function renderSharing(sharing: SharingView, withOpenids: boolean) {
  return {
    out_order_no: sharing.outOrderNo,
    out_trade_no: sharing.outTradeNo,
    kind: sharing.kind,
    status: sharing.status,
    origin: sharing.origin,
    replaces: sharing.replaces,
    unfreeze_rest: sharing.unfreezeRest,
    receivers: sharing.receivers.map(({ amountFen, failReason, returnedFen, ...one }) => ({
      line: one.line,
      type: one.type,
      account:
        withOpenids || one.type === 'MERCHANT_ID' ? one.account : `${one.account.slice(0, SHOWN)}…`,
      amount: amountFen,
      description: one.description,
      result: one.result,
      fail_reason: failReason,
      returned: returnedFen,
    })),
    created_at: sharing.createdAt.toISOString(),
    finished_at: sharing.finishedAt?.toISOString() ?? null,
  };
}

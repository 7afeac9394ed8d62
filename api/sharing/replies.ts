// Schemas and renderings of profit sharings and of known receivers in replies.
import { z } from 'zod';
import type { SharingView } from '../../database/sharing/view-sharing';
import type { KnownReceiver } from '../../database/sharing/find-known-receivers';
import { maskAccount } from '../../domain/sharing/mask-account';
import {
  RECEIVER_RESULTS,
  RECEIVER_TYPES,
  SHARING_KINDS,
  SHARING_ORIGINS,
  SHARING_STATUSES,
  shownAccount,
} from '../../domain/sharing/profit-sharing';
import { fen } from '../http/fields';
import { iso, markUnreadable, NULL_IF_UNREADABLE, time, unreadable } from '../http/reply-fields';

/** A profit sharing with the result of each receiver. */
export const sharingReply = z.object({
  out_order_no: z.string(),
  out_trade_no: z.string(),
  kind: z.enum(SHARING_KINDS),
  status: z.enum(SHARING_STATUSES),
  origin: z
    .enum(SHARING_ORIGINS)
    .describe(
      'api: requested here; deadline, rest: Oncepay unfreezes the money by itself; ' +
        'resolution: an operator resolved an intervention with it',
    ),
  replaces: z
    .string()
    .nullable()
    .describe('the sharing whose closed receivers this one pays instead'),
  unfreeze_rest: z.boolean(),
  receivers: z.array(
    z.object({
      line: z.int().describe('its place in the request, from 1; webhooks name the receiver by it'),
      type: z.enum(RECEIVER_TYPES),
      account: z
        .string()
        .nullable()
        .describe(
          `an openid is shown in full only to the roles merchant and admin; ${NULL_IF_UNREADABLE}`,
        ),
      unreadable,
      amount: fen,
      description: z.string(),
      result: z.enum(RECEIVER_RESULTS),
      fail_reason: z.string().nullable().describe("WeChat Pay's reason for the result CLOSED"),
      returned: fen.describe('in 分; how much was taken back for refunds'),
    }),
  ),
  created_at: time,
  finished_at: time.nullable(),
});

/** A receiver that payments may be shared with. */
export const receiverReply = z.object({
  id: z.string(),
  type: z.enum(RECEIVER_TYPES),
  account: z
    .string()
    .nullable()
    .describe(`masked: its first and its last characters; ${NULL_IF_UNREADABLE}`),
  unreadable,
  created_at: time,
});

/** A page of known receivers. */
export const receiverListReply = z.object({
  data: z.array(receiverReply),
  next_cursor: z.string().nullable(),
});

/**
 * Renders a profit sharing.
 * @param withOpenids shows the openids of its receivers in full
 */
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
      account: accountOf(one, withOpenids),
      ...markUnreadable(one.account),
      amount: amountFen,
      description: one.description,
      result: one.result,
      fail_reason: failReason,
      returned: returnedFen,
    })),
    created_at: sharing.createdAt.toISOString(),
    finished_at: iso(sharing.finishedAt),
  };
}

function accountOf(
  { type, account }: Pick<SharingView['receivers'][number], 'type' | 'account'>,
  withOpenids: boolean,
): string | null {
  return account === null || withOpenids ? account : shownAccount({ type, account });
}

/** Renders a known receiver; no role sees its whole account. */
export function renderReceiver({ id, type, account, createdAt }: KnownReceiver) {
  return {
    id,
    type,
    account: account && maskAccount(account),
    ...markUnreadable(account),
    created_at: createdAt.toISOString(),
  };
}

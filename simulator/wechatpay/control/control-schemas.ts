// Schemas of the control API's requests.
import { z } from 'zod';
import { MAX_FEN } from '../../../domain/money';
import { TRADE_STATES } from '../../../domain/payments/notices';
import { BILL_FAULT_KINDS, BILL_KINDS } from '../bills/bill-faults';
import { TAMPERS } from '../callbacks/callbacks';
import { FAULT_KINDS } from '../http/faults';
import { RAW_KINDS } from './raw-callbacks';
import { NUMBERED, OPERATIONS } from '../http/records';
import { REFUND_ENDS, REFUND_STATUSES } from '../refunds/refund-store';
import { SHARING_EVENT_TYPES } from '../sharing/sharing-settlement';
import {
  RECEIVER_ENDS,
  RECEIVER_RESULTS,
  RETURN_ENDS,
  RETURN_RESULTS,
} from '../sharing/sharing-store';

/** A call that asks for more callbacks than this is a mistake. */
const MAX_COPIES = 1000;
const MAX_DELAY_MS = 10 * 60_000;

const number = z.string().min(1).max(64);
const fen = z.int().min(0).max(MAX_FEN);
const copies = z.int().min(0).max(MAX_COPIES);
const delayMs = z.int().min(0).max(MAX_DELAY_MS);
const time = z.iso.datetime({ offset: true });
const tamper = z.strictObject({
  kind: z.enum(TAMPERS),
  staleSeconds: z.int().optional(),
});

export const paySchema = z.strictObject({
  outTradeNo: number,
  totalFen: fen.optional(),
  payerTotalFen: fen.optional(),
  currency: z.string().optional(),
  merchantId: z.string().optional(),
  appId: z.string().optional(),
  transactionId: number.optional(),
  token: z.string().optional(),
  force: z.boolean().optional(),
  callbacks: copies.optional(),
  tradeState: z.enum(TRADE_STATES).optional(),
  wait: z.boolean().optional(),
  successTime: time.optional(),
  notifyUrl: z.url().optional(),
});

export const notifySchema = z.strictObject({
  outTradeNo: number,
  count: copies.optional(),
  concurrent: z.boolean().optional(),
  newId: z.boolean().optional(),
});

/** An empty object: back to normal. */
export const behaviourSchema = z.strictObject({
  drop: z.union([z.boolean(), copies]).optional(),
  delayMs: delayMs.optional(),
  reorder: z.int().min(2).max(MAX_COPIES).optional(),
  duplicate: copies.optional(),
  tamper: tamper.optional(),
  times: z.int().min(1).optional(),
});

export const sendRawSchema = z.strictObject({
  kind: z.enum(RAW_KINDS),
  outTradeNo: number.optional(),
  notifyUrl: z.url().optional(),
  merchantId: z.string().optional(),
  id: z.string().optional(),
  eventType: z.string().optional(),
  staleSeconds: z.int().optional(),
  resource: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  body: z.string().optional(),
});

export const faultSchema = z.strictObject({
  operation: z.enum([...OPERATIONS, '*']),
  kind: z.enum(FAULT_KINDS),
  status: z.int().min(200).max(599).optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  signed: z.boolean().optional(),
  fields: z.record(z.string(), z.unknown()).optional(),
  without: z.array(z.string()).optional(),
  times: z.int().min(1).optional(),
  delayMs: delayMs.optional(),
  outTradeNo: number.optional(),
  outRefundNo: number.optional(),
  outOrderNo: number.optional(),
  outReturnNo: number.optional(),
});

export const refundOutcomeSchema = z.strictObject({
  status: z.enum(REFUND_STATUSES),
  afterMs: delayMs.optional(),
  inAnswer: z.boolean().optional(),
  outRefundNo: number.optional(),
  outTradeNo: number.optional(),
  callbacks: copies.optional(),
  times: z.int().min(1).optional(),
});

export const settleRefundSchema = z.strictObject({
  outRefundNo: number,
  status: z.enum(REFUND_ENDS),
  callbacks: copies.optional(),
  wait: z.boolean().optional(),
});

const failReason = z.string().min(1).max(64);
const eventType = z.enum(SHARING_EVENT_TYPES);

export const sharingOutcomeSchema = z.strictObject({
  result: z.enum(RECEIVER_RESULTS),
  failReason: failReason.optional(),
  afterMs: delayMs.optional(),
  account: number.optional(),
  outOrderNo: number.optional(),
  outTradeNo: number.optional(),
  callbacks: copies.optional(),
  eventType: eventType.optional(),
  times: z.int().min(1).optional(),
});

export const settleSharingSchema = z.strictObject({
  outOrderNo: number,
  account: number,
  result: z.enum(RECEIVER_ENDS),
  failReason: failReason.optional(),
  callbacks: copies.optional(),
  eventType: eventType.optional(),
  wait: z.boolean().optional(),
});

export const returnOutcomeSchema = z.strictObject({
  result: z.enum(RETURN_RESULTS),
  failReason: failReason.optional(),
  afterMs: delayMs.optional(),
  outReturnNo: number.optional(),
  outTradeNo: number.optional(),
  times: z.int().min(1).optional(),
});

export const settleReturnSchema = z.strictObject({
  outReturnNo: number,
  result: z.enum(RETURN_ENDS),
  failReason: failReason.optional(),
});

export const elsewhereRefundSchema = z.strictObject({
  outTradeNo: number,
  transactionId: number.optional(),
  outRefundNo: number.optional(),
  refundFen: z.int().min(1).max(MAX_FEN),
  status: z.enum(REFUND_STATUSES).optional(),
  requestedAt: time.optional(),
  successTime: time.optional(),
});

export const billRulesSchema = z.strictObject({
  readyHour: z.int().min(0).max(23).optional(),
  older: z.boolean().optional(),
  emptyFile: z.boolean().optional(),
  withToday: z.boolean().optional(),
  bom: z.boolean().optional(),
  newline: z.enum(['crlf', 'lf']).optional(),
  endsLastLine: z.boolean().optional(),
});

export const billFaultSchema = z.strictObject({
  kind: z.enum(BILL_FAULT_KINDS),
  bill: z.enum(BILL_KINDS).optional(),
  billDate: z.iso.date().optional(),
  times: z.int().min(1).optional(),
  outTradeNo: number.optional(),
  outRefundNo: number.optional(),
  totalFen: fen.optional(),
  status: number.optional(),
});

export const refundRulesSchema = z.strictObject({
  refundSpacingMs: z.int().min(0).optional(),
  refundsPerSecond: z.int().min(0).optional(),
  failingRefundsPerSecond: z.int().min(0).optional(),
});

export const sharingRulesSchema = z.strictObject({
  shareableAfterMs: z.int().min(0).optional(),
  maxSharingPercent: z.number().min(0).max(100).optional(),
});

export const contentsQuery = z.strictObject({ of: z.enum(NUMBERED) });
export const clockSchema = z.strictObject({
  /** Of the callback retries. */
  speed: z.number().positive().optional(),
  /** Moves WeChat's business clock forward. */
  advanceMs: z.int().min(0).optional(),
});
export const closeRuleSchema = z.strictObject({ refuseWithinMs: z.int().min(0) });
export const rotationSchema = z.strictObject({ merchantId: z.string().optional() });

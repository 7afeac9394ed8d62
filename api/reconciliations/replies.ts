// Schemas and renderings of the replies for reconciliations and their differences.
import { z } from 'zod';
import type {
  DifferenceView,
  ReconciliationView,
} from '../../database/reconciliation/read-reconciliations';
import {
  DIFFERENCE_STATUSES,
  DIFFERENCE_TYPE_NAMES,
  RECONCILIATION_STATUSES,
} from '../../domain/reconciliation/differences';
import { iso, time } from '../http/reply-fields';

const day = z.string().describe('the day in Beijing, like `2026-11-30`');
const total = z.object({ count: z.int(), fen: z.int() });

/** A reconciliation that was requested. */
export const requestedReply = z.object({
  bill_date: day,
  status: z.enum(RECONCILIATION_STATUSES),
});

/** The reconciliation of a day. */
export const reconciliationReply = z.object({
  bill_date: day,
  status: z
    .enum(RECONCILIATION_STATUSES)
    .describe('waiting for the bill, running (it is being compared), done or failed'),
  bill: z
    .object({
      sha1: z.string(),
      lines: z.int(),
      payments: total,
      refunds: total,
      fee_e5: z.int().describe('the fees in 1/100,000 元'),
    })
    .nullable()
    .describe("WeChat Pay's trade bill; null until it is there, and for a day without trades"),
  fund_flow: z
    .object({
      sha1: z.string(),
      lines: z.int(),
      in_fen: z.int(),
      out_fen: z.int(),
      fee_fen: z.int(),
    })
    .nullable()
    .describe('the sums of the fund-flow bill; null where WeChat Pay had none yet'),
  ours: z
    .object({ payments: total, refunds: total })
    .describe("Oncepay's rows of that day; zeros until the bill is compared"),
  differences: z
    .partialRecord(z.enum(DIFFERENCE_TYPE_NAMES), z.int())
    .describe('how many differences of each type were found, whatever their status is now'),
  started_at: time.nullable(),
  finished_at: time.nullable(),
  error: z.string().nullable().describe('why it failed'),
});

/** A page of reconciliations. */
export const reconciliationListReply = z.object({
  data: z.array(reconciliationReply),
  next_cursor: z.string().nullable(),
});

const side = z
  .object({
    amount_fen: z.int().nullable(),
    status: z.string().nullable(),
    at: time.nullable(),
  })
  .nullable();

const differenceReply = z.object({
  id: z.string(),
  type: z.enum(DIFFERENCE_TYPE_NAMES),
  status: z.enum(DIFFERENCE_STATUSES),
  out_trade_no: z.string().nullable(),
  transaction_id: z.string().nullable(),
  out_refund_no: z.string().nullable(),
  ours: side.describe("Oncepay's side; null where it has none"),
  theirs: side.describe("the bill's side; null where it has none"),
  since: time,
  intervention_id: z.string().nullable(),
});

/** A page of differences. */
export const differenceListReply = z.object({
  data: z.array(differenceReply),
  next_cursor: z.string().nullable(),
});

const NOTHING = { count: 0, fen: 0 };

/** Renders a reconciliation. */
export function renderReconciliation(view: ReconciliationView) {
  const { bill, fundFlow, ours } = view;
  return {
    bill_date: view.billDate,
    status: view.status,
    bill: bill && {
      sha1: bill.sha1,
      lines: bill.lines,
      payments: bill.payments,
      refunds: bill.refunds,
      fee_e5: bill.fee_e5,
    },
    fund_flow: fundFlow,
    ours: ours ?? { payments: NOTHING, refunds: NOTHING },
    differences: view.differences,
    started_at: iso(view.startedAt),
    finished_at: iso(view.finishedAt),
    error: view.error,
  };
}

/** Renders a difference. */
export function renderDifference(view: DifferenceView) {
  return {
    id: view.id,
    type: view.type,
    status: view.status,
    out_trade_no: view.outTradeNo,
    transaction_id: view.transactionId,
    out_refund_no: view.outRefundNo,
    ours: view.ours,
    theirs: view.theirs,
    since: view.since.toISOString(),
    intervention_id: view.interventionId,
  };
}

// The parts of the API's replies and of the webhooks that the demo reads; /openapi.json has them
// all.
import { z } from 'zod';
import { ORDER_STATUSES } from '../domain/orders/order-state';
import { PATROL_KIND_NAMES } from '../domain/patrol/findings';

const status = z.enum(ORDER_STATUSES);

export const placedReply = z.object({
  out_trade_no: z.string(),
  status,
  expires_at: z.string(),
  /** The fields have WeChat's own names; null until WeChat has returned a prepay id. */
  payment: z.record(z.string(), z.string()).nullable(),
});
export type PlacedReply = z.infer<typeof placedReply>;

export const orderReply = z.object({
  out_trade_no: z.string(),
  status,
  amount: z.object({ total: z.int(), refunded: z.int() }),
  expires_at: z.string(),
  closed_at: z.string().nullable(),
  transaction_id: z.string().nullable(),
  attention: z.object({ reason: z.string(), open_count: z.int() }).nullable(),
  history: z.array(z.object({ from: status.nullable(), to: status, cause: z.string() })),
  effects: z.array(z.object({ effect: z.string(), status: z.string() })),
  notices: z.array(z.object({ id: z.string(), verdict: z.string().nullable() })),
  transactions: z.array(z.object({ transaction_id: z.string(), status: z.string() })),
  profit_sharings: z.array(
    z.object({ status: z.string(), receivers: z.array(z.object({ result: z.string() })) }),
  ),
  refunds: z.array(z.object({ out_refund_no: z.string(), status: z.string() })),
  codes: z.array(z.object({ sku: z.string(), code: z.string() })),
});
export type OrderReply = z.infer<typeof orderReply>;

export const productReply = z.object({
  stock: z.int().nullable(),
  reserved: z.int(),
  sold: z.int(),
  codes_left: z.int(),
});
export type ProductReply = z.infer<typeof productReply>;

export const pointsReply = z.object({
  balance: z.int(),
  entries: z.array(z.object({ out_trade_no: z.string(), delta: z.int() })),
});

export const interventionList = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      reason: z.string(),
      subject: z.string(),
      evidence: z.looseObject({ code: z.string().optional(), attempts: z.int().optional() }),
      pending: z.object({ action: z.string(), status: z.string() }).nullable(),
    }),
  ),
});
export type Intervention = z.infer<typeof interventionList>['data'][number];

/** Only a refusal has a code. */
export const refusalReply = z.looseObject({ code: z.string().optional() });

/** The reply to a resolution; only a refusal has a code. */
export const resolutionReply = z.object({
  resolution: z.object({ status: z.string() }).optional(),
  code: z.string().optional(),
});

/**
 * The demo sends a policy back as it came, with some changes, so fields it doesn't read are kept.
 */
export const policyReply = z.looseObject({ version: z.int(), max_attempts: z.int() });
export type PolicyReply = z.infer<typeof policyReply>;

export const receiverReply = z.object({ id: z.string() });

export const patrolList = z.object({
  data: z.array(
    z.object({
      started_at: z.string(),
      status: z.string(),
      findings: z.array(
        z.object({
          kind: z.enum(PATROL_KIND_NAMES),
          found: z.int(),
          healed: z.int(),
          opened: z.int(),
        }),
      ),
      failed_sections: z.array(z.string()),
    }),
  ),
});
export type PatrolReply = z.infer<typeof patrolList>['data'][number];

export const reconciliationReply = z.object({
  status: z.string(),
  bill: z.object({ lines: z.int() }).nullable(),
  differences: z.record(z.string(), z.int()),
});
export type ReconciliationReply = z.infer<typeof reconciliationReply>;

export const differenceList = z.object({
  data: z.array(z.object({ type: z.string(), status: z.string() })),
});
export type DifferenceReply = z.infer<typeof differenceList>['data'][number];

/** A webhook about a day's reconciliation names no order. */
export const webhookPayload = z.object({
  type: z.string(),
  data: z.object({ out_trade_no: z.string().optional() }),
});

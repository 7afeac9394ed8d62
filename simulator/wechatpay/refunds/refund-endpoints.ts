// Serves WeChat's refund API.
import { z } from 'zod';
import type { Reply } from '../http/reply';
import { fieldReader, undecryptable } from '../http/encrypted-fields';
import { pathNumber, type Endpoint } from '../http/endpoint';
import { subjectOf } from '../http/records';
import type { RefundLimits } from './refund-limits';
import { parseAbnormalRefund, parseRefund, type AbnormalRefundBody } from './refund-schemas';
import type { RefundStore, SimulatedRefund, UserBankCard } from './refund-store';
import type { Refunds } from './refunds';
import type { Transactions } from '../payments/transactions';

export interface RefundEndpointsDeps {
  readonly transactions: Transactions;
  readonly refunds: Refunds;
  readonly store: RefundStore;
  readonly refundLimits: RefundLimits;
}

const numbersInBody = z.looseObject({
  out_refund_no: z.string().nullable().catch(null),
  transaction_id: z.string().nullable().catch(null),
  out_trade_no: z.string().nullable().catch(null),
});

const about = (refund: SimulatedRefund | null) =>
  subjectOf({
    outTradeNo: refund?.order.outTradeNo ?? null,
    outRefundNo: refund?.outRefundNo ?? null,
  });

function readCard(
  body: AbnormalRefundBody & { type: 'USER_BANK_CARD' },
  read: (text: string) => string | null,
): { readonly card: UserBankCard } | { readonly refusal: Reply } {
  const bankAccount = read(body.bank_account);
  const realName = read(body.real_name);
  if (bankAccount === null) return { refusal: undecryptable('/bank_account') };
  if (realName === null) return { refusal: undecryptable('/real_name') };
  return { card: { bankType: body.bank_type, bankAccount, realName } };
}

/** The three calls of `/v3/refund/domestic/refunds`. */
export function createRefundEndpoints({
  transactions,
  refunds,
  store,
  refundLimits,
}: RefundEndpointsDeps): {
  readonly request: Endpoint;
  readonly query: Endpoint;
  readonly applyAbnormal: Endpoint;
} {
  return {
    request: {
      operation: 'refund',
      subject: (_req, body) => {
        const numbers = numbersInBody.safeParse(body).data;
        const paid = transactions.findByTransaction(numbers?.transaction_id ?? '');
        return subjectOf({
          outTradeNo: paid?.order.outTradeNo ?? numbers?.out_trade_no ?? null,
          outRefundNo: numbers?.out_refund_no ?? null,
        });
      },
      work: ({ merchant, body }) => {
        const parsed = parseRefund(body);
        return parsed.kind === 'refused' ? parsed.reply : refunds.ask(merchant, parsed.body);
      },
      limit: ({ merchantId }, reply) => refundLimits.through(merchantId, reply),
    },
    query: {
      operation: 'refund_query',
      subject: (req) => {
        const outRefundNo = pathNumber(req);
        return { ...about(store.findAnywhere(outRefundNo)), outRefundNo };
      },
      work: ({ merchant, req }) => refunds.query(merchant, pathNumber(req)),
    },
    applyAbnormal: {
      operation: 'abnormal_refund',
      subject: (req) => about(store.findById(pathNumber(req))),
      work: (call) => {
        const { merchant, req } = call;
        const parsed = parseAbnormalRefund(call.body);
        if (parsed.kind === 'refused') return parsed.reply;
        const { body } = parsed;
        const refund = { refundId: pathNumber(req), outRefundNo: body.out_refund_no };
        if (body.type === 'MERCHANT_BANK_CARD') {
          return refunds.sendElsewhere(merchant, refund, 'merchant_bank_card');
        }
        const seen = readCard(body, fieldReader(call));
        return 'refusal' in seen
          ? seen.refusal
          : refunds.sendElsewhere(merchant, refund, seen.card);
      },
    },
  };
}

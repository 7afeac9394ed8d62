import { z } from 'zod';
import { paramError, type Answer } from './answer';
import { decryptField } from './crypto';
import { pathNumber, type Call, type Endpoint } from './endpoint';
import type { SigningKey } from './merchants';
import { parseAbnormalRefund, parseRefund, type AbnormalRefundBody } from './refund-schemas';
import type { RefundStore, SimulatedRefund, UserBankCard } from './refund-store';
import type { Refunds } from './refunds';
import type { Transactions } from './transactions';

export interface RefundEndpointsDeps {
  readonly transactions: Transactions;
  readonly refunds: Refunds;
  readonly store: RefundStore;
}

const numbersInBody = z.looseObject({
  out_refund_no: z.string().nullable().catch(null),
  transaction_id: z.string().nullable().catch(null),
  out_trade_no: z.string().nullable().catch(null),
});

const subjectOf = (refund: SimulatedRefund | null) => ({
  outTradeNo: refund?.order.outTradeNo ?? null,
  outRefundNo: refund?.outRefundNo ?? null,
});

/** WeChat's key that the request's `Wechatpay-Serial` names. */
function keyOf({ merchant, req }: Call): SigningKey | null {
  const serial = req.get('wechatpay-serial');
  const keys = [merchant.platformPublicKey(), ...merchant.certificates()];
  return keys.find((key) => key?.serial === serial) ?? null;
}

function undecryptable(field: string): Answer {
  return paramError('敏感信息解密失败', {
    field,
    issue: 'not encrypted with the key that Wechatpay-Serial names',
    location: 'body',
  });
}

function readCard(
  body: AbnormalRefundBody & { type: 'USER_BANK_CARD' },
  key: SigningKey | null,
): { readonly card: UserBankCard } | { readonly refusal: Answer } {
  const read = (text: string): string | null =>
    key === null ? null : decryptField(key.privateKey, text);
  const bankAccount = read(body.bank_account);
  const realName = read(body.real_name);
  if (bankAccount === null) return { refusal: undecryptable('/bank_account') };
  if (realName === null) return { refusal: undecryptable('/real_name') };
  return { card: { bankType: body.bank_type, bankAccount, realName } };
}

/** The three calls of `/v3/refund/domestic/refunds`. */
export function createRefundEndpoints({ transactions, refunds, store }: RefundEndpointsDeps): {
  readonly ask: Endpoint;
  readonly query: Endpoint;
  readonly applyAbnormal: Endpoint;
} {
  return {
    ask: {
      operation: 'refund',
      subject: (_req, body) => {
        const numbers = numbersInBody.safeParse(body).data;
        const paid = transactions.findByTransaction(numbers?.transaction_id ?? '');
        return {
          outTradeNo: paid?.order.outTradeNo ?? numbers?.out_trade_no ?? null,
          outRefundNo: numbers?.out_refund_no ?? null,
        };
      },
      work: ({ merchant, body }) => {
        const parsed = parseRefund(body);
        return parsed.kind === 'refused' ? parsed.answer : refunds.ask(merchant, parsed.body);
      },
    },
    query: {
      operation: 'refund_query',
      subject: (req) => {
        const outRefundNo = pathNumber(req);
        return { ...subjectOf(store.findAnywhere(outRefundNo)), outRefundNo };
      },
      work: ({ merchant, req }) => refunds.query(merchant, pathNumber(req)),
    },
    applyAbnormal: {
      operation: 'abnormal_refund',
      subject: (req) => subjectOf(store.findById(pathNumber(req))),
      work: (call) => {
        const { merchant, req } = call;
        const parsed = parseAbnormalRefund(call.body);
        if (parsed.kind === 'refused') return parsed.answer;
        const { body } = parsed;
        const refund = { refundId: pathNumber(req), outRefundNo: body.out_refund_no };
        if (body.type === 'MERCHANT_BANK_CARD') {
          return refunds.sendElsewhere(merchant, refund, 'merchant_bank_card');
        }
        const seen = readCard(body, keyOf(call));
        return 'refusal' in seen
          ? seen.refusal
          : refunds.sendElsewhere(merchant, refund, seen.card);
      },
    },
  };
}

// Serves WeChat's profit sharing API.
import { z } from 'zod';
import { fieldReader } from '../http/encrypted-fields';
import { pathNumber, type Call, type Endpoint } from '../http/endpoint';
import { subjectOf, type Subject } from '../http/records';
import type { SharingReturns } from './sharing-returns';
import { parseReceiver, parseReturn, parseShare, parseUnfreeze } from './sharing-schemas';
import type { SharingStore } from './sharing-store';
import type { Sharings } from './sharings';
import type { Transactions } from '../payments/transactions';

export interface SharingEndpointsDeps {
  readonly transactions: Transactions;
  readonly sharingStore: SharingStore;
  readonly sharings: Sharings;
  readonly returns: SharingReturns;
}

const word = z.string().nullable().catch(null);
const numbersInBody = z
  .looseObject({ transaction_id: word, out_order_no: word, out_return_no: word })
  .catch({ transaction_id: null, out_order_no: null, out_return_no: null });
const namesInBody = z.looseObject({
  receivers: z.array(z.looseObject({ name: z.string().optional() })),
});

export interface SharingEndpoints {
  readonly addReceiver: Endpoint;
  readonly share: Endpoint;
  readonly querySharing: Endpoint;
  readonly unfreeze: Endpoint;
  readonly returnShared: Endpoint;
  readonly queryReturn: Endpoint;
  readonly unsplitAmount: Endpoint;
}

/** The body with its names decrypted, because encrypted names have other bytes each time. */
function readableContent(call: Call): unknown {
  const body = namesInBody.safeParse(call.body).data;
  if (body === undefined) return call.body;
  const read = fieldReader(call);
  const receivers = body.receivers.map((receiver) =>
    receiver.name === undefined ? receiver : { ...receiver, name: read(receiver.name) },
  );
  return { ...body, receivers };
}

function createReturnEndpoints(
  { sharingStore: store, returns }: SharingEndpointsDeps,
  ofSharing: (outOrderNo: string | null) => string | null,
): Pick<SharingEndpoints, 'returnShared' | 'queryReturn'> {
  return {
    returnShared: {
      operation: 'return',
      subject: (_req, body) => {
        const numbers = numbersInBody.parse(body);
        const { out_order_no: outOrderNo, out_return_no: outReturnNo } = numbers;
        return subjectOf({ outTradeNo: ofSharing(outOrderNo), outOrderNo, outReturnNo });
      },
      work: ({ merchant, body }) => {
        const parsed = parseReturn(body);
        return parsed.kind === 'refused' ? parsed.reply : returns.ask(merchant, parsed.body);
      },
    },
    queryReturn: {
      operation: 'return_query',
      subject: (req) => {
        const outReturnNo = pathNumber(req);
        const sharing = store.returns.findAnywhere(outReturnNo)?.sharing;
        const { outOrderNo = null, order } = sharing ?? {};
        return subjectOf({ outTradeNo: order?.outTradeNo ?? null, outOrderNo, outReturnNo });
      },
      work: ({ merchant, req }) =>
        returns.query(merchant, pathNumber(req), req.query['out_order_no']),
    },
  };
}

/** The calls of `/v3/profitsharing`. */
export function createSharingEndpoints(deps: SharingEndpointsDeps): SharingEndpoints {
  const { transactions, sharingStore: store, sharings } = deps;
  const ofPayment = (transactionId: string | null): string | null =>
    transactions.findByTransaction(transactionId ?? '')?.order.outTradeNo ?? null;
  const ofSharing = (outOrderNo: string | null): string | null =>
    store.sharings.findAnywhere(outOrderNo ?? '')?.order.outTradeNo ?? null;
  const sharingInBody = (body: unknown): Subject => {
    const { transaction_id: transactionId, out_order_no: outOrderNo } = numbersInBody.parse(body);
    return subjectOf({ outTradeNo: ofPayment(transactionId), outOrderNo });
  };
  return {
    addReceiver: {
      operation: 'receiver_add',
      subject: () => subjectOf({}),
      work: (call) => {
        const parsed = parseReceiver(call.body);
        if (parsed.kind === 'refused') return parsed.reply;
        return sharings.addReceiver(call.merchant, parsed.body, fieldReader(call));
      },
    },
    share: {
      operation: 'share',
      subject: (_req, body) => sharingInBody(body),
      content: readableContent,
      work: (call) => {
        const parsed = parseShare(call.body);
        if (parsed.kind === 'refused') return parsed.reply;
        return sharings.share(call.merchant, parsed.body, fieldReader(call));
      },
    },
    querySharing: {
      operation: 'share_query',
      subject: (req) => {
        const outOrderNo = pathNumber(req);
        return subjectOf({ outTradeNo: ofSharing(outOrderNo), outOrderNo });
      },
      work: ({ merchant, req }) =>
        sharings.query(merchant, pathNumber(req), req.query['transaction_id']),
    },
    unfreeze: {
      operation: 'unfreeze',
      subject: (_req, body) => sharingInBody(body),
      work: ({ merchant, body }) => {
        const parsed = parseUnfreeze(body);
        return parsed.kind === 'refused' ? parsed.reply : sharings.unfreeze(merchant, parsed.body);
      },
    },
    ...createReturnEndpoints(deps, ofSharing),
    unsplitAmount: {
      operation: 'unsplit_query',
      subject: (req) => subjectOf({ outTradeNo: ofPayment(pathNumber(req)) }),
      work: ({ merchant, req }) => sharings.unsplitAmount(merchant, pathNumber(req)),
    },
  };
}

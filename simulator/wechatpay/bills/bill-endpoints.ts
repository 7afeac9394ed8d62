// Serves WeChat's bill API: the request of a bill, and the download of its file.
import { z } from 'zod';
import type { Call, Endpoint } from '../http/endpoint';
import { aboutNothing } from '../http/records';
import { paramError, type Reply } from '../http/reply';
import { isDate } from './bill-days';
import type { Bills } from './bills';
import { TRADE_BILL_TYPES } from './columns';

const billDate = z.string().refine(isDate, 'yyyy-MM-dd');
const packing = z.literal('GZIP').optional();
const tradeQuery = z.strictObject({
  bill_date: billDate,
  bill_type: z.enum(TRADE_BILL_TYPES).default('ALL'),
  tar_type: packing,
});
const fundFlowQuery = z.strictObject({
  bill_date: billDate,
  account_type: z.enum(['BASIC', 'OPERATION', 'FEES']).default('BASIC'),
  tar_type: packing,
});
const downloadQuery = z.object({ token: z.string() });

export interface BillEndpoints {
  readonly tradeBill: Endpoint;
  readonly fundFlowBill: Endpoint;
  readonly download: Endpoint;
}

function queryError({ issues: [issue] }: z.ZodError): Reply {
  const field = `/query/${issue?.path.map(String).join('/') ?? ''}`;
  const problem = issue?.message ?? 'invalid';
  return paramError(`输入源“${field}”不符合规则：${problem}`, {
    field,
    issue: problem,
    location: 'query',
  });
}

/** The host by which the caller reached the simulator leads to the download too. */
function originOf({ req }: Call): string {
  return `http://${req.headers.host ?? ''}`;
}

/**
 * As strict as WeChat: https://pay.weixin.qq.com/doc/v3/merchant/4012556654, and for the download
 * https://pay.weixin.qq.com/wiki/doc/apiv3/apis/chapter7_3_9.shtml.
 */
export function createBillEndpoints(bills: Bills): BillEndpoints {
  return {
    tradeBill: {
      operation: 'trade_bill',
      subject: aboutNothing,
      work: (call) => {
        const query = tradeQuery.safeParse(call.req.query);
        if (!query.success) return queryError(query.error);
        const { bill_date: billDate, bill_type: type, tar_type: packed } = query.data;
        const wanted = { bill: 'trade', billDate, type, packed: packed !== undefined } as const;
        return bills.request(call.merchant, wanted, originOf(call));
      },
    },
    fundFlowBill: {
      operation: 'fund_flow_bill',
      subject: aboutNothing,
      work: (call) => {
        const query = fundFlowQuery.safeParse(call.req.query);
        if (!query.success) return queryError(query.error);
        const { bill_date: billDate, account_type: account, tar_type: packed } = query.data;
        const isPacked = packed !== undefined;
        const wanted = { bill: 'fund_flow', billDate, account, packed: isPacked } as const;
        return bills.request(call.merchant, wanted, originOf(call));
      },
    },
    download: {
      operation: 'bill_download',
      subject: aboutNothing,
      work: ({ merchant, req }) => {
        const query = downloadQuery.safeParse(req.query);
        return bills.download(merchant, query.success ? query.data.token : '');
      },
    },
  };
}

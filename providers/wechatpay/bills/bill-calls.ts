// Requests WeChat's bills of a day, and downloads them.
import type { Perform } from '../calls/calls';
import type { WechatOutcome } from '../calls/outcome';
import type { SignedCalls } from '../calls/request-signing';
import { parseObject } from '../fields/parse-object';
import { billResponse } from '../fields/response-schemas';
import { createBillDownload, type BillDownload, type BillDownloadDeps } from './bill-download';

export interface BillRequest {
  readonly merchantId: string;
  /** `YYYY-MM-DD`, a day in Beijing. */
  readonly billDate: string;
  readonly signal?: AbortSignal | undefined;
}

/** A bill that WeChat has made. */
export interface BillFile {
  /** Of the unpacked bytes, in lower-case hex. The file itself carries no signature. */
  readonly sha1: string;
  /** Valid for five minutes. Never to be logged: it holds a token. */
  readonly downloadUrl: string;
}

type Refused = Extract<WechatOutcome<BillFile>, { kind: 'refused' }>;

/** WeChat's response to the request for a bill. */
export type BillResponse =
  | { readonly kind: 'ready'; readonly file: BillFile; readonly requestId: string | null }
  /** WeChat is still making it: again in 30 minutes. */
  | { readonly kind: 'creating' }
  /** There was no trade on that day: a result, no failure. */
  | { readonly kind: 'none' }
  /** The merchant may not have this bill: no retry helps. */
  | (Omit<Refused, 'kind'> & { readonly kind: 'no_auth' })
  /** As for every call, the code says whether a retry can help: FREQUENCY_LIMITED alone. */
  | Refused
  | Extract<WechatOutcome<BillFile>, { kind: 'unknown' }>;

export interface BillCalls {
  /**
   * Requests the bill of all trades, packed.
   *
   * @see https://pay.weixin.qq.com/doc/v3/merchant/4012556654
   */
  requestTradeBill(request: BillRequest): Promise<BillResponse>;
  /** Requests the bill of all movements of the basic account, packed. */
  requestFundFlowBill(request: BillRequest): Promise<BillResponse>;
  /**
   * Downloads a bill by its URL, which is used as it is.
   *
   * @see https://pay.weixin.qq.com/wiki/doc/apiv3/apis/chapter7_3_9.shtml
   */
  downloadBill(request: BillRequest & Pick<BillFile, 'downloadUrl'>): Promise<BillDownload>;
}

/** The bill calls of {@link createWechatPayClient}. */
export function createBillCalls(
  deps: BillDownloadDeps & { readonly perform: Perform; readonly calls: SignedCalls },
): BillCalls {
  const { perform, calls } = deps;
  return {
    requestTradeBill: async ({ billDate, merchantId, signal }) =>
      responseOf(
        await perform({
          subject: { operation: 'trade_bill', billDate },
          signal,
          make: (send) => calls.requestTradeBill(billDate, merchantId, send),
          read: readBillFile,
        }),
      ),
    requestFundFlowBill: async ({ billDate, merchantId, signal }) =>
      responseOf(
        await perform({
          subject: { operation: 'fund_flow_bill', billDate },
          signal,
          make: (send) => calls.requestFundFlowBill(billDate, merchantId, send),
          read: readBillFile,
        }),
      ),
    downloadBill: createBillDownload(deps),
  };
}

function readBillFile(status: number, text: string): { value: BillFile } | null {
  if (status !== 200) return null;
  const seen = billResponse.safeParse(parseObject(text));
  return seen.success ? { value: seen.data } : null;
}

function responseOf(outcome: WechatOutcome<BillFile>): BillResponse {
  if (outcome.kind === 'ok') {
    return { kind: 'ready', file: outcome.value, requestId: outcome.requestId };
  }
  if (outcome.kind === 'unknown') return outcome;
  if (outcome.wechatCode === 'STATEMENT_CREATING') return { kind: 'creating' };
  if (outcome.wechatCode === 'NO_STATEMENT_EXIST') return { kind: 'none' };
  return outcome.code === 'WECHAT_PERMISSION_DENIED' ? { ...outcome, kind: 'no_auth' } : outcome;
}

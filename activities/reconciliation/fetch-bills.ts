// Gets the bills of a day from WeChat: requests them, downloads them, stages their lines.
import { Context } from '@temporalio/activity';
import { isUnavailable } from '../../database/core/classify-errors';
import type { Database } from '../../database/database';
import type { FundFlowFacts } from '../../database/reconciliation/read-reconciliations';
import type { ReadBill } from '../../database/reconciliation/stage-lines';
import { billWaitsUntil, type BillDate } from '../../domain/reconciliation/bill-days';
import type { FundLine, UnreadableLine } from '../../domain/reconciliation/bill-lines';
import { ERRORS, type ErrorCode } from '../../domain/error-catalogue';
import type { RetryPolicy } from '../../domain/retries/retry-policy';
import { BrokenDownload } from '../../providers/wechatpay/transport/downloads';
import type { BillFile, BillResponse } from '../../providers/wechatpay/bills/bill-calls';
import type { BillDownload } from '../../providers/wechatpay/bills/bill-download';
import { UnreadableBill } from '../../providers/wechatpay/bills/file-reader';
import { readFundFlowBill, readTradeBill } from '../../providers/wechatpay/bills/read-bill';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { FetchedBill } from '../../workflows/activity-contract';
import { OperationFailure, retryIn, type FailureEvidence } from '../retries/failures';
import { evidenceOf } from '../wechat/deps';

export interface FetchDeps {
  readonly database: Pick<Database, 'reconciliations'>;
  readonly wechatpay: Pick<
    WechatPayClient,
    'requestTradeBill' | 'requestFundFlowBill' | 'downloadBill'
  >;
  /** The bills are this merchant's. */
  readonly merchantId: string;
  /** The policy of `wechat.bill` as it is now. */
  readonly billPolicy: () => Promise<RetryPolicy>;
  readonly now: () => number;
}

/** A bill that differs from its announced hash so often is wrong at WeChat: a person is needed. */
const MAX_WRONG_HASHES = 3;

type Refusal = Extract<BillResponse, { kind: 'refused' | 'no_auth' }>;

/**
 * Gets the trade bill of a day, and stages its lines.
 * @throws ApplicationFailure `NOT_YET` while WeChat is making the bill
 * @throws OperationFailure when no bill came this time
 */
export async function fetchTradeBill(deps: FetchDeps, date: BillDate): Promise<FetchedBill> {
  const { database, wechatpay, merchantId, now } = deps;
  if ((await database.reconciliations.begin(date, now())) === null) return 'gone';
  const response = await wechatpay.requestTradeBill({ merchantId, billDate: date });
  switch (response.kind) {
    case 'ready':
      return stageFile(deps, date, response.file);
    case 'none':
      return stagedOrGone(await database.reconciliations.stage(date, noTrades()));
    case 'creating':
      return waitForBill(deps, date);
    case 'no_auth':
      return refuse(deps, date, response);
    case 'refused':
      if (ERRORS[response.code].retry) throw broken(deps, date, response.code, response);
      return refuse(deps, date, response);
    case 'unknown':
      throw broken(deps, date, response.code, response);
  }
}

const stagedOrGone = (staged: boolean): FetchedBill => (staged ? 'staged' : 'gone');

async function* noLines(): AsyncGenerator<never> {
  // A day without trades has none.
}

const noTrades = (): ReadBill => ({
  batches: noLines(),
  end: () => ({ sha1: null, mismatches: [] }),
});

/** WeChat makes a bill within minutes or hours; at the end of the next day nobody waits longer. */
async function waitForBill(deps: FetchDeps, date: BillDate): Promise<FetchedBill> {
  const leftMs = billWaitsUntil(date) - deps.now();
  if (leftMs <= 0) {
    const error = 'WeChat had not made the bill by the end of the next day';
    return fail(deps, date, error, { wechat_code: 'STATEMENT_CREATING' });
  }
  const { maxDelayMs } = await deps.billPolicy();
  throw retryIn(Math.min(maxDelayMs, leftMs), 'NOT_YET', 'wechat.bill');
}

async function refuse(deps: FetchDeps, date: BillDate, refusal: Refusal): Promise<FetchedBill> {
  const error = `WeChat refused the bill: ${refusal.wechatCode}`;
  const { status, wechatCode, message, requestId } = refusal;
  const evidence = { message, wechat_code: wechatCode, status, request_id: requestId };
  return fail(deps, date, error, evidence);
}

async function fail(
  { database, now }: FetchDeps,
  date: BillDate,
  error: string,
  evidence: FailureEvidence,
): Promise<'failed'> {
  await database.reconciliations.fail(date, { error, evidence }, now());
  return 'failed';
}

/** No bill came; after as many of these as the policy has attempts, the day has failed. */
function broken(
  deps: FetchDeps,
  date: BillDate,
  code: ErrorCode,
  outcome: Parameters<typeof evidenceOf>[0] | { readonly message: string },
): OperationFailure {
  const evidence = 'kind' in outcome ? evidenceOf(outcome) : outcome;
  return new OperationFailure({
    operation: 'wechat.bill',
    number: date,
    subject: 'trade_bill',
    code,
    evidence,
    giveUp: async () => {
      const error = 'The bill could not be downloaded, however often Oncepay tried';
      await fail(deps, date, error, evidence);
    },
  });
}

async function stageFile(deps: FetchDeps, date: BillDate, file: BillFile): Promise<FetchedBill> {
  const { database, merchantId, wechatpay } = deps;
  const { downloadUrl } = file;
  const download = await wechatpay.downloadBill({ merchantId, billDate: date, downloadUrl });
  if (download.kind !== 'stream') return noStream(deps, date, download);
  const { lines, end } = readTradeBill(download.bytes);
  const seen = { hasWrongHash: false };
  const bill: ReadBill = {
    batches: lines,
    end: () => {
      const { sha1, differences } = end();
      seen.hasWrongHash = sha1 !== file.sha1;
      return seen.hasWrongHash ? null : { sha1, mismatches: differences };
    },
  };
  try {
    const staged = await database.reconciliations.stage(date, bill);
    if (staged || !seen.hasWrongHash) return stagedOrGone(staged);
  } catch (error) {
    if (isUnavailable(error) || !isBroken(error)) throw error;
    const code = error instanceof BrokenDownload ? error.code : 'TEMPORARY_FAILURE';
    throw broken(deps, date, code, { message: error.message });
  }
  return throwAway(deps, date);
}

/** True when the file broke off, or is no bill at all, like a page of errors. */
const isBroken = (error: unknown): error is Error =>
  error instanceof BrokenDownload || error instanceof UnreadableBill;

function noStream(
  deps: FetchDeps,
  date: BillDate,
  download: Exclude<BillDownload, { kind: 'stream' }>,
): Promise<FetchedBill> {
  switch (download.kind) {
    case 'expired':
      throw broken(deps, date, 'TEMPORARY_FAILURE', { message: 'the URL of the bill had expired' });
    case 'other_origin':
      throw broken(deps, date, 'TEMPORARY_FAILURE', {
        message: 'WeChat named a URL of another host, to which nothing was sent',
      });
    case 'refused':
      if (ERRORS[download.code].retry) throw broken(deps, date, download.code, download);
      return refuse(deps, date, download);
    case 'broken':
      throw broken(deps, date, download.code, { ...download, kind: 'unknown' });
  }
}

/** The file is not the one that WeChat announced: nothing of it stays. */
async function throwAway(deps: FetchDeps, date: BillDate): Promise<FetchedBill> {
  const wrong = await deps.database.reconciliations.countWrongHash(date);
  if (wrong < MAX_WRONG_HASHES) {
    const { baseDelayMs } = await deps.billPolicy();
    throw retryIn(baseDelayMs, 'NOT_YET', 'wechat.bill');
  }
  const error = `${wrong} downloads did not have the hash that WeChat announced`;
  return fail(deps, date, error, {});
}

/**
 * Keeps the sums of the fund-flow bill. A day is done without it, so that nothing is tried again.
 */
export async function fetchFundFlowBill(deps: FetchDeps, date: BillDate): Promise<void> {
  const found = await readFundFlow(deps, date);
  if (typeof found !== 'string') await deps.database.reconciliations.keepFundFlow(date, found);
  else Context.current().log.warn('fund_flow.left_out', { why: found });
}

/** @returns the sums, or why there are none */
async function readFundFlow(
  { wechatpay, merchantId }: FetchDeps,
  date: BillDate,
): Promise<FundFlowFacts | string> {
  const response = await wechatpay.requestFundFlowBill({ merchantId, billDate: date });
  if (response.kind !== 'ready') return response.kind;
  const { sha1, downloadUrl } = response.file;
  const download = await wechatpay.downloadBill({ merchantId, billDate: date, downloadUrl });
  if (download.kind !== 'stream') return download.kind;
  const { lines, end } = readFundFlowBill(download.bytes);
  try {
    const sums = await sumOf(lines);
    return end().sha1 === sha1 ? { sha1, ...sums } : 'wrong_hash';
  } catch (error) {
    if (!isBroken(error)) throw error;
    return 'broken';
  }
}

/** The business type of a fee has this word; one that WeChat gives back comes in. */
const FEE = '手续费';

async function sumOf(batches: AsyncIterable<readonly (FundLine | UnreadableLine)[]>) {
  const sums = { lines: 0, in_fen: 0, out_fen: 0, fee_fen: 0 };
  for await (const batch of batches) {
    for (const line of batch) {
      sums.lines += 1;
      if (line.kind === 'unreadable') continue;
      const { direction, amountFen, businessType } = line;
      sums[direction === 'in' ? 'in_fen' : 'out_fen'] += amountFen;
      if (businessType.includes(FEE)) sums.fee_fen += direction === 'in' ? -amountFen : amountFen;
    }
  }
  return sums;
}

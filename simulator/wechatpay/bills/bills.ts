// Makes WeChat's bills on request, and hands out their files for five minutes.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { refuse, type Reply } from '../http/reply';
import type { Merchant } from '../keys/merchants';
import { beijingDate, checkDay, stillCreating, yesterday } from './bill-days';
import {
  createBillFaults,
  DOWNLOAD_FAULTS,
  FILE_FAULTS,
  REQUEST_FAULTS,
  type BillFault,
  type BillFaults,
} from './bill-faults';
import type { Books } from './books';
import { FUND_FLOW_FORM, OLDER_FORM, TRADE_FORMS, type TradeBillType } from './columns';
import { createFileStore, type BillFile } from './file-store';
import { playFileFaults, type Draft } from './file-faults';
import { writeBill, type FileStyle } from './write-bill';

const DEFAULT_READY_HOUR = 10;
const OTHER_ORIGIN = 'https://bills.elsewhere.example';
const ERROR_PAGE = '<html><head><title>系统繁忙</title></head><body>系统繁忙</body></html>';

/** WeChat's rules for bills that a test can change, and the styles of its files. */
export interface BillRules {
  /** The hour of the next day, in Beijing, from which a bill is there. Default WeChat's 10. */
  readonly readyHour?: number | undefined;
  /** True: trade bills of all types have the older layout of 24 columns. */
  readonly older?: boolean | undefined;
  /** True: a day without trades has a file without lines, instead of NO_STATEMENT_EXIST. */
  readonly emptyFile?: boolean | undefined;
  /** True: the bill of yesterday also has the trades of today, for which nobody gets a bill. */
  readonly withToday?: boolean | undefined;
  /** Default: with a BOM, `crlf`, and an end of the last line. */
  readonly bom?: FileStyle['bom'] | undefined;
  readonly newline?: FileStyle['newline'] | undefined;
  readonly endsLastLine?: FileStyle['endsLastLine'] | undefined;
}

/** The bill that a request names. */
export type WantedBill = { readonly billDate: string; readonly packed: boolean } & (
  | { readonly bill: 'trade'; readonly type: TradeBillType }
  | { readonly bill: 'fund_flow'; readonly account: 'BASIC' | 'OPERATION' | 'FEES' }
);

export interface Bills {
  /** @param origin the simulator's own, as the caller reached it */
  readonly request: (merchant: Merchant, wanted: WantedBill, origin: string) => Reply;
  readonly download: (merchant: Merchant, token: string) => Reply;
  /** Changes the given rules. */
  readonly setRules: (rules: BillRules) => void;
  readonly addFault: BillFaults['add'];
  readonly clearFaults: BillFaults['clear'];
  /** Forgets files and faults; the rules are as at the start. */
  readonly clear: () => void;
}

/** Bills are made anew for each request, from what WeChat knows then. */
export function createBills(deps: {
  readonly books: Books;
  readonly now: () => number;
  readonly readyHour: number | undefined;
}): Bills {
  const { books, now } = deps;
  const faults = createBillFaults();
  const files = createFileStore(now);
  const rulesAtStart: BillRules = { readyHour: deps.readyHour ?? DEFAULT_READY_HOUR };
  let rules = rulesAtStart;

  const make = (merchant: Merchant, wanted: WantedBill): Buffer | null => {
    const draft = draftOf(books, merchant.merchantId, wanted, { rules, nowMs: now() });
    const played = faults.takeAll(FILE_FAULTS, wanted);
    const text = playFileFaults(draft, played);
    if (text.lines.length === 0 && rules.emptyFile !== true) return null;
    return writeBill(draft.form, text, {
      bom: rules.bom ?? true,
      newline: rules.newline ?? 'crlf',
      endsLastLine: rules.endsLastLine ?? true,
    });
  };
  return {
    request: (merchant, wanted, origin) => {
      const refusal = checkDay(wanted.billDate, now(), rules.readyHour ?? DEFAULT_READY_HOUR);
      if (refusal !== null) return refusal;
      const fault = faults.take(REQUEST_FAULTS, wanted);
      if (fault?.kind === 'creating') return stillCreating();
      if (fault?.kind === 'no_auth') return refuse(403, 'NO_AUTH', '商户无权限');
      const bytes = make(merchant, wanted);
      if (bytes === null) return refuse(400, 'NO_STATEMENT_EXIST', '账单文件不存在');
      const { bill, billDate, packed } = wanted;
      const { merchantId } = merchant;
      const token = files.keep({ bill, billDate, merchantId, bytes, packed });
      const at = fault?.kind === 'other_origin' ? OTHER_ORIGIN : origin;
      const hashed = fault?.kind === 'wrong_hash' ? Buffer.from(token) : bytes;
      return {
        status: 200,
        body: {
          hash_type: 'SHA1',
          hash_value: createHash('sha1').update(hashed).digest('hex'),
          download_url: `${at}/v3/billdownload/file?token=${token}${packed ? '&tartype=gzip' : ''}`,
        },
      };
    },
    download: (merchant, token) => {
      const file = files.find(token);
      const fault = file === null ? null : faults.take(DOWNLOAD_FAULTS, file);
      if (file === null || fault?.kind === 'expired') {
        return refuse(400, 'INVALID_REQUEST', '下载链接过期，请重新请求文件下载');
      }
      if (file.merchantId !== merchant.merchantId) return refuse(403, 'NO_AUTH', '商户无权限');
      return { status: 200, body: null, file: sentFile(file, fault) };
    },
    setRules: (changed) => {
      rules = { ...rules, ...changed };
    },
    addFault: faults.add,
    clearFaults: faults.clear,
    clear: () => {
      files.clear();
      faults.clear();
      rules = rulesAtStart;
    },
  };
}

function sentFile(file: BillFile, fault: BillFault | null): NonNullable<Reply['file']> {
  if (fault?.kind === 'html') return { bytes: Buffer.from(ERROR_PAGE), type: 'text/html' };
  const isPacked = file.packed && fault?.kind !== 'plain';
  return {
    bytes: isPacked ? gzipSync(file.bytes) : file.bytes,
    type: isPacked ? 'application/x-gzip' : 'text/plain',
    isCut: fault?.kind === 'cut',
  };
}

/** Refunds are paid from the basic account; the simulator knows no movement of another. */
function draftOf(
  books: Books,
  merchantId: string,
  wanted: WantedBill,
  { rules, nowMs }: { readonly rules: BillRules; readonly nowMs: number },
): Draft {
  const { billDate } = wanted;
  const isBroughtForward = rules.withToday === true && billDate === yesterday(nowMs);
  const days = isBroughtForward ? [billDate, beijingDate(nowMs)] : [billDate];
  if (wanted.bill === 'fund_flow') {
    const lines = wanted.account === 'BASIC' ? books.fundLines(merchantId, days) : [];
    return { billDate, form: FUND_FLOW_FORM, lines };
  }
  const form = rules.older === true ? OLDER_FORM : TRADE_FORMS[wanted.type];
  return { billDate, form, lines: books.tradeLines(merchantId, wanted.type, days) };
}

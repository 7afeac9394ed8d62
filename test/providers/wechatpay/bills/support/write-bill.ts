// Writes bills for tests in each layout, from WeChat's description of the format alone.

/** The columns of each layout, in WeChat's order. */
const ALL =
  '交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,' +
  '付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,' +
  '退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注';
const REFUND_COLUMNS = /微信退款单号,.*退款状态,|申请退款金额,/g;
export const LAYOUTS = {
  ALL: ALL.split(','),
  SUCCESS: ALL.replaceAll(REFUND_COLUMNS, '').split(','),
  REFUND: ALL.replace('代金券金额,', '代金券金额,退款申请时间,退款成功时间,').split(','),
  LEGACY: ALL.replace('特约商户号', '子商户号')
    .replace('应结订单金额', '总金额')
    .replace('代金券金额', '代金券或立减优惠金额')
    .replace('充值券退款金额', '代金券或立减优惠退款金额')
    .replace(',订单金额,申请退款金额,费率备注', '')
    .split(','),
  FUND_FLOW: (
    '记账时间,微信支付业务单号,资金流水单号,业务名称,业务类型,收支类型,收支金额(元),账户结余(元),' +
    '资金变更提交申请人,备注,业务凭证号'
  ).split(','),
} as const;

export const TRADE_SUMMARY =
  '总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额';
export const LEGACY_SUMMARY =
  '总交易单数,总交易额,总退款金额,总代金券或立减优惠退款金额,手续费总金额';
export const FUND_FLOW_SUMMARY = '资金流水总笔数,收入笔数,收入金额,支出笔数,支出金额';

/** The cells of a line by the names of their columns; a column that is left out is empty. */
export type Cells = Readonly<Record<string, string>>;

export interface BillText {
  readonly columns: readonly string[];
  readonly rows: readonly Cells[];
  /** The two lines of the summary; null leaves them out. */
  readonly summary: { readonly header: string; readonly values: readonly string[] } | null;
  readonly bom?: boolean;
  readonly newline?: '\n' | '\r\n';
  /** False: the last line has no end. */
  readonly endsLastLine?: boolean;
  /** True: the header's names begin with a backtick too. */
  readonly headerInBackticks?: boolean;
}

/** A line of values, each behind its backtick. */
export const lineOf = (values: readonly string[]): string =>
  values.map((value) => `\`${value}`).join(',');

/** Text of a merchant as WeChat writes it into a bill. */
export const escaped = (text: string): string =>
  text.replaceAll(',', '\\ ').replaceAll(/\r?\n|\r/g, '\\n');

export function writeBill(bill: BillText): Buffer {
  const { columns, rows, summary, newline = '\r\n' } = bill;
  const lines = [
    bill.headerInBackticks === true ? lineOf(columns) : columns.join(','),
    ...rows.map((row) => lineOf(columns.map((column) => row[column] ?? ''))),
    ...(summary === null ? [] : [summary.header, lineOf(summary.values)]),
  ];
  const end = bill.endsLastLine === false ? '' : newline;
  return Buffer.from(`${bill.bom === true ? '\ufeff' : ''}${lines.join(newline)}${end}`);
}

/** `1234` fen as `12.34`. */
export function yuan(amountFen: number): string {
  const digits = String(Math.abs(amountFen)).padStart(3, '0');
  return `${amountFen < 0 ? '-' : ''}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** 1/100,000 yuan with five decimals. */
export function feeText(feeE5: number): string {
  const digits = String(Math.abs(feeE5)).padStart(6, '0');
  return `${feeE5 < 0 ? '-' : ''}${digits.slice(0, -5)}.${digits.slice(-5)}`;
}

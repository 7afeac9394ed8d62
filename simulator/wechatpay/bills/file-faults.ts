// Plays the faults of a file on the lines of a bill.
import { feeOf, feeText, RATE_TEXT, valueOf, yuanText } from './amounts';
import type { BillFault } from './bill-faults';
import type { BillForm, Cells } from './columns';
import type { BillLine } from './trade-lines';
import { lineText, sumsOf, type FileText } from './write-bill';

const FOREIGN_NUMBER = 'OTHER-SHOP-000001';

/** A file before it is written. */
export interface Draft {
  readonly billDate: string;
  readonly form: BillForm;
  readonly lines: readonly BillLine[];
}

/** The text of a file with its faults. The summary adds up the lines as they are then. */
export function playFileFaults(draft: Draft, faults: readonly BillFault[]): FileText {
  const { form, billDate } = draft;
  const rows = faults.reduce(
    (lines, fault) =>
      fault.kind === 'foreign_line'
        ? [...lines, foreignLine(lines, billDate, fault)]
        : changeRows(lines, fault),
    draft.lines,
  );
  const broken = new Set(faults.filter(isOf('broken_line')).map((fault) => find(rows, fault)));
  const written = rows.map((row) => ({ row, cells: form.rename?.(row.cells) ?? row.cells }));
  const sums = sumsOf(
    form,
    written.map(({ cells }) => cells),
  );
  return {
    lines: written.map(({ row, cells }) => {
      const text = lineText(form, cells);
      return broken.has(row) ? text.slice(0, text.lastIndexOf(',`')) : text;
    }),
    summary: faults.some(isOf('wrong_summary')) ? sums.map(oneMore) : sums,
  };
}

const isOf =
  (kind: BillFault['kind']) =>
  (fault: BillFault): boolean =>
    fault.kind === kind;

/** The line of the fault's number, or the first one; undefined in an empty bill. */
function find(rows: readonly BillLine[], fault: BillFault): BillLine | undefined {
  const { outTradeNo, outRefundNo } = fault;
  return rows.find(
    (row) =>
      (outTradeNo === undefined || (row.outTradeNo === outTradeNo && row.outRefundNo === null)) &&
      (outRefundNo === undefined || row.outRefundNo === outRefundNo),
  );
}

function changeRows(rows: readonly BillLine[], fault: BillFault): readonly BillLine[] {
  const line = find(rows, fault);
  if (line === undefined) return rows;
  const replaced = (cells: Cells): readonly BillLine[] =>
    rows.map((row) => (row === line ? { ...row, cells: { ...row.cells, ...cells } } : row));
  switch (fault.kind) {
    case 'missing_line':
      return rows.filter((row) => row !== line);
    case 'duplicate_line':
      return [...rows, { ...line }];
    case 'changed_amount':
      return replaced(changedAmount(line, fault.totalFen));
    case 'changed_status':
      return replaced({
        [line.outRefundNo === null ? '交易状态' : '退款状态']: fault.status ?? 'PROCESSING',
      });
    default:
      return rows;
  }
}

/** The amounts that are compared, and those that the account gets. */
function changedAmount({ cells, outRefundNo }: BillLine, totalFen: number | undefined): Cells {
  const movement = cells['收支金额(元)'];
  if (movement !== undefined) return { '收支金额(元)': oneMoreFen(movement, totalFen) };
  const [amount, settled] =
    outRefundNo === null ? ['订单金额', '应结订单金额'] : ['申请退款金额', '退款金额'];
  const text = oneMoreFen(cells[amount] ?? '0.00', totalFen);
  return { [amount]: text, [settled]: text };
}

const oneMoreFen = (text: string, totalFen: number | undefined): string =>
  yuanText(totalFen ?? valueOf(text) + 1);

/** `2` → `3`, `1.10` → `1.11`. */
function oneMore(text: string): string {
  if (!text.includes('.')) return String(Number(text) + 1);
  const isFee = text.split('.')[1]?.length !== 2;
  return isFee ? feeText(valueOf(text) + 1) : yuanText(valueOf(text) + 1);
}

/** A payment of another system on the same merchant number. */
function foreignLine(rows: readonly BillLine[], billDate: string, fault: BillFault): BillLine {
  const outTradeNo = fault.outTradeNo ?? FOREIGN_NUMBER;
  const totalFen = fault.totalFen ?? 100;
  const like = rows[0]?.cells ?? {};
  return {
    outTradeNo,
    outRefundNo: null,
    cells: {
      ...like,
      交易时间: `${billDate} 12:00:00`,
      微信订单号: `42000099990000000000${String(rows.length).padStart(8, '0')}`,
      商户订单号: outTradeNo,
      交易状态: 'SUCCESS',
      货币种类: 'CNY',
      费率: RATE_TEXT,
      微信退款单号: '0',
      商户退款单号: '0',
      退款金额: yuanText(0),
      充值券退款金额: yuanText(0),
      退款类型: '',
      退款状态: '',
      应结订单金额: yuanText(totalFen),
      代金券金额: yuanText(0),
      手续费: feeText(feeOf(totalFen)),
      订单金额: yuanText(totalFen),
      申请退款金额: yuanText(0),
    },
  };
}

// Writes a bill's lines and its summary as WeChat's file has them.
import { createHash } from 'node:crypto';
import { feeText, valueOf, yuanText } from './amounts';
import type { BillForm, Cells, Sum } from './columns';

const BYTE_ORDER_MARK = '\ufeff';

/** The ways in which WeChat's files differ from account to account. */
export interface FileStyle {
  readonly bom: boolean;
  readonly newline: 'crlf' | 'lf';
  /** False: the last line has no end, as in older files. */
  readonly endsLastLine: boolean;
}

/** The lines of a file, and the values of its summary. */
export interface FileText {
  readonly lines: readonly string[];
  readonly summary: readonly string[];
}

/** Writes the file. The same books make the same bytes, also where the rows are in no order. */
export function writeBill(form: BillForm, { lines, summary }: FileText, style: FileStyle): Buffer {
  const newline = style.newline === 'crlf' ? '\r\n' : '\n';
  const text = [
    form.columns.join(','),
    ...(form.order === 'none' ? shuffled(lines) : lines),
    form.summary.map(([name]) => name).join(','),
    inBackticks(summary),
  ].join(newline);
  const bom = style.bom ? BYTE_ORDER_MARK : '';
  return Buffer.from(`${bom}${text}${style.endsLastLine ? newline : ''}`);
}

/** Each value begins with a backtick, so that a spreadsheet takes it for text. */
export function inBackticks(values: readonly string[]): string {
  return values.map((value) => `\`${value}`).join(',');
}

export function lineText(form: BillForm, cells: Cells): string {
  return inBackticks(form.columns.map((column) => cells[column] ?? ''));
}

/** The values of the summary over these lines. */
export function sumsOf(form: BillForm, rows: readonly Cells[]): string[] {
  return form.summary.map(([, sum]) => sumOf(sum, rows));
}

function sumOf(sum: Sum, rows: readonly Cells[]): string {
  const where = Object.entries(sum.where ?? {});
  const counted = rows.filter((cells) => where.every(([name, value]) => cells[name] === value));
  if (sum.kind === 'count') return String(counted.length);
  const total = counted.reduce((all, cells) => all + valueOf(cells[sum.column] ?? '0'), 0);
  return sum.kind === 'yuan' ? yuanText(total) : feeText(total);
}

function shuffled(lines: readonly string[]): string[] {
  const keyed = lines.map((line) => ({ line, key: createHash('sha1').update(line).digest('hex') }));
  return keyed.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ line }) => line);
}

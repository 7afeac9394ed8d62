// Writes the differences of a day as a table for accountants.
import { stringify } from 'csv-stringify/sync';
import type { DifferenceView } from '../../database/reconciliation/read-reconciliations';

/** The names of the columns are public. */
const HEADER = [
  '账单日',
  '类型',
  '状态',
  '商户订单号',
  '微信订单号',
  '商户退款单号',
  '我方金额(元)',
  '微信金额(元)',
  '发现时间',
];

const BEIJING_OFFSET_MS = 8 * 3_600_000;

/** The line of the header, after the mark by which spreadsheets recognise UTF-8. */
export const csvHeader = (): string => stringify([HEADER], { bom: true });

/**
 * The lines of some differences. A cell that a spreadsheet would take for a formula gets an
 * apostrophe: the numbers in a bill are written by others.
 */
export const csvLines = (differences: readonly DifferenceView[]): string =>
  stringify(differences.map(cellsOf), { escape_formulas: true });

const cellsOf = (difference: DifferenceView): (string | null)[] => [
  difference.billDate,
  difference.type,
  difference.status,
  difference.outTradeNo,
  difference.transactionId,
  difference.outRefundNo,
  yuan(difference.ours?.amount_fen ?? null),
  yuan(difference.theirs?.amount_fen ?? null),
  new Date(difference.since.getTime() + BEIJING_OFFSET_MS)
    .toISOString()
    .slice(0, 19)
    .replace('T', ' '),
];

/** `12.30` for 1230 fen; no floats. */
function yuan(amountFen: number | null): string | null {
  if (amountFen === null) return null;
  const digits = String(amountFen).padStart(3, '0');
  return `${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

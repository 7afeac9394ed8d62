// Stages the lines of a bill with COPY, in one transaction with the facts of the bill.
import type { Pool, PoolClient } from 'pg';
import type { BillDate } from '../../domain/reconciliation/bill-days';
import type { TradeLine, UnreadableLine } from '../../domain/reconciliation/bill-lines';
import { isForeignNumber } from '../../domain/reconciliation/foreign-numbers';
import { copyRows, type CopyValue } from '../connections/copy-rows';

type Line = TradeLine | UnreadableLine;

/** A number and an amount in fen. */
export interface Total {
  readonly count: number;
  readonly fen: number;
}

/** A column of the summary that differs from the lines. Fen, or a count, or 1/100,000 yuan. */
export interface SummaryMismatch {
  readonly column: string;
  /** null where the summary is missing, or can't be read. */
  readonly summary: number | null;
  readonly lines: number;
}

/** The facts of a bill, once all its lines were read. */
export interface StagedBill {
  /** null for a day without trades, which has no bill. */
  readonly sha1: string | null;
  readonly mismatches: readonly SummaryMismatch[];
}

/** A trade bill as its reader gives it. */
export interface ReadBill {
  readonly batches: AsyncIterable<readonly Line[]>;
  /** Called after the last line. @returns null when the bill must be thrown away */
  readonly end: () => StagedBill | null;
}

/** The facts of a bill as its row keeps them. */
export interface BillFacts {
  readonly sha1: string;
  readonly lines: number;
  readonly payments: Total;
  readonly refunds: Total;
  readonly fee_e5: number;
  /** Lines of other systems on the same merchant number. */
  readonly foreign: number;
  readonly mismatches: readonly SummaryMismatch[];
}

const COLUMNS = `reconciliation_lines (bill_date, line, kind, is_foreign, traded_at, merchant_id,
  transaction_id, out_trade_no, refund_id, out_refund_no, trade_type, currency, order_fen,
  refund_fen, refund_status, fee_e5, why)`;

/** Waits for a worker that still stages the same day, though its attempt timed out. */
const LOCK = `SELECT pg_advisory_xact_lock(hashtext('reconciliation'), hashtext($1))`;

/**
 * Replaces the staged lines of a day by those of a bill, as they come. When the bill breaks off or
 * is thrown away, everything stays as it was.
 * @returns false when the bill was thrown away
 * @throws the error that broke the bill off, or the one of the database
 */
export async function stageLines(
  pool: Pool,
  date: BillDate,
  bill: ReadBill,
  foreignPrefixes: readonly string[],
): Promise<boolean> {
  const client = await pool.connect();
  let failed: unknown = null;
  try {
    await client.query('BEGIN');
    const staged = await stage(client, date, bill, foreignPrefixes);
    await client.query(staged ? 'COMMIT' : 'ROLLBACK');
    return staged;
  } catch (error) {
    failed = error;
    await client.query('ROLLBACK').catch(() => {
      // The first error counts; the connection is closed below.
    });
    throw error;
  } finally {
    client.release(failed !== null);
  }
}

async function stage(
  client: PoolClient,
  date: BillDate,
  { batches, end }: ReadBill,
  foreignPrefixes: readonly string[],
): Promise<boolean> {
  await client.query(LOCK, [date]);
  await client.query('DELETE FROM reconciliation_lines WHERE bill_date = $1', [date]);
  const counted: Counted = {
    lines: 0,
    foreign: 0,
    feeE5: 0,
    payments: [0, 0],
    refunds: [0, 0],
  };
  const isForeign = (line: Line) =>
    line.kind !== 'unreadable' && isForeignNumber(line.outTradeNo, foreignPrefixes);

  async function* rows(): AsyncGenerator<CopyValue[][]> {
    for await (const batch of batches) {
      yield batch.map((line) => {
        const foreign = isForeign(line);
        count(counted, line, foreign);
        return rowOf(date, line, foreign);
      });
    }
  }
  await copyRows(client, COLUMNS, rows());
  const read = end();
  if (read === null) return false;
  const facts = read.sha1 === null ? null : factsOf(counted, read.sha1, read.mismatches);
  const { rowCount } = await client.query(
    `UPDATE reconciliations SET status = 'running', bill = $2
     WHERE bill_date = $1 AND due_at IS NOT NULL`,
    [date, facts],
  );
  return rowCount === 1;
}

function factsOf(
  counted: Counted,
  sha1: string,
  mismatches: readonly SummaryMismatch[],
): BillFacts {
  return {
    sha1,
    lines: counted.lines,
    payments: totalOf(counted.payments),
    refunds: totalOf(counted.refunds),
    fee_e5: counted.feeE5,
    foreign: counted.foreign,
    mismatches,
  };
}

const totalOf = ([count = 0, fen = 0]: readonly number[]): Total => ({ count, fen });

interface Counted {
  lines: number;
  foreign: number;
  feeE5: number;
  payments: number[];
  refunds: number[];
}

function count(counted: Counted, line: Line, foreign: boolean): void {
  counted.lines += 1;
  if (foreign) counted.foreign += 1;
  if (line.kind === 'unreadable') return;
  counted.feeE5 += line.feeE5;
  if (line.kind === 'payment') addTo(counted.payments, line.orderFen);
  if (line.kind === 'refund') addTo(counted.refunds, line.refundFen);
}

function addTo(total: number[], fen: number): void {
  total[0] = (total[0] ?? 0) + 1;
  total[1] = (total[1] ?? 0) + fen;
}

function rowOf(date: BillDate, line: Line, foreign: boolean): CopyValue[] {
  if (line.kind === 'unreadable') {
    const nothing = Array.from<null>({ length: 12 }).fill(null);
    return [date, line.line, line.kind, foreign, ...nothing, line.why];
  }
  return [
    date,
    line.line,
    line.kind,
    foreign,
    line.tradedAt,
    line.mchid,
    line.transactionId,
    line.outTradeNo,
    line.refundId,
    line.outRefundNo,
    line.tradeType,
    line.currency,
    line.orderFen,
    line.refundFen,
    line.refundStatus,
    line.feeE5,
    null,
  ];
}

// The books of Oncepay and of WeChat's simulator about the same payments, in one shape.
import type { TestOncepay } from '../../support/oncepay';

/** A payment with the refunds that WeChat has carried out. */
export interface BooksOf {
  readonly transactionId: string;
  readonly totalFen: number;
  readonly refundedFen: number;
  /** Our refunds hold this; once nothing is under way, all of it has gone back. */
  readonly heldFen: number;
  readonly refunds: readonly { readonly number: string; readonly fen: number }[];
}

/** The books as our tables show them, by transaction. */
export async function booksOf({ sql }: TestOncepay): Promise<BooksOf[]> {
  const { rows } = await sql.query<BooksOf>(
    `SELECT t.transaction_id AS "transactionId", t.total_fen AS "totalFen",
       t.refunded_fen AS "refundedFen", t.held_fen AS "heldFen",
       (SELECT coalesce(jsonb_agg(jsonb_build_object('number', out_refund_no, 'fen', amount_fen)
          ORDER BY out_refund_no COLLATE "C"), '[]')
        FROM refunds WHERE transaction_key = t.id AND status = 'succeeded') AS refunds
     FROM payment_transactions t ORDER BY t.transaction_id COLLATE "C"`,
  );
  return rows;
}

/** The same as WeChat has it. */
export function wechatsBooks({ simulator }: TestOncepay): BooksOf[] {
  const back = simulator.refundsOf().filter(({ status }) => status === 'SUCCESS');
  const payments = simulator.orders().flatMap((order) => order.payments);
  return payments
    .map(({ transactionId, totalFen }) => {
      const refunds = back
        .filter((one) => one.transactionId === transactionId)
        .map(({ outRefundNo, refundFen }) => ({ number: outRefundNo, fen: refundFen }))
        .sort((a, b) => (a.number < b.number ? -1 : 1));
      const refundedFen = refunds.reduce((sum, { fen }) => sum + fen, 0);
      return { transactionId, totalFen, refundedFen, heldFen: refundedFen, refunds };
    })
    .sort((a, b) => (a.transactionId < b.transactionId ? -1 : 1));
}

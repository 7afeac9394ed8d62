// The row of a payment's transaction: recorded once, reopened when a rejected one is accepted.
import { v7 as uuidv7 } from 'uuid';
import { fen, type Fen } from '../../domain/money';
import type { KnownTransaction } from '../../domain/payments/decide-payment';
import type { TransactionStatus } from '../../domain/payments/match-payment';
import type { PaymentNotice } from '../../domain/payments/notices';
import type { InboxRow, Scope } from '../core/scope';
import { endInterventions } from '../interventions/open-intervention';

export interface RecordedTransaction {
  /** Key of its row. */
  readonly key: string;
  /** The row as it was before this notice; null when the notice is the first of its transaction. */
  readonly known: KnownTransaction | null;
}

/** A payment of which WeChat names the transaction: no other gets a row. */
export type ReportedTransaction = PaymentNotice & {
  readonly transactionId: string;
  readonly tradeState: 'SUCCESS' | 'REFUND';
};

const DAY_MS = 86_400_000;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

type TransactionRow = KnownTransaction & { readonly id: string };

/**
 * Adds the transaction's row, or reads the one that it has: one statement for both.
 * @param status of a row that is added
 */
export async function recordTransaction(
  scope: Scope,
  notice: ReportedTransaction,
  row: InboxRow,
  status: TransactionStatus,
): Promise<RecordedTransaction> {
  const { tx, outTradeNo, order, now } = scope;
  const key = uuidv7();
  const merchantId = notice.merchantId ?? '';
  const { transactionId } = notice;
  const successTime = believedSuccessTime(scope, notice, row);
  const [found] = await tx.$queryRaw<(TransactionRow | { readonly id: string; status: null })[]>`
    WITH added AS (
      INSERT INTO payment_transactions (id, provider, merchant_id, transaction_id, out_trade_no,
        order_no, status, trade_state, trade_type, app_id, total_fen, payer_total_fen, currency,
        success_time, created_at)
      VALUES (${key}::uuid, 'wechatpay', ${merchantId}, ${transactionId}, ${outTradeNo},
        ${order ? outTradeNo : null}, ${status}, ${notice.tradeState}, ${notice.tradeType},
        ${notice.appId}, ${notice.totalFen}, ${notice.payerTotalFen}, ${notice.currency},
        ${successTime}, ${now})
      ON CONFLICT (provider, merchant_id, transaction_id) DO NOTHING
      RETURNING id
    )
    SELECT id::text, NULL AS status, NULL AS "outTradeNo", NULL::int AS "totalFen",
      NULL AS currency, NULL AS "appId", NULL::int AS "heldFen" FROM added
    UNION ALL
    SELECT id::text, status, out_trade_no, total_fen, currency, app_id, held_fen
    FROM payment_transactions WHERE provider = 'wechatpay' AND merchant_id = ${merchantId}
      AND transaction_id = ${transactionId}`;
  if (found?.status === null) return { key: found.id, known: null };
  // Another number's run added it at the same moment: its row shows only in a new snapshot.
  const known = found ?? (await readTransaction(scope, merchantId, transactionId));
  return { key: known.id, known };
}

/**
 * When the payer paid. A time that can't be read, lies more than a day after the notice came, or
 * more than a day before the order was created, is replaced by the time when the notice came.
 */
function believedSuccessTime(
  { order, unreadable }: Scope,
  { successTime, unreadable: others }: PaymentNotice,
  { id, receivedAt }: InboxRow,
): Date {
  const readMs = successTime !== null && RFC_3339.test(successTime) ? Date.parse(successTime) : NaN;
  const earliestMs = order ? order.createdAt.getTime() - DAY_MS : 0;
  if (readMs >= earliestMs && readMs <= receivedAt.getTime() + DAY_MS) return new Date(readMs);
  unreadable.set(id, [...new Set([...others, 'success_time'])]);
  return receivedAt;
}

async function readTransaction(
  { tx }: Scope,
  merchantId: string,
  transactionId: string,
): Promise<TransactionRow> {
  const [row] = await tx.$queryRaw<TransactionRow[]>`
    SELECT id::text, status, out_trade_no AS "outTradeNo", total_fen AS "totalFen", currency,
      app_id AS "appId", held_fen AS "heldFen"
    FROM payment_transactions WHERE provider = 'wechatpay' AND merchant_id = ${merchantId}
      AND transaction_id = ${transactionId}`;
  if (!row) throw new Error(`Transaction ${transactionId} was neither added nor found`);
  return row;
}

/**
 * Makes a rejected transaction the order's payment: its row takes over what WeChat reports now, and
 * the intervention about it ends.
 */
export async function reopenTransaction(
  { tx, outTradeNo, now }: Scope,
  notice: PaymentNotice,
  key: string,
): Promise<void> {
  const { totalFen, currency, appId, transactionId } = notice;
  await tx.paymentTransaction.updateMany({
    where: { id: key, status: 'rejected' },
    data: { status: 'applied', totalFen, currency, appId },
  });
  const subjects = [transactionId ?? ''];
  await endInterventions(tx, { outTradeNo, reasons: ['amount_mismatch'], subjects, now });
}

/** Reads how much of a transaction refunds hold. */
export async function readHeld(
  { tx }: Scope,
  key: string,
): Promise<{ readonly totalFen: Fen | null; readonly heldFen: Fen }> {
  const { totalFen, heldFen } = await tx.paymentTransaction.findUniqueOrThrow({
    where: { id: key },
    select: { totalFen: true, heldFen: true },
  });
  return { totalFen: totalFen === null ? null : fen(totalFen), heldFen: fen(heldFen) };
}

// Reconciles bills in tests of the database: rows of ours, lines of theirs, and the run's steps.
import { Pool } from 'pg';
import type { Database } from '../../../database/database';
import type { SummaryMismatch } from '../../../database/reconciliation/stage-lines';
import type { BillDate } from '../../../domain/reconciliation/bill-days';
import type { TradeLine, UnreadableLine } from '../../../domain/reconciliation/bill-lines';
import { makeOrderNumber } from '../../../domain/orders/order-number';
import { createTestDatabase } from '../../support/test-database';
import { openDatabase } from './built';
import { secrets } from './secrets';

export const DAY = '2026-11-29' as BillDate;
export const NEXT_DAY = '2026-11-30' as BillDate;
export const NOW_MS = Date.parse('2026-12-01T11:00:00+08:00');
const MERCHANT = 'm';

type Line = TradeLine | UnreadableLine;

interface OurPayment {
  readonly fen?: number;
  /** RFC 3339. */
  readonly at?: string;
  readonly transactionId?: string;
  readonly status?: 'applied' | 'surplus';
}

interface OurRefund {
  readonly fen?: number;
  readonly status?: string;
  readonly at?: string;
  readonly origin?: string;
}

/** A difference as its row has it, with its intervention. */
export interface DifferenceRow {
  readonly type: string;
  readonly status: string;
  readonly no: string | null;
  readonly ours: Record<string, unknown> | null;
  readonly theirs: Record<string, unknown> | null;
  readonly open: boolean;
}

/** Reconciliation on a database of its own. */
export interface TestReconciliation {
  readonly sql: Pool;
  readonly database: Database;
  /** An order with a payment of 300 fen at noon of {@link DAY}. @returns its number */
  paid(payment?: OurPayment): Promise<string>;
  order(): Promise<string>;
  pay(no: string, payment?: OurPayment): Promise<void>;
  /** A refund of the order's payment that WeChat accepted. @returns its number */
  refund(no: string, refund?: OurRefund): Promise<string>;
  /** Does what the run of a day does once it has the bill, without repairs. */
  reconcile(
    lines: readonly Line[],
    more?: { readonly date?: BillDate; readonly mismatches?: readonly SummaryMismatch[] },
  ): Promise<void>;
  differences(date?: BillDate): Promise<DifferenceRow[]>;
  /** `type status` of each difference. */
  found(date?: BillDate): Promise<string[]>;
  openInterventions(): Promise<{ id: string; no: string | null; subject: string }[]>;
  clear(): Promise<void>;
  end(): Promise<void>;
}

let made = 0;

const newNumber = (): string => {
  made += 1;
  return makeOrderNumber({
    day: '20261129',
    channel: 'admin',
    sequence: made,
    userHash: 'ABC123',
  });
};

/** The line of a payment of 300 fen at noon. */
export function paymentLine(outTradeNo: string, changes: Partial<TradeLine> = {}): TradeLine {
  made += 1;
  return {
    kind: 'payment',
    line: made,
    tradedAt: '2026-11-29T12:00:00+08:00',
    appid: 'a',
    mchid: MERCHANT,
    transactionId: `tx-${outTradeNo}`,
    outTradeNo,
    refundId: null,
    outRefundNo: null,
    tradeType: 'NATIVE',
    currency: 'CNY',
    orderFen: 300,
    refundFen: 0,
    refundStatus: null,
    feeE5: 180,
    ...changes,
  };
}

/** The line of a refund of 100 fen at noon. */
export const refundLine = (
  outTradeNo: string,
  outRefundNo: string,
  changes: Partial<TradeLine> = {},
): TradeLine =>
  paymentLine(outTradeNo, {
    kind: 'refund',
    outRefundNo,
    refundId: `50-${outRefundNo}`,
    orderFen: 0,
    refundFen: 100,
    refundStatus: 'SUCCESS',
    feeE5: -60,
    ...changes,
  });

export async function startTestReconciliation(): Promise<TestReconciliation> {
  const own = await createTestDatabase();
  const sql = new Pool({ connectionString: own.url, max: 2 });
  const database = openDatabase({ url: own.url, ...secrets, webhooks: true });
  const { reconciliations } = database;
  const ours = createOurs(sql);
  return {
    sql,
    database,
    ...ours,
    async paid(payment) {
      const no = await ours.order();
      await ours.pay(no, payment);
      return no;
    },
    async reconcile(lines, { date = DAY, mismatches = [] } = {}) {
      await reconciliations.request(date, NOW_MS);
      await reconciliations.begin(date, NOW_MS);
      async function* batches() {
        yield await Promise.resolve(lines);
      }
      const end = () => ({ sha1: 'f'.repeat(40), mismatches });
      await reconciliations.stage(date, { batches: batches(), end });
      await reconciliations.compare(date, MERCHANT, NOW_MS);
      await reconciliations.settle(date, NOW_MS);
      await reconciliations.finish(date, NOW_MS);
    },
    ...createReaders(sql),
    async clear() {
      await sql.query(`TRUNCATE orders, payment_transactions, interventions, reconciliations,
        reconciliation_lines, deliveries CASCADE`);
    },
    async end() {
      await Promise.all([database.end(), sql.end()]);
      await own.drop();
    },
  };
}

function createOurs(sql: Pool): Pick<TestReconciliation, 'order' | 'pay' | 'refund'> {
  return {
    async order() {
      const no = newNumber();
      await sql.query(
        `INSERT INTO orders (out_trade_no, channel, status, user_id, description, total_fen, app_id,
           merchant_id, notify_url, time_expire, expires_at, created_at)
         VALUES ($1, 'admin', 'fulfilled', 'u', 'x', 300, 'a', 'm', 'n', 't', now(),
           '2026-11-20T12:00:00+08:00')`,
        [no],
      );
      return no;
    },
    async pay(no, payment = {}) {
      const { fen = 300, at = '2026-11-29T12:00:00+08:00', status = 'applied' } = payment;
      await sql.query(
        `INSERT INTO payment_transactions (id, merchant_id, transaction_id, out_trade_no, order_no,
           status, trade_state, total_fen, currency, success_time)
         VALUES (gen_random_uuid(), 'm', $2, $1, $1, $3, 'SUCCESS', $4, 'CNY', $5)`,
        [no, payment.transactionId ?? `tx-${no}`, status, fen, at],
      );
    },
    async refund(no, refund = {}) {
      const { fen = 100, status = 'succeeded', origin = 'api' } = refund;
      const at = origin === 'external' ? null : (refund.at ?? '2026-11-29T12:00:00+08:00');
      made += 1;
      const refundNo = `r-${made}`;
      await sql.query(
        `INSERT INTO refunds (out_refund_no, out_trade_no, order_no, transaction_key, merchant_id,
           transaction_id, amount_fen, total_fen, currency, notify_url, origin, status, accepted_at)
         SELECT $2, $1, $1, id, 'm', transaction_id, $3, 300, 'CNY', 'n', $5, $4, $6
         FROM payment_transactions WHERE order_no = $1`,
        [no, refundNo, fen, status, origin, at],
      );
      return refundNo;
    },
  };
}

function createReaders(
  sql: Pool,
): Pick<TestReconciliation, 'differences' | 'found' | 'openInterventions'> {
  const differences: TestReconciliation['differences'] = async (date = DAY) => {
    const { rows } = await sql.query<DifferenceRow>(
      `SELECT d.type, d.status, d.out_trade_no AS no, d.ours, d.theirs,
         coalesce(i.status = 'open', false) AS open
       FROM reconciliation_differences d LEFT JOIN interventions i ON i.id = d.intervention_id
       WHERE d.bill_date = $1 ORDER BY d.type, d.identity`,
      [date],
    );
    return rows;
  };
  return {
    differences,
    found: async (date) => (await differences(date)).map((one) => `${one.type} ${one.status}`),
    async openInterventions() {
      const { rows } = await sql.query<{ id: string; no: string | null; subject: string }>(
        `SELECT id::text, out_trade_no AS no, subject FROM interventions WHERE status = 'open'
         ORDER BY subject`,
      );
      return rows;
    },
  };
}

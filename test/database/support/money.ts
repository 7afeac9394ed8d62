// Pays, refunds and resolves in tests of the database.
import { fen } from '../../../domain/money';
import type { Notice, PaymentNotice, RefundNotice } from '../../../domain/payments/notices';
import type { Actor } from '../../../database/core/context';
import type { Application } from '../../../database/inbox/apply-notices';
import type { InterventionAction } from '../../../domain/interventions/reasons';
import { withChanges, type PlainChanges } from '../../domain/support/notices';
import type { TestSharing } from './sharing';

export interface RefundRow {
  readonly out_refund_no: string;
  readonly status: string;
  readonly amount_fen: number;
  readonly origin: string;
}

/** Reports of WeChat and resolutions of persons, on the database alone: one operator. */
export interface TestMoney {
  /** Keeps and applies a payment of 300 fen with these changes. */
  pays(no: string, changes?: PlainChanges<PaymentNotice>): Promise<Application>;
  /** The same of a refund of all of it, made elsewhere. */
  refunds(no: string, changes?: PlainChanges<RefundNotice>): Promise<Application>;
  /** Answers the open question. @returns `proposed`, the state it came to, or the refusal's code */
  resolves(
    no: string,
    reason: string,
    action: InterventionAction,
    by?: { readonly limitFen?: number; readonly actor?: Actor },
  ): Promise<string>;
  /** Keeps what WeChat told, for whoever comes next. */
  keep(no: string, kind: 'refund', changes: PlainChanges<RefundNotice>): Promise<void>;
  /** The same of a payment. */
  keepPayment(no: string, changes: PlainChanges<PaymentNotice>): Promise<void>;
  /** Does what a run does when more notices wait. */
  again(no: string): Promise<Application>;
  refundsOf(no: string): Promise<RefundRow[]>;
  /** Reasons of what is open. */
  openReasons(no: string): Promise<string[]>;
  statusOf(no: string): Promise<string | undefined>;
  heldOf(transactionId: string): Promise<number | undefined>;
}

const OPERATOR: Actor = { name: 'ops', role: 'operator' };

export function createTestMoney({ sql, database }: TestSharing): TestMoney {
  let told = 0;
  const read = (resource: string) => JSON.parse(resource) as Notice;
  const apply = (no: string) => database.notices.apply(no, read, Date.now());
  const keep = async (no: string, notice: PaymentNotice | RefundNotice) => {
    told += 1;
    const kept = { ...payment(no), transactionId: `kept-${told}` };
    const raw = JSON.stringify(notice);
    await database.queries.keepFound(
      { notice: kept, raw, merchantId: 'm', refunds: [] },
      Date.now(),
    );
    await sql.query(
      `UPDATE notification_inbox SET source = 'callback', kind = $1 WHERE notification_id LIKE $2`,
      [notice.kind, `query:kept-${told}:%`],
    );
  };
  const tell = async (no: string, notice: PaymentNotice | RefundNotice) => {
    await keep(no, notice);
    return apply(no);
  };
  return {
    pays: (no, changes = {}) => tell(no, withChanges(payment(no), changes)),
    keep: (no, _kind, changes) => keep(no, withChanges(refund(no), changes)),
    keepPayment: (no, changes) => keep(no, withChanges(payment(no), changes)),
    again: apply,
    refunds: (no, changes = {}) => tell(no, withChanges(refund(no), changes)),
    async resolves(no, reason, action, { limitFen = 100_000, actor = OPERATOR } = {}) {
      const { rows } = await sql.query<{ id: string }>(
        `SELECT id FROM interventions WHERE out_trade_no = $1 AND status = 'open' AND reason = $2`,
        [no, reason],
      );
      await sql.query(
        `INSERT INTO runtime_settings (name, value, updated_by) VALUES
           ('two_person_fen', to_jsonb($1::int), 'test'), ('two_person_day_fen', '1000000', 'test')
         ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
        [limitFen],
      );
      const submitted = await database.resolutions.submit({
        to: { interventionId: rows[0]?.id ?? '' },
        action,
        note: 'x',
        params: {},
        actor,
        approves: null,
        nowMs: Date.now(),
      });
      if (submitted.kind === 'refused') return submitted.code;
      if (submitted.kind !== 'approved') return submitted.kind;
      await apply(no);
      const state = await database.resolutions.state(submitted.resolutionId);
      return state?.refusalCode ?? state?.status ?? 'gone';
    },
    async refundsOf(no) {
      const { rows } = await sql.query<RefundRow>(
        `SELECT out_refund_no, status, amount_fen, origin FROM refunds WHERE out_trade_no = $1
         ORDER BY created_at, origin, out_refund_no`,
        [no],
      );
      return rows;
    },
    async openReasons(no) {
      const { rows } = await sql.query<{ reason: string }>(
        `SELECT reason FROM interventions WHERE out_trade_no = $1 AND status = 'open'
         ORDER BY reason`,
        [no],
      );
      return rows.map(({ reason }) => reason);
    },
    async statusOf(no) {
      const { rows } = await sql.query<{ status: string }>(
        'SELECT status FROM orders WHERE out_trade_no = $1',
        [no],
      );
      return rows[0]?.status;
    },
    async heldOf(transactionId) {
      const { rows } = await sql.query<{ held: number }>(
        'SELECT held_fen AS held FROM payment_transactions WHERE transaction_id = $1',
        [transactionId],
      );
      return rows[0]?.held;
    },
  };
}

const payment = (no: string): PaymentNotice => ({
  kind: 'payment',
  outTradeNo: no,
  transactionId: `tx-${no}`,
  tradeState: 'SUCCESS',
  reportedState: 'SUCCESS',
  totalFen: fen(300),
  payerTotalFen: fen(300),
  currency: 'CNY',
  appId: 'a',
  merchantId: 'm',
  tradeType: 'NATIVE',
  successTime: null,
  unreadable: [],
});

const refund = (no: string): RefundNotice => ({
  kind: 'refund',
  outTradeNo: no,
  transactionId: `tx-${no}`,
  outRefundNo: `platform-${no}`,
  refundId: '501',
  refundStatus: 'SUCCESS',
  refundFen: fen(300),
  totalFen: fen(300),
  currency: 'CNY',
  merchantId: 'm',
  successTime: null,
  unreadable: [],
});

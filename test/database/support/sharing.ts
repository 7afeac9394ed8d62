// Prepares shared payments for tests of the database.
import { putSetting } from './two-persons';
import { Pool } from 'pg';
import type { Database } from '../../../database/database';
import type { AcceptedAttempt } from '../../../database/requests/numbered-attempts';
import type {
  RequestedReceiver,
  SharingRequestResult,
  SharingRequest,
} from '../../../database/sharing/request-sharing';
import type { SharingTurn } from '../../../database/sharing/take-sharing-turn';
import type {
  RecordedSharing,
  ReportedReceiver,
} from '../../../database/sharing/record-sharing-report';
import { fen } from '../../../domain/money';
import { createTestDatabase } from '../../support/test-database';
import { openDatabase } from './built';
import { someOrder } from './patrol';
import { secrets } from './secrets';

export const LIFE_MS = 20_000;
export const MINUTE_MS = 60_000;
export const DAY_MS = 24 * 3_600_000;
const ALONE = { actor: { name: 'shop', role: 'merchant' }, approves: null, body: {} };

export type Action = 'new_number' | 'dismiss' | 'retry' | 'accept';

/** Profit sharing on a database of its own, with what its runs would do. */
export interface TestSharing {
  /** Of the database, for another process on it. */
  readonly url: string;
  readonly sql: Pool;
  readonly database: Database;
  /** An order of 300 fen, paid ten minutes ago. */
  paidOrder(order?: { forSharing?: boolean; status?: string }): Promise<string>;
  request(
    outTradeNo: string,
    receivers: readonly RequestedReceiver[],
    more?: Partial<SharingRequest>,
  ): Promise<SharingRequestResult>;
  /** The number of a sharing that is taken. */
  shared(
    no: string,
    receivers: readonly RequestedReceiver[],
    more?: Partial<SharingRequest>,
  ): Promise<string>;
  money(no: string): Promise<{ held: number; shared: number; refunded: number }>;
  turn(outOrderNo: string, nowMs?: number): Promise<SharingTurn>;
  /** Registers all receivers and begins to send. @returns the attempt */
  sending(outOrderNo: string): Promise<string>;
  report(
    outOrderNo: string,
    finished: boolean,
    receivers: readonly ReportedReceiver[],
    attempt?: AcceptedAttempt,
  ): Promise<RecordedSharing>;
  openInterventions(no: string): Promise<Record<string, unknown>[]>;
  /**
   * Resolves, and carries it out as the order's run would.
   * @returns the runs to wake, or the refusal
   */
  resolve(no: string, action: Action): Promise<string | string[]>;
  rowOf(outOrderNo: string): Promise<Record<string, unknown>>;
  end(): Promise<void>;
}

export const receiver = (amountFen: number, account = '1900000109'): RequestedReceiver => ({
  type: /^\d+$/.test(account) ? 'MERCHANT_ID' : 'PERSONAL_OPENID',
  account,
  name: null,
  relationType: 'PARTNER',
  amountFen: fen(amountFen),
  description: 'commission',
});

export const reported = (
  amountFen: number,
  result: ReportedReceiver['result'],
  account = '1900000109',
): ReportedReceiver => ({
  type: receiver(1, account).type,
  account,
  amountFen,
  result,
  failReason: result === 'CLOSED' ? 'ACCOUNT_ABNORMAL' : null,
  detailId: '1',
});

export const numbered = (outOrderNo: string) => ({ kind: 'given', outOrderNo }) as const;

export async function startTestSharing(): Promise<TestSharing> {
  const own = await createTestDatabase();
  const sql = new Pool({ connectionString: own.url, max: 3 });
  const sharing = { ratioPercent: 30, delayMs: MINUTE_MS, unfreezeAfterMs: 29 * DAY_MS };
  const database = openDatabase({ url: own.url, ...secrets, webhooks: false, sharing });
  await putSetting(database, 'sharing_receivers', 'any');
  let made = 0;
  const turn = (outOrderNo: string, nowMs = Date.now()) =>
    database.sharings.turn(outOrderNo, LIFE_MS, nowMs);
  const request: TestSharing['request'] = (outTradeNo, receivers, more = {}) => {
    made += 1;
    const number = numbered(`s-${made}`);
    const asked = { outTradeNo, receivers, number, guard: null, unfreezeRest: false, ...more };
    return database.sharings.request(asked, ALONE, Date.now());
  };
  return {
    ...readers(sql),
    url: own.url,
    sql,
    database,
    request,
    turn,
    async paidOrder({ forSharing = true, status = 'fulfilled' } = {}) {
      const no = await someOrder(sql, { status });
      await sql.query(
        `UPDATE orders SET profit_sharing = $2, paid_at = now() - interval '10 minutes'
         WHERE out_trade_no = $1`,
        [no, forSharing],
      );
      return no;
    },
    async shared(no, receivers, more) {
      const answered = await request(no, receivers, more);
      if (answered.kind !== 'created') throw new Error(JSON.stringify(answered));
      return answered.sharing.outOrderNo;
    },
    async sending(outOrderNo) {
      for (;;) {
        const next = await turn(outOrderNo);
        if (next.kind === 'send') return next.attemptId;
        if (next.kind !== 'register') throw new Error(next.kind);
        const attempt = { id: next.attemptId, requestId: null };
        await database.sharings.registered(next.receiver.id, attempt, Date.now());
      }
    },
    report(outOrderNo, finished, receivers, attempt) {
      const nextQueryAt = new Date(Date.now() + MINUTE_MS);
      const word = { orderId: '30', finished, receivers, nextQueryAt, source: 'query' } as const;
      return database.sharings.recordReport(outOrderNo, word, attempt ?? null, Date.now());
    },
    resolve: (no, action) => resolve(sql, database, no, action),
    async end() {
      await Promise.all([database.end(), sql.end()]);
      await own.drop();
    },
  };
}

function readers(sql: Pool): Pick<TestSharing, 'money' | 'openInterventions' | 'rowOf'> {
  return {
    async money(no) {
      const { rows } = await sql.query<{ held: number; shared: number; refunded: number }>(
        `SELECT held_fen AS held, shared_fen AS shared, refunded_fen AS refunded
         FROM payment_transactions WHERE order_no = $1`,
        [no],
      );
      if (!rows[0]) throw new Error('no payment');
      return rows[0];
    },
    async openInterventions(no) {
      const { rows } = await sql.query<Record<string, unknown>>(
        `SELECT reason, subject, amount_fen FROM interventions
         WHERE out_trade_no = $1 AND status = 'open' ORDER BY since`,
        [no],
      );
      return rows;
    },
    async rowOf(outOrderNo) {
      const { rows } = await sql.query<Record<string, unknown>>(
        `SELECT kind, status, origin, replaces, unfreeze_rest, due_at, not_before
         FROM profit_sharings WHERE out_order_no = $1`,
        [outOrderNo],
      );
      return rows[0] ?? {};
    },
  };
}

async function resolve(
  sql: Pool,
  database: Database,
  no: string,
  action: Action,
): Promise<string | string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `SELECT id FROM interventions WHERE out_trade_no = $1 AND status = 'open'`,
    [no],
  );
  const submitted = await database.resolutions.submit({
    to: { interventionId: rows[0]?.id ?? '' },
    action,
    note: 'x',
    params: {},
    actor: { name: 'ops', role: 'operator' },
    approves: null,
    nowMs: Date.now(),
  });
  if (submitted.kind === 'refused') return submitted.code;
  const applied = await database.notices.apply(no, () => ({ kind: 'unknown' }), Date.now());
  return [...applied.refunds, ...applied.sharings].sort();
}

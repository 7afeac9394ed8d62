// Prepares rows for tests of the patrol.
import { Pool } from 'pg';
import type {
  PatrolFinding,
  PatrolKind,
  PatrolStart,
  SalesPosition,
} from '../../../domain/patrol/findings';
import { createTestDatabase } from '../../support/test-database';
import { createPatrolActivities, openDatabase } from './built';
import { secrets } from './secrets';

/** The patrol's sections on a database of their own, with the runs they wake written down. */
export interface TestPatrol {
  readonly sql: Pool;
  readonly database: ReturnType<typeof openDatabase>;
  readonly url: string;
  readonly activities: ReturnType<typeof createPatrolActivities>;
  readonly woken: string[];
  readonly outages: string[];
  /** While true, no run can be told. */
  temporalAway: boolean;
  /** Added to the clock, in ms. */
  laterMs: number;
  find(kind: PatrolKind, section: 'patrolInbox' | 'patrolOverdue'): Promise<PatrolFinding | null>;
  /** @param sales where the pass over the days with sales goes on; from the newest when left out */
  invariants(sales?: SalesPosition): Promise<Partial<Record<PatrolKind, PatrolFinding>>>;
  /** Begins anew: no orders, and nothing that hangs on them. */
  clear(): Promise<void>;
  open(no: string): Promise<{ reason: string; subject: string; evidence: unknown }[]>;
  end(): Promise<void>;
}

export const FROM_THE_START: PatrolStart = { id: 'x', position: null, sinceMs: 0 };

export async function startTestPatrol(): Promise<TestPatrol> {
  const own = await createTestDatabase();
  const sql = new Pool({ connectionString: own.url, max: 2 });
  const database = openDatabase({ url: own.url, ...secrets, webhooks: false });
  // The patrol gives new rows some time; the dependencies of this database were always up.
  await sql.query(`UPDATE dependencies SET since = now() - interval '1 day'`);
  const woken: string[] = [];
  const outages: string[] = [];
  const now = () => Date.now() + patrol.laterMs;
  const tell = (text: string) => {
    if (patrol.temporalAway) return Promise.reject(new Error('away'));
    woken.push(text);
    return Promise.resolve();
  };
  const activities = createPatrolActivities({
    database,
    runs: {
      wakeOrder: (no, hint) => tell(`${no} ${hint}`),
      wakeRefund: (no) => tell(`refund/${no}`),
      wakeSharing: (no) => tell(`sharing/${no}`),
    },
    describeRun: () => Promise.resolve({ status: 'RUNNING' }),
    outage: async (name, state, facts) => {
      const isNews = await database.dependencies.mark(name, state, facts, now());
      if (isNews) outages.push(`${name} ${state}`);
    },
    isReconciling: true,
    now,
  });
  const patrol: TestPatrol = {
    sql,
    database,
    url: own.url,
    activities,
    woken,
    outages,
    temporalAway: false,
    laterMs: 0,
    async find(kind, section) {
      const findings = await activities[section]();
      return findings.find((one) => one.kind === kind) ?? null;
    },
    async invariants(sales) {
      const position = sales ? { history: '0', order: '', sales } : null;
      const { findings } = await activities.patrolInvariants({ ...FROM_THE_START, position });
      return Object.fromEntries(findings.map((one) => [one.kind, one]));
    },
    async clear() {
      await sql.query(`TRUNCATE orders, payment_transactions, interventions, products,
        points_entries, points_balances CASCADE`);
      woken.length = 0;
      patrol.laterMs = 0;
    },
    async open(no) {
      const { rows } = await sql.query<{ reason: string; subject: string; evidence: unknown }>(
        `SELECT reason, subject, evidence FROM interventions
         WHERE out_trade_no = $1 AND status = 'open' ORDER BY subject`,
        [no],
      );
      return rows;
    },
    async end() {
      await Promise.all([database.end(), sql.end()]);
      await own.drop();
    },
  };
  return patrol;
}

/** The question opened for a broken rule, and only that. */
export async function expectIntervention(
  patrol: TestPatrol,
  no: string,
  kind: PatrolKind,
  key: string,
  evidence: { expected: object; seen: object },
): Promise<void> {
  const findings = await patrol.invariants();
  expect(findings).toEqual({
    [kind]: { kind, found: 1, healed: 0, opened: 1, left: 0, sample: [no] },
  });
  // The run of an order that is ours shows the question.
  expect(patrol.woken.filter((told) => !told.startsWith(no))).toEqual([]);
  expect(await patrol.open(no)).toEqual([
    { reason: 'invariant', subject: `${kind}:${key}`, evidence },
  ]);
}

let made = 0;

interface OrderRow {
  readonly status?: string;
  /** SQL of a time. */
  readonly dueAt?: string;
  readonly user?: string;
}

/** An order whose rows agree with each other: a paid one has its transaction and its effects. */
export async function someOrder(sql: Pool, row: OrderRow = {}): Promise<string> {
  made += 1;
  const no = `2026010104${String(made).padStart(12, '0')}`;
  const { status = 'fulfilled', dueAt = 'NULL', user = 'u' } = row;
  await sql.query(
    `INSERT INTO orders (out_trade_no, channel, status, user_id, description, total_fen, app_id,
       merchant_id, notify_url, time_expire, expires_at, created_at, due_at)
     VALUES ($1, 'admin', $2, $3, 'x', 300, 'a', 'm', 'n', 't', now() + interval '1 hour',
       now() - interval '10 minutes', ${dueAt})`,
    // Its refund makes it that.
    [no, status === 'refunded' ? 'fulfilled' : status, user],
  );
  await sql.query(
    `INSERT INTO order_status_history (out_trade_no, to_status, cause, at)
     VALUES ($1, $2, 'test', now() - interval '5 minutes')`,
    [no, status],
  );
  if (['paid', 'fulfilled', 'paid_late', 'refunded'].includes(status)) {
    await sql.query(
      `INSERT INTO payment_transactions (id, merchant_id, transaction_id, out_trade_no, order_no,
         status, trade_state, total_fen)
       VALUES (gen_random_uuid(), 'm', 'tx-' || $1, $1, $1, 'applied', 'SUCCESS', 300)`,
      [no],
    );
  }
  if (['paid', 'fulfilled', 'refunded'].includes(status)) {
    await sql.query(
      `INSERT INTO order_effects (out_trade_no, effect, status)
       SELECT $1, effect, $2 FROM unnest(ARRAY['points', 'sales']) AS effect`,
      [no, status === 'paid' ? 'pending' : 'done'],
    );
  }
  if (status === 'fulfilled' || status === 'refunded') {
    await sql.query(
      `WITH entry AS (INSERT INTO points_entries (user_id, out_trade_no, effect, delta)
         VALUES ($1, $2, 'points', 3) RETURNING user_id, delta)
       INSERT INTO points_balances AS b (user_id, balance) SELECT * FROM entry
       ON CONFLICT (user_id) DO UPDATE SET balance = b.balance + excluded.balance`,
      [user, no],
    );
  }
  if (status === 'refunded') await someRefund(sql, no, { status: 'succeeded', amountFen: 300 });
  return no;
}

/**
 * A refund of an order's transaction, held by it as the rules say. A refund that succeeded counts
 * for the order, and its compensations are still to be done.
 */
export async function someRefund(
  sql: Pool,
  no: string,
  { status = 'processing', amountFen = 100, dueAt = 'NULL' } = {},
): Promise<string> {
  made += 1;
  const refundNo = `r-${made}`;
  await sql.query(
    `INSERT INTO refunds (out_refund_no, out_trade_no, order_no, transaction_key, merchant_id,
       transaction_id, amount_fen, total_fen, currency, notify_url, origin, status, due_at)
     SELECT $2, $1, $1, id, 'm', transaction_id, $4, 300, 'CNY', 'n', 'api', $3, ${dueAt}
     FROM payment_transactions WHERE order_no = $1`,
    [no, refundNo, status, amountFen],
  );
  await sql.query(
    `UPDATE payment_transactions t SET
       held_fen = (SELECT coalesce(sum(amount_fen), 0) FROM refunds
         WHERE transaction_key = t.id AND status <> 'closed'),
       refunded_fen = (SELECT coalesce(sum(amount_fen), 0) FROM refunds
         WHERE transaction_key = t.id AND status = 'succeeded')
     WHERE order_no = $1`,
    [no],
  );
  if (status !== 'succeeded') return refundNo;
  await sql.query(
    `UPDATE orders o SET refunded_fen = t.refunded_fen,
       status = CASE WHEN t.refunded_fen < t.total_fen THEN o.status ELSE 'refunded' END
     FROM payment_transactions t WHERE t.order_no = o.out_trade_no AND o.out_trade_no = $1`,
    [no],
  );
  await sql.query(
    `INSERT INTO order_effects (out_trade_no, effect)
     SELECT out_trade_no, effect || '_back:' || $2 FROM order_effects
     WHERE out_trade_no = $1 AND effect IN ('points', 'sales')`,
    [no, refundNo],
  );
  return refundNo;
}

/** A sharing of an order's transaction, with one receiver that holds its amount. */
export async function someSharing(
  sql: Pool,
  no: string,
  { status = 'processing', result = 'PENDING', amountFen = 50, dueAt = 'NULL' } = {},
): Promise<string> {
  made += 1;
  const sharingNo = `s-${made}`;
  await sql.query(
    `INSERT INTO profit_sharings (out_order_no, out_trade_no, transaction_key, merchant_id, app_id,
       transaction_id, kind, description, origin, content_hash, status, not_before, due_at)
     SELECT $2, $1, id, 'm', 'a', transaction_id, 'share', 'x', 'api', 'h', $3, now(), ${dueAt}
     FROM payment_transactions WHERE order_no = $1`,
    [no, sharingNo, status],
  );
  await sql.query(
    `INSERT INTO profit_sharing_receivers (id, out_order_no, line, type, account_encrypted,
       account_hash, relation_type, amount_fen, description, result)
     VALUES (gen_random_uuid(), $1, 1, 'MERCHANT_ID', 'e', 'h', 'PARTNER', $2, 'x', $3)`,
    [sharingNo, amountFen, result],
  );
  await sql.query(
    `UPDATE payment_transactions SET shared_fen = shared_fen + $2 WHERE order_no = $1`,
    [no, result === 'CLOSED' ? 0 : amountFen],
  );
  return sharingNo;
}

export async function someProduct(sql: Pool, sku: string, reserved: number): Promise<void> {
  await sql.query(
    `INSERT INTO products (sku, name, kind, stock, reserved) VALUES ($1, $1, 'physical', 100, $2)`,
    [sku, reserved],
  );
}

export async function someReservation(
  sql: Pool,
  no: string,
  sku: string,
  quantity: number,
  status = 'reserved',
) {
  await sql.query(
    `INSERT INTO stock_reservations (out_trade_no, sku, quantity, status) VALUES ($1, $2, $3, $4)`,
    [no, sku, quantity, status],
  );
}

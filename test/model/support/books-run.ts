// Plays many orders with refunds from all sides on workers that are killed, then compares books.
import fc from 'fast-check';
import { call } from '../../simulator/wechatpay/support/merchant-client';
import { until } from '../../support/until';
import type { TestOncepay } from '../../support/oncepay';
import { resolve, setPolicy } from '../../e2e/support/interventions';
import { requestRefund } from '../../e2e/support/refunds';
import { booksOf, wechatsBooks } from './compare-books';

/** The work of a dead worker is taken up again within this time; long runs have more of it. */
const RECOVERY_MS = 150_000;
const LONG_RECOVERY_MS = 600_000;
const TOTAL_FEN = 300;
/** Orders that are played at once: with more of them a busy database makes the api reply 503. */
const AT_ONCE = 6;

/** A long run pays its last orders minutes after their prepay; their queries must still come. */
const QUERY_GAPS = ['1s', '2s', '4s', '8s', '16s', ...Array.from({ length: 90 }, () => '30s')];

export const BOOKS_ENV = {
  ONCEPAY_QUERY_SCHEDULE: QUERY_GAPS.join(','),
  ONCEPAY_REFUND_SPACING: '0s',
};

interface OrderPlan {
  /** The order is closed before it is paid. */
  readonly late: boolean;
  /** The user pays a second time. */
  readonly second: boolean;
  /** WeChat's callbacks of the first payment; without one, a query finds it. */
  readonly callbacks: number;
  /** Refunds that the shop requests, all at once, in fen. */
  readonly requests: readonly number[];
  /** Refunds that the merchant makes at WeChat's platform meanwhile, in fen. */
  readonly external: readonly number[];
  /** WeChat closes the first refund of the order. */
  readonly closes: boolean;
  readonly fault: {
    readonly operation: 'refund' | 'refund_query';
    readonly kind: 'cut' | 'cut_after' | 'unsigned';
  } | null;
}

const amounts = fc.array(fc.integer({ min: 1, max: TOTAL_FEN }), { maxLength: 3 });
const orderPlan: fc.Arbitrary<OrderPlan> = fc.record({
  late: fc.constantFrom(false, false, true),
  second: fc.constantFrom(false, false, true),
  callbacks: fc.integer({ min: 0, max: 3 }),
  requests: amounts,
  external: fc.array(fc.integer({ min: 1, max: TOTAL_FEN }), { maxLength: 2 }),
  closes: fc.constantFrom(false, false, false, true),
  fault: fc.option(
    fc.record({
      operation: fc.constantFrom('refund' as const, 'refund_query' as const),
      kind: fc.constantFrom('cut' as const, 'cut_after' as const, 'unsigned' as const),
    }),
  ),
});

/** The actions that an operator tries on an open intervention, in turns until one ends it. */
const ACTIONS: Readonly<Record<string, readonly string[]>> = {
  refund_failed: ['retry', 'retry', 'dismiss'],
  refund_closed: ['new_number', 'dismiss'],
  surplus_payment: ['retry', 'retry', 'dismiss'],
  reconciliation: ['retry', 'dismiss'],
};

export interface BooksRun {
  readonly orders: number;
  /** Workers that are killed while refunds are sent, evenly spread over the run. */
  readonly kills: number;
  readonly seed: number;
}

/** The counts of a run: a run in which nothing happens proves nothing. */
export interface BooksReport {
  readonly payments: number;
  readonly refunds: number;
  /** Refunds that were made at WeChat's platform. */
  readonly external: number;
  readonly killed: number;
  readonly dismissed: number;
}

/** Plays a run, brings it to rest, and expects our books to equal WeChat's. */
export async function playBooks(oncepay: TestOncepay, run: BooksRun): Promise<BooksReport> {
  await setPolicy(oncepay, 'wechat.refund', { base_delay_ms: 50, max_delay_ms: 1_000 });
  const [first, ...others] = fc.sample(orderPlan, { numRuns: run.orders, seed: run.seed });
  // Chance decides about the others; the refund of the first one at the platform always fits.
  const fitting = { requests: [], external: [100], late: false, second: false, closes: false };
  const plans = [...(first ? [{ ...first, ...fitting }] : []), ...others];
  const counts = { external: 0, killed: 0, dismissed: 0 };
  // A prepay of a dead worker would take a minute.
  const numbers: string[] = [];
  while (numbers.length < plans.length) {
    const some = Array.from({ length: Math.min(AT_ONCE, plans.length - numbers.length) }, () =>
      oncepay.newOrder({ expires_in_seconds: 3_600 }),
    );
    numbers.push(...(await Promise.all(some)));
  }
  const waiting = plans.map((plan, n) => ({ plan, no: numbers[n] ?? '' }));
  let isOver = false;
  const killer = killWorkers(oncepay, run, () => isOver);
  const players = Array.from({ length: AT_ONCE }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      counts.external += await playOrder(oncepay, next.no, next.plan);
    }
  });
  await Promise.all(players);
  isOver = true;
  counts.killed = await killer;
  oncepay.simulator.clearFaults();
  counts.dismissed = await bringToRest(oncepay, run.kills > 1 ? LONG_RECOVERY_MS : RECOVERY_MS);
  const [ours, wechats] = [await booksOf(oncepay), wechatsBooks(oncepay)];
  expect(ours).toEqual(wechats);
  await expectWhole(oncepay, plans.length, counts.dismissed);
  return { ...counts, payments: ours.length, refunds: oncepay.simulator.refundsOf().length };
}

/** @returns the refunds that WeChat took at its platform */
async function playOrder(oncepay: TestOncepay, no: string, plan: OrderPlan): Promise<number> {
  const { simulator } = oncepay;
  const { fault, closes, late, second } = plan;
  if (closes) simulator.setRefundOutcome({ status: 'CLOSED', outTradeNo: no, times: 1 });
  // A fault is Oncepay's alone: it never hits a request of the platform.
  const about = plan.external.length > 0 ? { outRefundNo: `${no}-0` } : { outTradeNo: no };
  if (fault) simulator.setFault({ ...fault, ...about, times: 2 });
  if (late) {
    await oncepay.call('POST', `/v1/orders/${no}/close`);
    await untilStatus(oncepay, no, ['closed']);
  }
  // Nobody queries a closed order, so WeChat's callback has to come.
  const callbacks = late ? Math.max(1, plan.callbacks) : plan.callbacks;
  const { transactionId } = await simulator.pay({ outTradeNo: no, force: true, callbacks });
  await untilStatus(oncepay, no, ['paid', 'paid_late', 'fulfilled', 'refunded']);
  const again = second ? await simulator.pay({ outTradeNo: no, force: true }) : null;
  const platform = plan.external.map((fen, n) => {
    const paid = n === 1 && again ? again.transactionId : transactionId;
    return refundAtPlatform(oncepay, `${no}-platform-${n}`, paid ?? '', fen);
  });
  const requests = plan.requests.map(async (amount, n) => {
    const { status } = await requestRefund(oncepay, no, { out_refund_no: `${no}-${n}`, amount });
    // 503: the api gave up waiting for a busy database, and nobody knows yet.
    expect([202, 409, 503]).toContain(status);
  });
  const [taken] = await Promise.all([Promise.all(platform), Promise.all(requests)]);
  return taken.filter(Boolean).length;
}

/** Reads the table: the api may reply 503 while so much happens at once. */
function untilStatus({ sql }: TestOncepay, no: string, wanted: readonly string[]): Promise<true> {
  return until(
    `${no} is ${wanted.join(' or ')}`,
    async () => {
      const { rowCount } = await sql.query(
        'SELECT 1 FROM orders WHERE out_trade_no = $1 AND status = ANY($2)',
        [no, wanted],
      );
      return rowCount === 1 ? true : null;
    },
    RECOVERY_MS,
  );
}

/** @returns false when WeChat refused it, because too little of the payment is left */
async function refundAtPlatform(
  oncepay: TestOncepay,
  outRefundNo: string,
  transactionId: string,
  refundFen: number,
): Promise<boolean> {
  const body = JSON.stringify({
    transaction_id: transactionId,
    out_refund_no: outRefundNo,
    notify_url: oncepay.notifyUrl,
    amount: { refund: refundFen, total: TOTAL_FEN, currency: 'CNY' },
  });
  const path = '/v3/refund/domestic/refunds';
  const { status } = await call(oncepay, { method: 'POST', path, body });
  return status === 200;
}

/** Kills workers when so many refunds were requested, and starts new ones. @returns how many */
async function killWorkers(
  oncepay: TestOncepay,
  { orders, kills }: BooksRun,
  isOver: () => boolean,
): Promise<number> {
  let killed = 0;
  for (; killed < kills; killed += 1) {
    const requests = Math.ceil(((killed + 0.5) * orders) / kills);
    await until(
      `${requests} refunds were requested`,
      () => {
        const { counts } = oncepay.simulator.requests();
        return Promise.resolve(counts.refund >= requests || isOver() ? true : null);
      },
      LONG_RECOVERY_MS,
    );
    const victim = oncepay.workers.shift();
    await victim?.kill('SIGKILL');
    oncepay.workers.push(await oncepay.startWorker());
  }
  return killed;
}

/** Resolves what is open until nothing is under way. @returns how many cases were dismissed */
async function bringToRest(oncepay: TestOncepay, timeoutMs: number): Promise<number> {
  const tried = new Map<string, number>();
  await until(
    'nothing is under way',
    async () => {
      const open = await openInterventions(oncepay);
      for (const { id, reason, subject, isPending } of open) {
        if (isPending) continue;
        const key = `${reason} ${subject}`;
        const actions = ACTIONS[reason];
        if (!actions) throw new Error(`No person should be needed: ${key}`);
        const before = tried.get(key) ?? 0;
        tried.set(key, before + 1);
        await resolve(oncepay, id, actions[before % actions.length] ?? '');
      }
      const left = await underWay(oncepay);
      return open.length + left === 0 ? true : null;
    },
    timeoutMs,
  );
  const { rows } = await oncepay.sql.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM interventions WHERE resolution = 'dismiss'`,
  );
  return rows[0]?.n ?? 0;
}

interface OpenIntervention {
  readonly id: string;
  readonly reason: string;
  readonly subject: string;
  /** A resolution of it was accepted, and the order's run has not carried it out yet. */
  readonly isPending: boolean;
}

async function openInterventions({ sql }: TestOncepay): Promise<OpenIntervention[]> {
  const { rows } = await sql.query<OpenIntervention>(
    `SELECT id, reason, subject, EXISTS (SELECT 1 FROM intervention_resolutions r
       WHERE r.intervention_id = i.id AND r.status = 'approved') AS "isPending"
     FROM interventions i WHERE status = 'open' ORDER BY since`,
  );
  return rows;
}

/** Callbacks, notices, refunds, effects and deliveries that are not over. */
async function underWay({ sql, simulator }: TestOncepay): Promise<number> {
  const { rows } = await sql.query<{ n: number }>(
    `SELECT ((SELECT count(*) FROM notification_inbox WHERE verdict IS NULL)
       + (SELECT count(*) FROM refunds WHERE status NOT IN ('succeeded', 'closed'))
       + (SELECT count(*) FROM order_effects WHERE status IN ('pending', 'failed'))
       + (SELECT count(*) FROM deliveries WHERE status = 'pending'))::int AS n`,
  );
  return (rows[0]?.n ?? 0) + simulator.pendingCallbacks();
}

/** Checks the whole run, beside the sums of each transaction. */
async function expectWhole(
  { sql, simulator }: TestOncepay,
  orders: number,
  dismissed: number,
): Promise<void> {
  // Each number went to WeChat with one content.
  expect(Object.values(simulator.contentsOf('refunds')).filter((one) => one !== 1)).toEqual([]);
  // A late and a second payment went back whole, where no person decided otherwise.
  const { rows: kept } = await sql.query(
    `SELECT transaction_id, refunded_fen FROM payment_transactions t
     WHERE refunded_fen <> total_fen AND (status = 'surplus' OR EXISTS (
       SELECT 1 FROM order_status_history h
       WHERE h.out_trade_no = t.order_no AND h.to_status = 'paid_late'))`,
  );
  expect(kept.length).toBeLessThanOrEqual(dismissed);
  const { rows } = await sql.query(
    `SELECT count(*)::int AS orders,
       count(*) FILTER (WHERE status NOT IN ('fulfilled', 'refunded', 'paid_late'))::int AS open,
       count(*) FILTER (WHERE refunded_fen <> (SELECT refunded_fen FROM payment_transactions
         WHERE order_no = o.out_trade_no AND status = 'applied'))::int AS wrong,
       -- Three points for 300 fen: each refund takes back its part, rounded half up.
       count(*) FILTER (WHERE (SELECT coalesce(sum(delta), 0) FROM points_entries p
         WHERE p.out_trade_no = o.out_trade_no) <> CASE WHEN EXISTS (SELECT 1 FROM order_effects e
           WHERE e.out_trade_no = o.out_trade_no AND effect = 'points' AND status = 'done')
           THEN 3 - (2 * 3 * refunded_fen + 300) / 600 ELSE 0 END)::int AS points
     FROM orders o`,
  );
  expect(rows).toEqual([{ orders, open: 0, wrong: 0, points: 0 }]);
}

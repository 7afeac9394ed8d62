/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Tests reruns and resolutions: nothing that is settled changes, and no decision is asked twice.
import { MAX_SINGLE_INTERVENTIONS } from '../../../database/reconciliation/settle-day';
import type { InterventionAction } from '../../../domain/interventions/reasons';
import {
  DAY,
  NOW_MS,
  paymentLine,
  refundLine,
  startTestReconciliation,
  type TestReconciliation,
} from '../support/reconciliation';

let world: TestReconciliation;
beforeAll(async () => {
  world = await startTestReconciliation();
});
beforeEach(() => world.clear());
afterAll(() => world.end());

async function resolve(id: string, action: InterventionAction): Promise<string> {
  const submitted = await world.database.resolutions.submit({
    to: { interventionId: id },
    action,
    note: 'x',
    params: {},
    actor: { name: 'ops', role: 'operator' },
    approves: null,
    nowMs: NOW_MS,
  });
  return submitted.kind === 'refused' ? submitted.code : submitted.kind;
}

/** Does what the run of the order does after a resolution. */
const apply = (no: string) =>
  world.database.notices.apply(
    no,
    () => {
      throw new Error('no notice waits');
    },
    NOW_MS,
  );

test('a rerun finds the same rows, and opens no second intervention', async () => {
  const no = await world.paid();
  const lines = [paymentLine(no, { orderFen: 301 }), paymentLine(no, { orderFen: 301 })];
  await world.reconcile(lines);
  const before = await world.sql.query('SELECT * FROM reconciliation_differences ORDER BY id');
  const open = await world.openInterventions();
  expect(open.map(({ subject }) => subject)).toEqual([`bill:${DAY}`, `tx-${no}`]);
  await world.reconcile(lines);
  const after = await world.sql.query('SELECT * FROM reconciliation_differences ORDER BY id');
  expect(after.rows).toEqual(before.rows);
  expect(await world.openInterventions()).toEqual(open);
});

test('a payment that came later repairs its difference, and the intervention ends', async () => {
  const no = await world.order();
  await world.reconcile([paymentLine(no)]);
  expect(await world.differences()).toMatchObject([{ status: 'open', open: true }]);
  await world.pay(no);
  await world.reconcile([paymentLine(no)]);
  expect(await world.differences()).toMatchObject([{ status: 'repaired', open: false }]);
  expect(await world.openInterventions()).toEqual([]);
});

test('a dismissed difference stays dismissed until one of its sides changes', async () => {
  const no = await world.paid();
  await world.reconcile([paymentLine(no, { orderFen: 301 })]);
  const [open] = await world.openInterventions();
  expect(await resolve(open?.id ?? '', 'dismiss')).toBe('approved');
  await apply(no);
  expect(await world.found()).toEqual(['payment_amount dismissed']);
  await world.reconcile([paymentLine(no, { orderFen: 301 })]);
  expect(await world.found()).toEqual(['payment_amount dismissed']);
  expect(await world.openInterventions()).toEqual([]);
  await world.reconcile([paymentLine(no, { orderFen: 1_000_000 })]);
  expect(await world.differences()).toMatchObject([{ status: 'open', open: true }]);
  const [again] = await world.openInterventions();
  expect(again?.id).not.toBe(open?.id);
});

test('a payment that was booked and is missing here again is open again', async () => {
  const no = await world.order();
  await world.reconcile([paymentLine(no)]);
  await world.pay(no);
  await world.reconcile([paymentLine(no)]);
  expect(await world.found()).toEqual(['payment_missing_here repaired']);
  await world.sql.query(`DELETE FROM payment_transactions`);
  await world.reconcile([paymentLine(no)]);
  expect(await world.differences()).toMatchObject([{ status: 'open', open: true }]);
});

test('a difference that was repaired opens again when a side of it changes', async () => {
  const no = await world.paid();
  const refundNo = await world.refund(no);
  await world.reconcile([paymentLine(no), refundLine(no, refundNo, { refundStatus: 'FAIL' })]);
  const { id } = (await world.database.reconciliations.repairs.list(DAY, null))[0] ?? { id: '' };
  await world.database.reconciliations.repairs.agree(id, NOW_MS);
  await world.reconcile([paymentLine(no), refundLine(no, refundNo, { refundStatus: 'FAIL' })]);
  expect(await world.found()).toEqual(['refund_status repaired']);
  await world.sql.query(`UPDATE refunds SET status = 'processing'`);
  await world.reconcile([paymentLine(no), refundLine(no, refundNo, { refundStatus: 'FAIL' })]);
  expect(await world.found()).toEqual(['refund_status open']);
});

test('retry of a difference requests its day again and keeps one intervention', async () => {
  const no = await world.paid();
  await world.reconcile([paymentLine(no, { orderFen: 301 })]);
  const [first] = await world.openInterventions();
  expect(await resolve(first?.id ?? '', 'retry')).toBe('approved');
  await apply(no);
  expect(await world.database.reconciliations.find(DAY)).toMatchObject({ status: 'waiting' });
  await world.reconcile([paymentLine(no)]);
  expect(await world.differences()).toMatchObject([{ status: 'repaired', open: false }]);
  expect(await world.openInterventions()).toEqual([]);
});

test('a report of the line that waits for its run is no decision yet', async () => {
  const no = await world.order();
  await world.sql.query(
    `INSERT INTO notification_inbox (id, merchant_id, notification_id, source, kind, out_trade_no,
       content_hash, next_attempt_at)
     VALUES (gen_random_uuid(), 'm', 'bill:1', 'bill', 'payment', $1, 'h', now())`,
    [no],
  );
  await world.reconcile([paymentLine(no)]);
  expect(await world.differences()).toMatchObject([{ status: 'open', open: false }]);
});

test('too many differences for a person have one intervention about the bill', async () => {
  const lines = [];
  for (let n = 0; n <= MAX_SINGLE_INTERVENTIONS; n += 1) {
    lines.push(paymentLine(await world.order()));
  }
  await world.reconcile(lines);
  expect(await world.openInterventions()).toMatchObject([{ no: null, subject: `bill:${DAY}` }]);
});

test('the finished day has one webhook for each run', async () => {
  await world.reconcile([paymentLine(await world.order())]);
  await world.reconcile([]);
  const { rows } = await world.sql.query(
    `SELECT id, out_trade_no AS no, payload->'data' AS data FROM deliveries ORDER BY id`,
  );
  const data = { bill_date: DAY, status: 'done', differences: { payment_missing_here: 1 } };
  expect(rows).toEqual([
    { id: `${DAY}:reconciliation.done:1`, no: null, data },
    { id: `${DAY}:reconciliation.done:2`, no: null, data },
  ]);
});

describe('a day that failed', () => {
  const failure = { error: 'no bill', evidence: { wechat_code: 'NO_AUTH' } };

  async function fail(): Promise<string> {
    const { reconciliations } = world.database;
    await reconciliations.request(DAY, NOW_MS);
    await reconciliations.fail(DAY, failure, NOW_MS);
    await reconciliations.fail(DAY, failure, NOW_MS);
    const [open, ...others] = await world.openInterventions();
    expect([open, ...others]).toMatchObject([{ no: null, subject: `bill:${DAY}` }]);
    return open?.id ?? '';
  }

  test('it has one open intervention without an order, and retry requests it again', async () => {
    const id = await fail();
    expect(await resolve(id, 'retry')).toBe('approved');
    expect(await world.openInterventions()).toEqual([]);
    expect(await world.database.reconciliations.find(DAY)).toMatchObject({
      status: 'waiting',
      error: null,
    });
    expect(await world.database.reconciliations.lease(10, NOW_MS)).toEqual([{ billDate: DAY }]);
    expect(await world.database.reconciliations.lease(10, NOW_MS)).toEqual([]);
  });

  test('one person dismisses it, and it stays failed', async () => {
    expect(await resolve(await fail(), 'dismiss')).toBe('approved');
    expect(await world.openInterventions()).toEqual([]);
    expect(await world.database.reconciliations.find(DAY)).toMatchObject({ status: 'failed' });
  });

  test('a refund is no action for it', async () => {
    expect(await resolve(await fail(), 'refund')).not.toBe('approved');
  });

  test('its intervention ends when the day is done after all', async () => {
    await fail();
    await world.reconcile([]);
    expect(await world.openInterventions()).toEqual([]);
  });
});

test('a bill that breaks off or is thrown away leaves the staged lines as they were', async () => {
  const no = await world.paid();
  await world.reconcile([paymentLine(no)]);
  const { reconciliations } = world.database;
  await reconciliations.request(DAY, NOW_MS);
  async function* lines(breaks: boolean) {
    yield await Promise.resolve([paymentLine('POS-1')]);
    if (breaks) throw new Error('the download broke off');
  }
  const end = () => null;
  await expect(reconciliations.stage(DAY, { batches: lines(true), end })).rejects.toThrow('broke');
  expect(await reconciliations.stage(DAY, { batches: lines(false), end })).toBe(false);
  const { rows } = await world.sql.query('SELECT out_trade_no AS no FROM reconciliation_lines');
  expect(rows).toEqual([{ no }]);
});

test('the days of the last week without a row get one, and each is planned once', async () => {
  await world.order();
  await world.sql.query(`UPDATE orders SET created_at = '2026-11-28T12:00:00+08:00'`);
  const { reconciliations } = world.database;
  expect(await reconciliations.plan(NOW_MS)).toEqual(['2026-11-28', '2026-11-29', '2026-11-30']);
  await reconciliations.fail(DAY, { error: 'x', evidence: {} }, NOW_MS);
  expect(await reconciliations.plan(NOW_MS)).toEqual(['2026-11-28', '2026-11-30']);
  expect(await reconciliations.request(DAY, NOW_MS)).toBe(true);
  expect(await reconciliations.request(DAY, NOW_MS)).toBe(false);
});

test('a day with a refund under way at WeChat is requested again each morning', async () => {
  const no = await world.paid();
  const under = (refundStatus: string) => [
    paymentLine(no),
    refundLine(no, 'platform-1', { refundStatus }),
  ];
  await world.sql.query(`UPDATE orders SET created_at = '2026-11-29T12:00:00+08:00'`);
  const { reconciliations } = world.database;
  await world.reconcile(under('SUCCESS'));
  expect(await reconciliations.plan(NOW_MS)).toEqual(['2026-11-30']);
  await world.reconcile(under('PROCESSING'));
  expect(await world.found()).toEqual(['refund_missing_here open']);
  expect(await reconciliations.plan(NOW_MS)).toEqual([DAY, '2026-11-30']);
  expect(await reconciliations.find(DAY)).toMatchObject({ status: 'waiting' });
  await reconciliations.fail(DAY, { error: 'x', evidence: {} }, NOW_MS);
  expect(await reconciliations.plan(NOW_MS)).toEqual(['2026-11-30']);
  const later = NOW_MS + 8 * 24 * 3_600_000;
  await world.reconcile(under('PROCESSING'));
  expect(await reconciliations.plan(later)).not.toContain(DAY);
});

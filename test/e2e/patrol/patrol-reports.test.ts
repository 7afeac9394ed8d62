// The patrol's reports of broken invariants, and the interventions about them.
import type { InvariantKind, PatrolFinding } from '../../../domain/patrol/findings';
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import {
  resolve,
  orderOf,
  interventionsOf,
  untilOpened,
  type Intervention,
} from '../support/interventions';
import { paidOrder } from '../support/refunds';

jest.setTimeout(120_000);

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ env: { ONCEPAY_PATROL_INTERVAL: '1s' } });
});
afterAll(() => oncepay.stop());

interface Report {
  readonly id: string;
  readonly started_at: string;
  readonly status: string;
  readonly findings: readonly PatrolFinding[];
}

async function reports(): Promise<Report[]> {
  const { body } = await oncepay.call('GET', '/v1/patrol/runs?limit=200', { as: 'viewer' });
  return (body as unknown as { data: Report[] }).data;
}

/** A report's finding about this number under this kind, once there is one. */
const untilReported = (kind: InvariantKind, no: string, holds: (one: PatrolFinding) => boolean) =>
  until(`${kind} of ${no} is reported`, async () => {
    const all = (await reports()).flatMap(({ findings }) => findings);
    return all.find((one) => one.kind === kind && one.sample.includes(no) && holds(one));
  });

/** The report of a patrol that began after this moment. */
async function nextReport(): Promise<Report> {
  const { rows } = await oncepay.sql.query<{ now: Date }>(`SELECT now() AS now`);
  const nowMs = rows[0]?.now.getTime() ?? 0;
  return until('a patrol has begun and ended since', async () => {
    const later = (await reports()).filter((one) => Date.parse(one.started_at) > nowMs);
    return later.find(({ status }) => status === 'done');
  });
}

interface Broken {
  /** An order's number, or the number that stands for it. */
  readonly no: string;
  readonly subject: string;
  readonly mend: () => Promise<unknown>;
}

const change = (statement: string, key: string) => oncepay.sql.query(statement, [key]);

async function brokenOrder(
  subject: string,
  broken: string,
  mended: string,
  where = 'out_trade_no = $1',
): Promise<Broken> {
  const no = await paidOrder(oncepay);
  await change(`${broken} WHERE ${where}`, no);
  return { no, subject, mend: () => change(`${mended} WHERE ${where}`, no) };
}

const BROKEN: Readonly<
  Record<Exclude<InvariantKind, 'reservation_leaked'>, () => Promise<Broken>>
> = {
  transaction_overdrawn: async () => {
    const held = (fen: number) => `UPDATE payment_transactions SET held_fen = ${fen}`;
    const broken = await brokenOrder('', held(100), held(0));
    const { transaction_id: id } = await oncepay.order(broken.no);
    return { ...broken, subject: id ?? '' };
  },
  status_without_transaction: () =>
    brokenOrder(
      'refunded',
      'UPDATE orders SET refunded_fen = 100',
      'UPDATE orders SET refunded_fen = 0',
    ),
  effects_disagree: () =>
    brokenOrder(
      'points',
      `UPDATE order_effects SET status = 'skipped'`,
      `UPDATE order_effects SET status = 'done'`,
      `effect = 'points' AND out_trade_no = $1`,
    ),
  effect_twice: () =>
    brokenOrder(
      'points',
      'UPDATE points_balances SET balance = balance * 2',
      'UPDATE points_balances SET balance = balance / 2',
      'user_id = (SELECT user_id FROM orders WHERE out_trade_no = $1)',
    ),
  stock_disagrees: async () => {
    const { sku } = await orderOf(oncepay, { kind: 'physical', stock: 9 });
    await change('UPDATE products SET reserved = reserved + 1 WHERE sku = $1', sku);
    const mend = () => change('UPDATE products SET reserved = reserved - 1 WHERE sku = $1', sku);
    return { no: `sku:${sku}`, subject: sku, mend };
  },
  sales_disagree: async () => {
    const sku = `sold-${Date.now()}`;
    await paidOrder(oncepay, { items: [{ sku, quantity: 2, unit_price: 150 }] });
    const { rows } = await oncepay.sql.query<{ day: string }>(
      'UPDATE sales_statistics SET units = units + 1 WHERE sku = $1 RETURNING day',
      [sku],
    );
    const mend = () => change('UPDATE sales_statistics SET units = units - 1 WHERE sku = $1', sku);
    return { no: `sku:${sku}`, subject: `${rows[0]?.day ?? ''}:${sku}`, mend };
  },
};

/** Waits for the intervention about a broken invariant. */
async function untilOpenedFor(kind: InvariantKind, { no, subject }: Broken): Promise<Intervention> {
  const question = await untilOpened(oncepay, no, 'invariant');
  expect(question).toMatchObject({
    subject: `${kind}:${subject}`,
    actions: ['retry', 'dismiss'],
    evidence: { expected: expect.anything() as object, seen: expect.anything() as object },
  });
  return question;
}

test.each(Object.entries(BROKEN) as [InvariantKind, () => Promise<Broken>][])(
  'each broken invariant is in the report and opens an intervention (%s)',
  async (kind, provoke) => {
    const broken = await provoke();
    const finding = await untilReported(kind, broken.no, ({ opened }) => opened > 0);
    expect(finding).toMatchObject({ found: 1, healed: 0, opened: 1, left: 0 });
    await untilOpenedFor(kind, broken);
    await broken.mend();
    expect((await nextReport()).findings).toEqual([]);
  },
);

test('the patrol itself gives back the leaked stock of a closed order', async () => {
  const { no, sku } = await orderOf(oncepay, { kind: 'physical', stock: 5 });
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  await oncepay.untilStatus(no, 'closed');
  await oncepay.sql.query(
    `WITH leaked AS (UPDATE stock_reservations SET status = 'reserved' WHERE sku = $1
       RETURNING sku, quantity)
     UPDATE products p SET reserved = reserved + quantity FROM leaked WHERE p.sku = leaked.sku`,
    [sku],
  );
  const finding = await untilReported('reservation_leaked', no, () => true);
  expect(finding).toMatchObject({ found: 1, healed: 1, opened: 0, left: 0 });
  const { body } = await oncepay.call('GET', `/v1/products/${sku}`);
  expect(body).toMatchObject({ stock: 5, reserved: 0 });
  expect((await nextReport()).findings).toEqual([]);
  expect(await interventionsOf(oncepay, no)).toEqual([]);
});

test('retry of a broken invariant opens it anew with previous_id, unless repaired', async () => {
  const broken = await BROKEN.effects_disagree();
  const first = await untilOpenedFor('effects_disagree', broken);
  expect((await resolve(oncepay, first.id, 'retry')).status).toBe(200);
  const second = await untilOpenedFor('effects_disagree', broken);
  expect(second).toMatchObject({ previous_id: first.id, subject: first.subject });
  await broken.mend();
  // No patrol that saw the invariant broken is still running.
  await nextReport();
  expect((await resolve(oncepay, second.id, 'retry')).status).toBe(200);
  expect((await nextReport()).findings).toEqual([]);
  expect(await interventionsOf(oncepay, broken.no)).toEqual([]);
  expect((await oncepay.order(broken.no)).attention).toBeNull();
});

test('an invariant that was dismissed opens no further intervention', async () => {
  const broken = await BROKEN.status_without_transaction();
  const { id } = await untilOpenedFor('status_without_transaction', broken);
  expect((await resolve(oncepay, id, 'dismiss')).status).toBe(200);
  expect((await nextReport()).findings).toMatchObject([
    { kind: 'status_without_transaction', opened: 0, left: 1, sample: [broken.no] },
  ]);
  expect(await interventionsOf(oncepay, broken.no)).toEqual([]);
  await broken.mend();
});

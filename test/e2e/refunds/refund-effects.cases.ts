// Effects that a refund takes back: points, sales, stock and codes.
import { someUser, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { resolve, orderOf, setPolicy, untilOpened } from '../support/interventions';
import { requestRefund, refundsWith } from '../support/refunds';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = sharedOncepay();
  await setPolicy(oncepay, 'wechat.refund', { base_delay_ms: 50 });
  await setPolicy(oncepay, 'fulfilment.points', { base_delay_ms: 50, max_attempts: 2 });
});
afterEach(() => oncepay.simulator.clearFaults());

let asked = 0;
/** Refunds a part and waits until its effects are compensated too. @returns its number */
async function giveBack(no: string, amount: number, more: object = {}): Promise<string> {
  asked += 1;
  const outRefundNo = `r${asked}-${no}`;
  const body = { out_refund_no: outRefundNo, amount, ...more };
  const { status } = await requestRefund(oncepay, no, body);
  expect(status).toBe(202);
  await oncepay.untilOrder(no, 'it is back, and so is what it takes back', (order) => {
    const refund = order.refunds.find(({ out_refund_no }) => out_refund_no === outRefundNo);
    const left = order.effects.filter(
      ({ effect, status: seen }) => effect.endsWith(`:${outRefundNo}`) && seen !== 'done',
    );
    return refund?.status === 'succeeded' && left.length === 0;
  });
  return outRefundNo;
}

async function points(userId: string): Promise<{ balance: number; deltas: number[] }> {
  const { body } = await oncepay.call('GET', `/v1/users/${userId}/points`);
  const { balance, entries } = body as unknown as {
    balance: number;
    entries: { delta: number }[];
  };
  return { balance, deltas: entries.map(({ delta }) => delta).reverse() };
}
const product = async (sku: string) =>
  (await oncepay.call('GET', `/v1/products/${sku}`)).body as unknown as {
    stock: number;
    reserved: number;
    sold: number;
    codes_left: number;
  };
async function sales(sku: string): Promise<{ units: number; revenue: number; orders: number }> {
  const { rows } = await oncepay.sql.query<{ units: number; revenue: number; orders: number }>(
    `SELECT units::int, revenue_fen::int AS revenue, orders::int
     FROM sales_statistics WHERE sku = $1`,
    [sku],
  );
  return rows[0] ?? { units: 0, revenue: 0, orders: 0 };
}
const pay = async (no: string) => {
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
};

describe('points that a refund takes back', () => {
  test('points go back in proportion, rounded half up, and add up to all of them', async () => {
    const user = someUser();
    const items = [{ sku: 'odd', quantity: 1, unit_price: 750 }];
    const amount = { total: 750, currency: 'CNY' };
    const no = await oncepay.newOrder({ user_id: user, items, amount });
    await pay(no);
    expect(await points(user)).toEqual({ balance: 7, deltas: [7] });
    // 7 × 250 ÷ 750 = 2.33, 7 × 500 ÷ 750 = 4.67: two, then five in all.
    await giveBack(no, 250);
    expect(await points(user)).toEqual({ balance: 5, deltas: [7, -2] });
    await giveBack(no, 250);
    expect(await points(user)).toEqual({ balance: 2, deltas: [7, -2, -3] });
    await giveBack(no, 250);
    expect(await points(user)).toEqual({ balance: 0, deltas: [7, -2, -3, -2] });
    expect((await oncepay.order(no)).status).toBe('refunded');
  });

  test('points that were spent already leave a negative balance', async () => {
    const user = someUser();
    const no = await oncepay.newOrder({ user_id: user });
    await pay(no);
    await oncepay.sql.query(
      `WITH spent AS (INSERT INTO points_entries (user_id, out_trade_no, effect, delta)
         VALUES ($1, 'spent-' || $1, 'spent', -3) RETURNING delta)
       UPDATE points_balances SET balance = balance - 3 WHERE user_id = $1`,
      [user],
    );
    await giveBack(no, 300);
    expect((await points(user)).balance).toBe(-3);
  });

  test('points are taken back once for each refund, however often it is reported', async () => {
    const user = someUser();
    const no = await oncepay.newOrder({ user_id: user });
    await pay(no);
    const outRefundNo = await giveBack(no, 100);
    await oncepay.simulator.settleRefund({ outRefundNo, status: 'SUCCESS' });
    await oncepay.temporal.workflow.signalWithStart('orderWorkflow', {
      args: [no],
      taskQueue: 'oncepay-orders',
      workflowId: no,
      signal: 'notice',
      signalArgs: ['again'],
    });
    await oncepay.untilOrder(
      no,
      'told twice',
      ({ notices }) => notices.filter(({ kind }) => kind === 'refund').length === 2,
    );
    await oncepay.untilStatus(no, 'fulfilled');
    expect(await points(user)).toEqual({ balance: 2, deltas: [3, -1] });
  });
});

test('sales go back where they were counted; the lines’ parts add up to the refund', async () => {
  const [a, b] = [`sku-a-${someUser()}`, `sku-b-${someUser()}`];
  const items = [
    { sku: a, quantity: 1, unit_price: 100 },
    { sku: b, quantity: 3, unit_price: 67 },
  ];
  const no = await oncepay.newOrder({ items, amount: { total: 301, currency: 'CNY' } });
  await pay(no);
  await giveBack(no, 101);
  const [one, two] = [await sales(a), await sales(b)];
  expect(one.revenue + two.revenue).toBe(200);
  expect([one.units, two.units, one.orders]).toEqual([1, 2, 1]);
  await giveBack(no, 200);
  expect([await sales(a), await sales(b)]).toEqual([
    { units: 0, revenue: 0, orders: 0 },
    { units: 0, revenue: 0, orders: 0 },
  ]);
});

describe('stock that a refund gives back', () => {
  test('stock stays sold unless the refund wants it back', async () => {
    const { no, sku } = await orderOf(oncepay, { kind: 'physical', stock: 10 });
    await pay(no);
    expect(await product(sku)).toMatchObject({ stock: 8, sold: 2 });
    await giveBack(no, 150);
    expect(await product(sku)).toMatchObject({ stock: 8, sold: 1 });
  });

  test('stock comes back in proportion, and a later refund brings the rest back', async () => {
    const { no, sku } = await orderOf(oncepay, { kind: 'physical', stock: 10 });
    await pay(no);
    await giveBack(no, 75);
    expect(await product(sku)).toMatchObject({ stock: 8 });
    await giveBack(no, 75, { restock: true });
    expect(await product(sku)).toMatchObject({ stock: 9 });
    await giveBack(no, 150, { restock: true });
    expect(await product(sku)).toMatchObject({ stock: 10, reserved: 0, sold: 0 });
  });
});

describe('codes that a refund takes back', () => {
  test('only unused codes are taken back, and they are never handed out again', async () => {
    const codes = [`c1-${someUser()}`, `c2-${someUser()}`];
    const { no, sku } = await orderOf(oncepay, { kind: 'virtual', codes });
    await pay(no);
    const path = `/v1/products/${sku}/codes/used`;
    expect((await oncepay.call('POST', path, { body: { codes: [codes[0]] } })).status).toBe(200);
    await giveBack(no, 300, { revoke_codes: true });
    const order = await oncepay.order(no);
    expect(order.codes).toMatchObject([
      { code: codes[0], revoked_at: null, used_at: expect.any(String) as string },
      { code: codes[1], revoked_at: expect.any(String) as string, used_at: null },
    ]);
    expect(await product(sku)).toMatchObject({ codes_left: 0 });
    const again = await oncepay.call('POST', path, { body: { codes } });
    expect(again).toMatchObject({ status: 409, body: { code: 'CODE_REVOKED' } });
  });

  test('a code that nobody has can’t be marked as used', async () => {
    const { sku } = await orderOf(oncepay, { kind: 'virtual', codes: [`c3-${someUser()}`, 'x'] });
    const path = `/v1/products/${sku}/codes/used`;
    const answered = await oncepay.call('POST', path, { body: { codes: ['nothing'] } });
    expect(answered).toMatchObject({ status: 404, body: { errors: [{ field: 'codes[0]' }] } });
  });
});

describe('a refund that comes while the order is being fulfilled', () => {
  /** An order of two codes while the pool has none: all effects but the delivery are done. */
  async function waiting(): Promise<{ no: string; sku: string; question: string; user: string }> {
    const user = someUser();
    const sku = `sku-${someUser()}`;
    await oncepay.call('PUT', `/v1/products/${sku}`, { body: { name: 'Key', kind: 'virtual' } });
    const items = [{ sku, quantity: 2, unit_price: 150 }];
    const no = await oncepay.newOrder({ items, user_id: user });
    await oncepay.simulator.pay({ outTradeNo: no });
    const { id } = await untilOpened(oncepay, no, 'no_codes');
    return { no, sku, question: id, user };
  }

  test('a part is refunded before the goods go out: the sums are right', async () => {
    const { no, sku, question, user } = await waiting();
    const body = { out_refund_no: `part-${no}`, amount: 150, revoke_codes: true };
    expect((await requestRefund(oncepay, no, body)).status).toBe(202);
    const order = await oncepay.untilOrder(no, 'the points are back', ({ effects }) =>
      effects.some(({ effect, status }) => effect.startsWith('points_back') && status === 'done'),
    );
    expect(order).toMatchObject({ status: 'paid', amount: { refunded: 150 } });
    // It is not known yet which codes of the delivery are to be taken back.
    const back = order.effects.find(({ effect }) => effect.startsWith('delivery_back'));
    expect(back?.status).toBe('pending');
    const codes = [`d1-${someUser()}`, `d2-${someUser()}`];
    await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
    expect((await resolve(oncepay, question, 'retry')).status).toBe(200);
    const done = await oncepay.untilOrder(
      no,
      'all is done',
      ({ status, effects }) =>
        status === 'fulfilled' && effects.every((one) => one.status === 'done'),
    );
    expect(done.codes?.map((one) => one.revoked_at)).toEqual(
      expect.arrayContaining([null, expect.any(String)]),
    );
    expect((await points(user)).balance).toBe(1);
  });

  test('goods are held back once the whole payment is reserved for refunds', async () => {
    const { no, sku, user } = await waiting();
    oncepay.simulator.setRefundOutcome({ status: 'PROCESSING', outTradeNo: no });
    for (const n of [1, 2]) {
      await requestRefund(oncepay, no, { out_refund_no: `${no}-${n}`, amount: 150 });
    }
    const codes = [`e1-${someUser()}`, `e2-${someUser()}`];
    await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
    const order = await oncepay.untilOrder(no, 'both are under way', (seen) =>
      refundsWith(seen, ['processing', 'processing']),
    );
    expect(order.effects.find(({ effect }) => effect === 'delivery')?.status).toBe('cancelled');
    expect(order.attention).toBeNull();
    // One refund is closed: a part of the payment stays, so the goods go out after all.
    await oncepay.simulator.settleRefund({ outRefundNo: `${no}-1`, status: 'SUCCESS' });
    await oncepay.simulator.settleRefund({ outRefundNo: `${no}-2`, status: 'CLOSED' });
    const after = await oncepay.untilOrder(no, 'the goods are out', ({ status }) => {
      return status === 'fulfilled';
    });
    expect(after.codes).toHaveLength(2);
    expect((await points(user)).balance).toBe(1);
  });
});

test('a compensation that fails opens an intervention and succeeds on its retry', async () => {
  const user = someUser();
  const no = await oncepay.newOrder({ user_id: user });
  await pay(no);
  await oncepay.sql.query(
    `ALTER TABLE points_entries ADD CONSTRAINT broken CHECK (delta >= 0) NOT VALID`,
  );
  await requestRefund(oncepay, no, { out_refund_no: `b-${no}`, amount: 100 });
  const { id, ...question } = await untilOpened(oncepay, no, 'effect_failed');
  // A further refund would not take back the effects of this one.
  expect(question).toMatchObject({
    subject: `points_back:b-${no}`,
    actions: ['retry', 'skip'],
    evidence: { errors: expect.arrayContaining(['SQLSTATE 23514 broken']) as string[] },
  });
  expect(await resolve(oncepay, id, 'refund')).toMatchObject({
    status: 409,
    body: { code: 'ACTION_NOT_ALLOWED', actions: ['retry', 'skip'] },
  });
  await oncepay.sql.query(`ALTER TABLE points_entries DROP CONSTRAINT broken`);
  expect((await resolve(oncepay, id, 'retry')).status).toBe(200);
  await oncepay.untilOrder(no, 'it is taken back', ({ effects }) =>
    effects.every(({ status }) => status === 'done'),
  );
  expect((await points(user)).balance).toBe(2);
});

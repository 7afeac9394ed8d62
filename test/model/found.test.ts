/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Sequences that random tests, or thinking about them, have found.
import { replacementNumber } from '../../domain/refunds/refund-number';
import { readBooks } from './support/books';
import { drain } from './support/drain';
import { createOrderDriver, STOCK, type OrderDriver, type Shape } from './support/order-driver';
import { startWorld, type World } from './support/world';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.end());

/** An order of 400 fen, fulfilled: two of the goods, two codes. */
const fulfilled = (change: Partial<Shape> = {}): Promise<OrderDriver> =>
  createOrderDriver(world, {
    goods: { quantity: 2, unitPriceFen: 100 },
    codes: { quantity: 2, unitPriceFen: 50 },
    thingFen: 100,
    noCodesYet: false,
    from: 'fulfilled',
    ...change,
  });

/** Requests a refund and sends it. @returns its number */
async function sent(
  order: OrderDriver,
  ending: string,
  amountFen: number,
  { restock = false, revokeCodes = false } = {},
): Promise<string> {
  const outRefundNo = `${order.no}${ending}`;
  const request = { outRefundNo, amountFen, reason: null, restock, revokeCodes };
  expect((await order.ask(request)).kind).toBe('reserved');
  world.pass(2_000);
  await order.attempt(outRefundNo);
  return outRefundNo;
}

async function deliverAll(order: OrderDriver): Promise<void> {
  for (let n = 0; n < order.letters().length; n += 1) await order.deliver(n);
  await order.apply();
}

/** WeChat closes a refund, and an operator takes a new number. */
async function replaced(order: OrderDriver, outRefundNo: string): Promise<void> {
  await order.settle(outRefundNo, 'CLOSED', 1);
  await deliverAll(order);
  const question = (await order.interventions()).find(({ subject }) => subject === outRefundNo);
  await order.resolve(question?.id ?? '', 'new_number');
  await order.apply();
}

test.each([
  ['numbered by the shop', '', '-1'],
  ['as long as WeChat takes them', `-${'x'.repeat(40)}1`, `-${'x'.repeat(40)}2`],
])('two closed refunds, %s, are replaced by two', async (_how, one, two) => {
  const order = await fulfilled();
  const numbers = [await sent(order, one, 100), await sent(order, two, 150)];
  for (const number of numbers) await replaced(order, number);
  await drain(order);
  expect(await readBooks(order)).toMatchObject({ refundedFen: 250 });
  expect(world.simulator.refundsOf(order.no)).toHaveLength(4);
});

test('a replacement that WeChat closes too never meets another’s replacement', async () => {
  const order = await fulfilled();
  const [one, two] = [await sent(order, '-1', 100), await sent(order, '-2', 150)];
  await replaced(order, two);
  await replaced(order, one);
  const replacement = replacementNumber(one);
  world.pass(2_000);
  await order.attempt(replacement);
  await replaced(order, replacement);
  await drain(order);
  expect(await readBooks(order)).toMatchObject({ refundedFen: 250 });
});

test('a refund that WeChat lacks is sent again only after WeChat’s spacing', async () => {
  const order = await fulfilled();
  world.simulator.setFault({ operation: 'refund', kind: 'cut', outTradeNo: order.no });
  const lost = await sent(order, '-1', 100);
  const other = await sent(order, '-2', 100);
  const atWechat = () => world.simulator.refundsOf(order.no).map((one) => one.outRefundNo);
  await order.attempt(lost);
  expect(atWechat()).toEqual([other]);
  world.pass(2_000);
  await order.attempt(lost);
  expect(atWechat()).toEqual([other, lost]);
  const statuses = world.simulator
    .requestsOf(lost)
    .filter(({ operation }) => operation === 'refund')
    .map(({ status }) => status);
  expect(statuses).toEqual([null, 200]);
  await drain(order);
});

test('a late report of ABNORMAL after the close opens no intervention', async () => {
  const order = await fulfilled();
  const number = await sent(order, '-1', 100);
  const before = order.letters().length;
  await order.settle(number, 'ABNORMAL', 1);
  await order.settle(number, 'CLOSED', 1);
  await order.deliver(before + 1);
  await order.apply();
  await order.deliver(before);
  await order.apply();
  expect(await order.interventions()).toMatchObject([{ reason: 'refund_closed', subject: number }]);
  await drain(order);
});

test('an abnormal refund that WeChat closes leaves one intervention, as closed', async () => {
  const order = await fulfilled();
  const number = await sent(order, '-1', 100);
  for (const status of ['ABNORMAL', 'CLOSED'] as const) {
    await order.settle(number, status, 1);
    await deliverAll(order);
  }
  expect(await order.interventions()).toMatchObject([{ reason: 'refund_closed', subject: number }]);
  await drain(order);
});

test.each([
  ['as soon as it is back', true],
  ['only after the next refund', false],
])(
  'goods that a refund leaves don’t come back with an earlier one, done %s',
  async (_when, atOnce) => {
    const order = await fulfilled();
    const first = await sent(order, '-1', 100, { restock: true, revokeCodes: true });
    await order.settle(first, 'SUCCESS', 1);
    await deliverAll(order);
    if (atOnce) await order.runEffects();
    const second = await sent(order, '-2', 200);
    await order.settle(second, 'SUCCESS', 1);
    await deliverAll(order);
    await order.runEffects();
    const { products, codes } = await readBooks(order);
    // A quarter of two is a half, rounded up: one.
    expect([products[order.names.goods]?.stock, codes.revoked]).toEqual([STOCK - 1, 1]);
    await drain(order);
  },
);

test('an abnormal refund that went on without us ends with the next resolution', async () => {
  const order = await fulfilled();
  const number = await sent(order, '-1', 100);
  await order.settle(number, 'ABNORMAL', 1);
  await deliverAll(order);
  await order.settle(number, 'SUCCESS', 0);
  const [question] = await order.interventions();
  await order.resolve(question?.id ?? '', 'to_bank_card');
  await order.apply();
  await order.attempt(number);
  expect(await order.refunds()).toEqual([{ number, status: 'succeeded' }]);
  expect(await order.interventions()).toEqual([]);
  await drain(order);
});

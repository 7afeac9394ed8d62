/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Processes that die or hang at each step of the long ways of a refund.
import { checkBooks } from './support/books';
import { drain } from './support/drain';
import { createOrderDriver, type OrderDriver } from './support/order-driver';
import { startWorld, type World } from './support/world';

/** Random sequences rarely come this far: here a process ends at every step of the long ways. */
let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.end());

jest.setTimeout(60_000);

/** An order of 300 fen with a refund of 100 that is reserved. */
async function asked(): Promise<{ order: OrderDriver; refundNo: string }> {
  const order = await createOrderDriver(world, {
    goods: { quantity: 2, unitPriceFen: 100 },
    codes: null,
    thingFen: 100,
    noCodesYet: false,
    from: 'fulfilled',
  });
  const refundNo = `${order.no}-1`;
  const request = { outRefundNo: refundNo, amountFen: 100, reason: null };
  await order.ask({ ...request, restock: false, revokeCodes: false });
  world.pass(2_000);
  return { order, refundNo };
}

/** It is unknown whether WeChat has the refund; it doesn't. */
async function lost() {
  const one = await asked();
  world.simulator.setFault({ operation: 'refund', kind: 'cut', outRefundNo: one.refundNo });
  await one.order.attempt(one.refundNo);
  world.pass(120_000);
  return one;
}

async function abnormal() {
  const one = await asked();
  await one.order.attempt(one.refundNo);
  await one.order.settle(one.refundNo, 'ABNORMAL', 1);
  await one.order.deliver(one.order.letters().length - 1);
  await one.order.apply();
  const [question] = await one.order.interventions();
  await one.order.resolve(question?.id ?? '', 'to_bank_card');
  await one.order.apply();
  return one;
}

const fails = (operation: 'refund' | 'refund_query' | 'abnormal_refund', outRefundNo: string) => {
  world.simulator.setFault({ operation, kind: 'error', status: 500, outRefundNo });
};

type Prepare = () => Promise<{ order: OrderDriver; refundNo: string }>;
const WAYS: Readonly<Record<string, { readonly prepare: Prepare; readonly steps: number }>> = {
  'sent, and taken': { prepare: asked, steps: 6 },
  'asked for, not there, sent again, and failing': {
    prepare: async () => {
      const one = await lost();
      fails('refund', one.refundNo);
      return one;
    },
    steps: 14,
  },
  'sent elsewhere, refused, asked for, and ended already': {
    prepare: async () => {
      const one = await abnormal();
      await one.order.settle(one.refundNo, 'SUCCESS', 0);
      return one;
    },
    steps: 10,
  },
  'sent elsewhere once more, and failing': {
    prepare: async () => {
      const one = await abnormal();
      fails('abnormal_refund', one.refundNo);
      await one.order.attempt(one.refundNo);
      world.pass(120_000);
      fails('abnormal_refund', one.refundNo);
      return one;
    },
    steps: 14,
  },
};

/** A process dies after a call and hangs before one: between two calls nothing is stored. */
const interruptionAt = (atStep: number) =>
  ({ kind: atStep % 2 === 0 ? 'hangs' : 'dies', atStep }) as const;

test.each(Object.entries(WAYS))(
  '%s: processes die or hang between any two steps, and the money is right',
  async (_way, { prepare, steps }) => {
    let met = 0;
    for (let wasMet = true; wasMet; met += 1) {
      const { order, refundNo } = await prepare();
      world.interrupted.length = 0;
      await order.attempt(refundNo, interruptionAt(met));
      wasMet = world.interrupted.length > 0;
      await checkBooks(order);
      // Another process starts while the first one hangs.
      world.pass(120_000);
      await order.attempt(refundNo);
      await drain(order);
    }
    expect(met - 1).toBe(steps);
  },
);

/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Counters that grow with every order go on beyond 32 bits.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { someOrder } from '../support/patrol';
import { startTestSharing, type TestSharing } from '../support/sharing';

const MOST_INT = 2_147_483_647;

let world: TestSharing;
beforeAll(async () => {
  world = await startTestSharing();
});
afterAll(() => world.end());

/** A paid order of 300 fen over 10 units, whose effects are still to be done. */
async function paidOrder(sku: string, user: string): Promise<string> {
  const no = await someOrder(world.sql, { status: 'paid', user });
  await world.sql.query(
    `INSERT INTO order_items (out_trade_no, line, sku, kind, quantity, unit_price_fen)
     VALUES ($1, 0, $2, 'physical', 10, 30)`,
    [no, sku],
  );
  return no;
}

const run = (no: string) => world.database.effects.run(no, Date.now());

test('a product sold beyond 2^31 units: its next order is fulfilled and counted', async () => {
  const actor = { name: 'shop', role: 'merchant' };
  await world.database.products.put({ sku: 's', name: 's', kind: 'physical', stock: null }, actor);
  await world.sql.query(`UPDATE products SET sold = $1 WHERE sku = 's'`, [MOST_INT - 5]);
  expect(await run(await paidOrder('s', 'u1'))).toMatchObject({
    failed: [],
    view: { status: 'fulfilled' },
  });
  expect(await world.database.products.find('s')).toMatchObject({ sold: MOST_INT + 5 });
});

test('a balance beyond 2^31 points: the next order is fulfilled and counted', async () => {
  await world.sql.query(`INSERT INTO points_balances VALUES ('u2', $1)`, [MOST_INT - 1]);
  expect(await run(await paidOrder('t', 'u2'))).toMatchObject({
    failed: [],
    view: { status: 'fulfilled' },
  });
  expect(await world.database.products.pointsBalance('u2')).toBe(MOST_INT + 2);
});

test('a counter beyond 2^53 is shown as 2^53 − 1', async () => {
  await world.sql.query(`INSERT INTO points_balances VALUES ('u3', 9007199254740995)`);
  const balance = await world.database.products.pointsBalance('u3');
  expect(balance).toBe(Number.MAX_SAFE_INTEGER);
});

test('a person accepted another amount than the order’s: points count what was paid', async () => {
  const no = await paidOrder('t', 'u4');
  await world.sql.query('UPDATE payment_transactions SET total_fen = 1500 WHERE order_no = $1', [
    no,
  ]);
  expect(await run(no)).toMatchObject({ failed: [], view: { status: 'fulfilled' } });
  expect(await world.database.products.pointsBalance('u4')).toBe(15);
});

/** The reason that bounds each 32-bit column; a new one is 64-bit, or gets its reason here. */
const BOUNDED: Readonly<Record<string, readonly string[]>> = {
  'WeChat’s amounts are 32-bit: an order, a payment, a part of it': [
    'Order.totalFen',
    'Order.refundedFen',
    'OrderItem.unitPriceFen',
    'PaymentTransaction.totalFen',
    'PaymentTransaction.payerTotalFen',
    'PaymentTransaction.heldFen',
    'PaymentTransaction.refundedFen',
    'PaymentTransaction.sharedFen',
    'Intervention.amountFen',
    'InterventionResolution.approvedFen',
    'Refund.amountFen',
    'Refund.totalFen',
    'Proposal.amountFen',
    'Movement.amountFen',
    'InterventionResolution.proposedFen',
    'ProfitSharingReceiver.amountFen',
    'ProfitSharingReceiver.returnedFen',
    'ProfitSharingReturn.amountFen',
  ],
  'one order: its units and points are no more than its amount in fen': [
    'OrderItem.quantity',
    'StockReservation.quantity',
    'StockReservation.returned',
    'PointsEntry.delta',
  ],
  'the api refuses a stock beyond 32 bits': [
    'Product.stock',
    'Product.reserved',
    'StockMovement.delta',
  ],
  'a place in a list, or a count that ends by a limit': [
    'Order.prepayRounds',
    'OrderItem.line',
    'ProfitSharingReceiver.line',
    'ProductCode.line',
    'InboxNotification.attempts',
    'OrderEffect.attempts',
    'Delivery.attempts',
    'RetryBudget.attempts',
    'OrderSequence.nextValue',
    'CallbackDelivery.httpStatus',
    // A bill has at most 4 GiB, and three wrong hashes end its day.
    'ReconciliationLine.line',
    'Reconciliation.wrongHashes',
  ],
  'the callbacks that one hour can bring': ['CallbackDelivery.repeats'],
  'how often people or a day’s schedule started the same thing': ['Reconciliation.run'],
  'settings within a range, and how often people changed them': [
    'RetryPolicy.baseDelayMs',
    'RetryPolicy.maxDelayMs',
    'RetryPolicy.maxAttempts',
    'RetryPolicy.version',
    'RuntimeSetting.version',
  ],
};

test('every 32-bit column has a reason why it can’t overflow', () => {
  const schema = readFileSync('prisma/schema.prisma', 'utf8');
  const found = schema.split(/^model /m).flatMap((model) => {
    const name = /^\w+/.exec(model)?.[0] ?? '';
    return [...model.matchAll(/^ +(\w+) +Int\b/gm)].map(([, column]) => `${name}.${column}`);
  });
  expect(found.toSorted()).toEqual(Object.values(BOUNDED).flat().toSorted());
});

test('no statement casts a sum of amounts or points to 32 bits', () => {
  const files = readdirSync('database', { recursive: true, encoding: 'utf8' });
  const casts = files
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => {
      const text = readFileSync(join('database', file), 'utf8');
      return [...text.matchAll(/sum\((?!i\.quantity)[^`]{0,80}\)::int\b/g)].map(([cast]) => cast);
    });
  expect(casts).toEqual([]);
});

// Payments and refunds from all sides on workers that are killed: our books equal WeChat's.
import { startTestOncepay, type TestOncepay } from '../support/oncepay';
import { BOOKS_ENV, playBooks } from './support/books-run';

/** A few orders; `npm run proof:books` plays two hundred with the same code. */
const ORDERS = 16;

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ workers: 2, env: BOOKS_ENV });
});
afterAll(() => oncepay.stop());

test('requests, late, second and external money, a killed worker: equal books', async () => {
  const report = await playBooks(oncepay, { orders: ORDERS, kills: 1, seed: 7 });
  expect(report).toMatchObject({ killed: 1 });
  expect(report.payments).toBeGreaterThan(ORDERS);
  expect(report.external).toBeGreaterThan(0);
}, 300_000);

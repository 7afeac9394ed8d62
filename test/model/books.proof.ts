// Two hundred orders, for `npm run proof:books`: the long form of running.test.ts.
import { startTestOncepay, type TestOncepay } from '../support/oncepay';
import { BOOKS_ENV, playBooks } from './support/books-run';

const ORDERS = 200;

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ workers: 2, env: BOOKS_ENV });
});
afterAll(() => oncepay.stop());

test('two hundred orders and eight kills end with books that equal WeChat’s', async () => {
  const seed = Math.trunc(Date.now() / 1_000) % 1_000_000;
  process.stderr.write(`proof:books plays with the seed ${seed}\n`);
  const report = await playBooks(oncepay, { orders: ORDERS, kills: 8, seed });
  process.stderr.write(`proof:books: ${JSON.stringify(report)}\n`);
  expect(report).toMatchObject({ killed: 8 });
  expect(report.payments).toBeGreaterThan(ORDERS);
  expect(report.external).toBeGreaterThan(0);
}, 1_800_000);

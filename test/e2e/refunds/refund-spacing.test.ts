// The spacing between two refunds of one payment.
import { startTestOncepay, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';
import { resolve, lateOrder, setSetting, untilOpened } from '../support/interventions';

const SPACING_MS = 5_000;

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ env: { ONCEPAY_REFUND_SPACING: `${SPACING_MS}ms` } });
});
afterAll(() => oncepay.stop());

jest.setTimeout(120_000);

/** A payment with a refund that WeChat closed, and a second refund that is requested at once. */
async function refundedTwice(): Promise<string> {
  oncepay.simulator.setRefundOutcome({ status: 'CLOSED', times: 1 });
  const no = await lateOrder(oncepay);
  const { id } = await untilOpened(oncepay, no, 'refund_closed');
  expect((await resolve(oncepay, id, 'new_number')).status).toBe(200);
  return no;
}

/** The time between the first attempt and the second refund's; null while it is not sent. */
async function gapMs(no: string): Promise<number | null> {
  const { rows } = await oncepay.sql.query<{ sent_at: Date }>(
    `SELECT sent_at FROM refund_attempts JOIN refunds USING (out_refund_no)
     WHERE out_trade_no = $1 ORDER BY sent_at`,
    [no],
  );
  const [first, second] = rows;
  return first && second ? second.sent_at.getTime() - first.sent_at.getTime() : null;
}

/** The time until the next refund of this payment is due. */
async function dueInMs(no: string): Promise<number | null> {
  const { rows } = await oncepay.sql.query<{ ms: number }>(
    `SELECT (extract(epoch FROM due_at - now()) * 1000)::float8 AS ms FROM refunds
     WHERE out_trade_no = $1 AND status = 'pending'`,
    [no],
  );
  return rows[0]?.ms ?? null;
}

test('a second refund of a payment waits until the spacing has passed', async () => {
  const no = await refundedTwice();
  await oncepay.untilStatus(no, 'refunded');
  expect(await gapMs(no)).toBeGreaterThanOrEqual(SPACING_MS);
});

test('a spacing that an operator sets applies within seconds, longer or shorter', async () => {
  await setSetting(oncepay, 'refund_spacing', '1h');
  const held = await until('one is held for an hour', async () => {
    const no = await refundedTwice();
    // The refund was sent, or it waits for one of the two spacings.
    const isHeld = await until('it is decided', async () => {
      const due = await dueInMs(no);
      if (due !== null && due > 1_800_000) return true;
      return (await gapMs(no)) === null ? null : false;
    });
    return isHeld ? no : null;
  });
  await setSetting(oncepay, 'refund_spacing', '0s');
  await until('one is sent at once', async () => {
    const no = await refundedTwice();
    const gap = await until('it is sent or held', async () => {
      const due = await dueInMs(no);
      return due !== null && due > 1_800_000 ? Infinity : await gapMs(no);
    });
    return gap < SPACING_MS ? true : null;
  });
  expect(await gapMs(held)).toBeNull();
  expect(oncepay.simulator.refundsOf(held)).toHaveLength(1);
});

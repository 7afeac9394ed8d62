// The simulator's limits of refund requests.
import {
  prepay,
  prepayBody,
  refund,
  refundBody,
  start,
  type Fixture,
  type Received,
} from './support/merchant-client';

/** WeChat's limits of refund requests. */
let fixture: Fixture;
let nowMs = Date.now();
let sequence = 0;

beforeAll(async () => {
  fixture = await start('public_key', { now: () => nowMs });
});
afterAll(() => fixture.simulator.close());
beforeEach(() => {
  fixture.simulator.reset();
  fixture.simulator.setRefundRules({
    refundSpacingMs: 0,
    refundsPerSecond: 0,
    failingRefundsPerSecond: 0,
  });
});

async function paidOrder(): Promise<string> {
  const no = `LIMITED-${++sequence}`;
  await prepay(fixture, prepayBody(fixture.credentials, no));
  await fixture.simulator.pay({ outTradeNo: no, callbacks: 0 });
  return no;
}

/** A part of an order of 1230. */
const part = (outRefundNo: string, no: string, refundFen = 1, reason = 'part') => {
  const amount = { refund: refundFen, total: 1230, currency: 'CNY' };
  return refund(fixture, refundBody(outRefundNo, { out_trade_no: no, reason, amount }));
};

function expectRefused({ status, json }: Received, wanted: number, code: string): void {
  expect([status, (json as { code?: unknown }).code]).toEqual([wanted, code]);
}

test('refund requests have no limit unless one is set', async () => {
  const no = await paidOrder();
  const asked = Array.from({ length: 20 }, (_, n) => part(`unlimited-${n}`, no));
  expect((await Promise.all(asked)).every(({ status }) => status === 200)).toBe(true);
});

test('a refund too soon after another is FREQUENCY_LIMITED, a repeat is not', async () => {
  const [no, other] = [await paidOrder(), await paidOrder()];
  fixture.simulator.setRefundRules({ refundSpacingMs: 60_000 });
  expect((await part('first', no)).status).toBe(200);
  expectRefused(await part('second', no), 429, 'FREQUENCY_LIMITED');
  expect((await part('first', no)).status).toBe(200);
  expect((await part('elsewhere', other)).status).toBe(200);
  fixture.simulator.advanceClock(59_999);
  expectRefused(await part('second', no), 429, 'FREQUENCY_LIMITED');
  fixture.simulator.advanceClock(1);
  expect((await part('second', no)).status).toBe(200);
});

test('too many refunds in a second are FREQUENCY_LIMITED until it is over', async () => {
  const no = await paidOrder();
  fixture.simulator.setRefundRules({ refundsPerSecond: 150 });
  // Repeats of one refund, half of them with another content.
  const asked = Array.from({ length: 150 }, (_, n) =>
    part('busy', no, 1, n % 2 === 0 ? 'part' : 'other'),
  );
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(new Set(statuses)).toEqual(new Set([200, 400]));
  expectRefused(await part('busy', no), 429, 'FREQUENCY_LIMITED');
  nowMs += 999;
  expectRefused(await part('new', no), 429, 'FREQUENCY_LIMITED');
  nowMs += 1;
  expect((await part('new', no)).status).toBe(200);
});

test('too many failing refunds are FREQUENCY_LIMITED; a correct one succeeds', async () => {
  const no = await paidOrder();
  fixture.simulator.setRefundRules({ failingRefundsPerSecond: 6 });
  const fault = { operation: 'refund', kind: 'error', status: 403, code: 'NOT_ENOUGH' } as const;
  fixture.simulator.setFault({ ...fault, times: 5 });
  for (let n = 0; n < 5; n++) expectRefused(await part('right', no), 403, 'NOT_ENOUGH');
  expectRefused(await part('wrong', no, 2000), 400, 'INVALID_REQUEST');
  expectRefused(await part('wrong', no, 2000), 429, 'FREQUENCY_LIMITED');
  expect((await part('right', no)).status).toBe(200);
  nowMs += 1_000;
  expectRefused(await part('wrong', no, 2000), 400, 'INVALID_REQUEST');
});

test('each limit of refund requests is set over the control API', async () => {
  const set = async (rules: object): Promise<number> => {
    const path = `${fixture.simulator.url}/_control/refund-rules`;
    return (await fetch(path, { method: 'POST', body: JSON.stringify(rules) })).status;
  };
  const no = await paidOrder();
  expect(await set({ refund_spacing_ms: -1 })).toBe(400);
  expect(await set({ refund_spacing_ms: 60_000, refunds_per_second: 3 })).toBe(200);
  expect(await set({ failing_refunds_per_second: 1 })).toBe(200);
  expect((await part('set', no)).status).toBe(200);
  expectRefused(await part('set', no, 2), 400, 'INVALID_REQUEST');
  expectRefused(await part('set', no, 3), 429, 'FREQUENCY_LIMITED');
  expectRefused(await part('set', no), 429, 'FREQUENCY_LIMITED');
});

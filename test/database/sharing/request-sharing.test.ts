/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import type { RequestedReceiver } from '../../../database/sharing/request-sharing';
import { someRefund } from '../support/patrol';
import {
  MINUTE_MS,
  numbered,
  receiver,
  startTestSharing,
  type TestSharing,
} from '../support/sharing';

let sharing: TestSharing;
beforeAll(async () => {
  sharing = await startTestSharing();
});
afterAll(() => sharing.end());

const keyed = (key: string) => ({
  number: { kind: 'key' } as const,
  guard: { client: 'shop', route: 'POST /x', key, body: 'the same' },
});

describe('a sharing request', () => {
  test('holds its amounts, and the same again is the same one', async () => {
    const no = await sharing.paidOrder();
    const number = numbered('same-1');
    const first = await sharing.request(no, [receiver(40), receiver(20, 'o-1')], { number });
    expect(first).toMatchObject({ kind: 'created', startsNow: true });
    const again = await sharing.request(no, [receiver(20, 'o-1'), receiver(40)], { number });
    expect(again).toMatchObject({ kind: 'repeated', settled: false });
    expect(await sharing.money(no)).toEqual({ held: 0, shared: 60, refunded: 0 });
  });

  test.each<[string, (no: string) => Promise<[string, readonly RequestedReceiver[], boolean]>]>([
    ['another amount', (no) => Promise.resolve([no, [receiver(41)], false])],
    ['another account', (no) => Promise.resolve([no, [receiver(40, '1900000110')], false])],
    ['unfreeze_rest', (no) => Promise.resolve([no, [receiver(40)], true])],
    ['another order', async () => [await sharing.paidOrder(), [receiver(40)], false]],
  ])('with the number of one with %s is refused', async (what, other) => {
    const no = await sharing.paidOrder();
    const number = numbered(`taken-${what.replace(' ', '-')}`);
    await sharing.shared(no, [receiver(40)], { number });
    const [outTradeNo, receivers, unfreezeRest] = await other(no);
    const refused = await sharing.request(outTradeNo, receivers, { number, unfreezeRest });
    expect(refused).toMatchObject({ kind: 'refused', code: 'OUT_ORDER_NO_USED' });
  });

  test('beside a number the key guards too: with another body it is refused', async () => {
    const no = await sharing.paidOrder();
    const { guard } = keyed('k-2');
    await sharing.shared(no, [receiver(10)], { number: numbered('with-key-1'), guard });
    const other = { number: numbered('with-key-2'), guard: { ...guard, body: 'other' } };
    expect(await sharing.request(no, [receiver(10)], other)).toMatchObject({
      kind: 'refused',
      code: 'IDEMPOTENCY_KEY_REUSED',
    });
  });

  test('by key has one number for ever, whatever happens to the key', async () => {
    const no = await sharing.paidOrder();
    const by = keyed('k-1');
    const outOrderNo = await sharing.shared(no, [receiver(40)], by);
    expect(outOrderNo).toMatch(/^op_[0-9a-f]{40}$/);
    await sharing.sql.query('DELETE FROM idempotency_keys');
    expect(await sharing.request(no, [receiver(40)], by)).toMatchObject({
      kind: 'repeated',
      sharing: { outOrderNo },
    });
    const other = await sharing.request(no, [receiver(10)], by);
    expect(other).toMatchObject({ kind: 'refused', code: 'IDEMPOTENCY_KEY_REUSED' });
    const foreign = await sharing.request(await sharing.paidOrder(), [receiver(40)], by);
    expect(foreign).toMatchObject({ kind: 'refused', code: 'IDEMPOTENCY_KEY_REUSED' });
  });

  test('fifty times at once is one sharing, over two orders only one gets the number', async () => {
    const orders = [await sharing.paidOrder(), await sharing.paidOrder()];
    const number = numbered('at-once');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        sharing.request(orders[n % 2] ?? '', [receiver(40)], { number }),
      ),
    );
    const kinds = answers.map((one) => (one.kind === 'refused' ? one.code : one.kind));
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(1);
    expect(kinds.filter((kind) => kind === 'repeated')).toHaveLength(24);
    expect(kinds.filter((kind) => kind === 'OUT_ORDER_NO_USED')).toHaveLength(25);
  });

  test.each<[string, string, () => Promise<string>]>([
    [
      'was not made for it',
      'ORDER_NOT_FOR_SHARING',
      () => sharing.paidOrder({ forSharing: false }),
    ],
    ['is not paid', 'ORDER_NOT_PAID', () => sharing.paidOrder({ status: 'awaiting_payment' })],
    ['was paid late', 'ORDER_NOT_PAID', () => sharing.paidOrder({ status: 'paid_late' })],
    ['is closed', 'ORDER_NOT_PAID', () => sharing.paidOrder({ status: 'closed' })],
    ['is not there', 'NOT_FOUND', () => Promise.resolve('2026010104999999999999')],
  ])('for an order that %s is refused: %s', async (_what, code, order) => {
    expect(await sharing.request(await order(), [receiver(1)])).toMatchObject({
      kind: 'refused',
      code,
    });
  });

  test('beyond the ratio is refused, over all sharings together, also at once', async () => {
    const no = await sharing.paidOrder();
    expect(await sharing.request(no, [receiver(91)])).toMatchObject({ code: 'SHARING_OVER_CAP' });
    const answers = await Promise.all([1, 2, 3, 4].map(() => sharing.request(no, [receiver(30)])));
    const codes = answers.map((one) => (one.kind === 'refused' ? one.code : one.kind)).sort();
    expect(codes).toEqual(['SHARING_OVER_CAP', 'created', 'created', 'created']);
    expect(await sharing.money(no)).toMatchObject({ shared: 90 });
  });

  test('for more than refunds leave is refused', async () => {
    const no = await sharing.paidOrder();
    await someRefund(sharing.sql, no, { amountFen: 250 });
    expect(await sharing.request(no, [receiver(51)])).toMatchObject({ code: 'NOTHING_TO_SHARE' });
    expect(await sharing.request(no, [receiver(50)])).toMatchObject({ kind: 'created' });
  });

  test('after the unfreeze is refused', async () => {
    const no = await sharing.paidOrder();
    await sharing.shared(no, [], { unfreezeRest: true });
    expect(await sharing.request(no, [receiver(1)])).toMatchObject({ code: 'NOTHING_TO_SHARE' });
    expect(await sharing.request(no, [], { unfreezeRest: true })).toMatchObject({
      code: 'NOTHING_TO_SHARE',
    });
  });

  test("beyond WeChat Pay's fifty is refused; the rest can still be unfrozen", async () => {
    const no = await sharing.paidOrder();
    for (let n = 0; n < 50; n += 1) await sharing.shared(no, [receiver(1)]);
    expect(await sharing.request(no, [receiver(1)])).toMatchObject({ code: 'SHARING_LIMIT' });
    const rest = await sharing.request(no, [], { unfreezeRest: true });
    expect(rest).toMatchObject({ kind: 'created' });
  });

  test('soon after the payment is queued, and due when its time comes', async () => {
    const no = await sharing.paidOrder();
    await sharing.sql.query(`UPDATE orders SET paid_at = now() WHERE out_trade_no = $1`, [no]);
    const queued = await sharing.request(no, [receiver(10)]);
    if (queued.kind !== 'created') throw new Error(queued.kind);
    expect(queued.startsNow).toBe(false);
    const { outOrderNo } = queued.sharing;
    const row = await sharing.rowOf(outOrderNo);
    expect(row['due_at']).toEqual(row['not_before']);
    const nowMs = Date.now();
    expect(await sharing.turn(outOrderNo, nowMs)).toMatchObject({ kind: 'wait' });
    const leased = async (ms: number) =>
      (await sharing.database.overdue.leaseSharings(100, ms)).map((one) => one.outOrderNo);
    expect(await leased(nowMs)).not.toContain(outOrderNo);
    expect(await leased(nowMs + MINUTE_MS)).toContain(outOrderNo);
    expect(await leased(nowMs + MINUTE_MS)).not.toContain(outOrderNo);
  });
});

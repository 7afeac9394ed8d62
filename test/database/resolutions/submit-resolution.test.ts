/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import { createTestMoney, type TestMoney } from '../support/money';
import { someOrder, someRefund } from '../support/patrol';
import { startTestSharing, type TestSharing } from '../support/sharing';

const LIMIT_FEN = 100;

let world: TestSharing;
let money: TestMoney;
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
});
afterAll(() => world.end());

/** An order of 300 fen whose points failed while so much of it was on its way back. */
async function failedEffect(heldFen: number): Promise<{ no: string; refundNo: string }> {
  const no = await someOrder(world.sql, { status: 'paid' });
  const refundNo = await someRefund(world.sql, no, { status: 'processing', amountFen: heldFen });
  await world.sql.query(
    `UPDATE order_effects SET status = 'failed' WHERE out_trade_no = $1 AND effect = 'points'`,
    [no],
  );
  const spent = { operation: 'fulfilment.points', number: no, subject: 'points' } as const;
  const given = { ...spent, code: 'EFFECT_FAILED', attempts: 6, evidence: {} } as const;
  await world.database.escalations.escalate(given, Date.now());
  return { no, refundNo };
}

const closes = (no: string, outRefundNo: string, refundFen: number) =>
  money.refunds(no, { outRefundNo, refundFen, refundStatus: 'CLOSED' });

test('one key is enough for a resolution that moves no more than the limit', async () => {
  const { no } = await failedEffect(200);
  expect(await money.resolves(no, 'effect_failed', 'refund', { limitFen: LIMIT_FEN })).toBe('done');
  expect(await money.refundsOf(no)).toMatchObject([{ amount_fen: 200 }, { amount_fen: 100 }]);
});

test('money that was freed after the intervention opened makes two keys necessary', async () => {
  const { no, refundNo } = await failedEffect(250);
  await closes(no, refundNo, 250);
  expect(await money.resolves(no, 'effect_failed', 'refund', { limitFen: LIMIT_FEN })).toBe(
    'proposed',
  );
  expect(await money.refundsOf(no)).toHaveLength(1);
});

test('a resolution that moves more than its refund needs two keys', async () => {
  const no = await someOrder(world.sql, { status: 'fulfilled' });
  const refundNo = await someRefund(world.sql, no, { status: 'closed', amountFen: 20 });
  const word = { event: 'succeeded', refundId: '9', nextQueryAt: null, evidence: {} } as const;
  await world.database.refunds.recordReport(refundNo, word, null, Date.now());
  expect(await money.resolves(no, 'reconciliation', 'refund', { limitFen: LIMIT_FEN })).toBe(
    'proposed',
  );
  expect(await money.refundsOf(no)).toHaveLength(1);
});

test('more than one key approved is not carried out: the intervention stays open', async () => {
  const { no, refundNo } = await failedEffect(250);
  const { rows } = await world.sql.query<{ id: string }>(
    `SELECT id FROM interventions WHERE out_trade_no = $1`,
    [no],
  );
  const submitted = await world.database.resolutions.submit({
    to: { interventionId: rows[0]?.id ?? '' },
    action: 'refund',
    note: 'x',
    params: {},
    actor: { name: 'ops', role: 'operator' },
    approves: null,
    nowMs: Date.now(),
  });
  if (submitted.kind !== 'approved') throw new Error(submitted.kind);
  // No worker runs, and WeChat's word comes before the answer's turn.
  await closes(no, refundNo, 250);
  const state = await world.database.resolutions.state(submitted.resolutionId);
  expect(state).toMatchObject({ status: 'refused', refusalCode: 'AMOUNT_CHANGED' });
  expect(await money.openReasons(no)).toEqual(['effect_failed', 'refund_closed']);
  expect(await money.refundsOf(no)).toHaveLength(1);
});

test.each([['with a key'], ['by hand in Web UI, and taken over by a key']])(
  'a resolution above the limit, proposed %s: the same key never approves it',
  async (how) => {
    const { no } = await failedEffect(100);
    const refund = (name: string) =>
      money.resolves(no, 'effect_failed', 'refund', {
        limitFen: LIMIT_FEN,
        actor: { name, role: 'operator' },
      });
    if (how !== 'with a key') {
      const { rows } = await world.sql.query<{ id: string }>(
        `SELECT id FROM interventions WHERE out_trade_no = $1`,
        [no],
      );
      const proposal = { interventionId: rows[0]?.id ?? '', action: 'refund', note: 'x' } as const;
      expect(await world.database.resolutions.propose(no, proposal, Date.now())).toBe(true);
    }
    for (let click = 0; click < 3; click += 1) expect(await refund('one')).toBe('proposed');
    expect(await money.refundsOf(no)).toHaveLength(1);
    expect(await refund('two')).toBe('done');
    expect(await money.refundsOf(no)).toMatchObject([{ amount_fen: 100 }, { amount_fen: 200 }]);
    const { rows } = await world.sql.query(
      `SELECT proposed_by, approved_by FROM intervention_resolutions WHERE out_trade_no = $1`,
      [no],
    );
    expect(rows).toEqual([{ proposed_by: 'one', approved_by: 'two' }]);
  },
);

describe('a resolution that moves money although its reason is not about money', () => {
  /** A second payment of which somebody else gave back a part. */
  async function halfGivenBack(): Promise<string> {
    const no = await someOrder(world.sql, { status: 'fulfilled' });
    const transactionId = `second-${no}`;
    await money.pays(no, { transactionId, tradeState: 'REFUND' });
    await money.refunds(no, { transactionId, refundFen: 50 });
    expect(await money.openReasons(no)).toEqual(['surplus_payment']);
    return no;
  }

  test('needs two keys above the limit', async () => {
    const no = await halfGivenBack();
    expect(await money.resolves(no, 'surplus_payment', 'retry', { limitFen: LIMIT_FEN })).toBe(
      'proposed',
    );
    expect(await money.refundsOf(no)).toHaveLength(1);
  });

  test('needs one up to the limit', async () => {
    const no = await halfGivenBack();
    expect(await money.resolves(no, 'surplus_payment', 'retry', { limitFen: 250 })).toBe('done');
    expect(await money.refundsOf(no)).toMatchObject([{ amount_fen: 50 }, { amount_fen: 250 }]);
  });

  test('moves nothing in a call that resolves many', async () => {
    const no = await halfGivenBack();
    const many = { reason: 'surplus_payment', action: 'retry', note: 'x' } as const;
    const by = { since: null, dryRun: false, actor: { name: 'ops', role: 'operator' } };
    await world.database.resolutions.submitMany({ ...many, ...by, nowMs: Date.now() });
    await money.again(no);
    expect(await money.openReasons(no)).toEqual(['surplus_payment']);
    expect(await money.refundsOf(no)).toHaveLength(1);
  });
});

/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// An approved resolution is carried out once, and ends its intervention in the same transaction.
import { createTestMoney, type TestMoney } from '../support/money';
import { someOrder } from '../support/patrol';
import { startTestSharing, type TestSharing } from '../support/sharing';

let world: TestSharing;
let money: TestMoney;
beforeAll(async () => {
  world = await startTestSharing();
  money = createTestMoney(world);
});
afterAll(() => world.end());

/** A payment of another amount, whose intervention has an approved resolution with this action. */
async function approved(action: string): Promise<string> {
  const no = await someOrder(world.sql, { status: 'awaiting_payment' });
  await money.pays(no, { totalFen: 200 });
  await world.sql.query(
    `INSERT INTO intervention_resolutions (id, intervention_id, out_trade_no, action, params_hash,
       note, status, proposed_by, proposed_at, approved_by, approved_at, approved_fen)
     SELECT gen_random_uuid(), id, out_trade_no, $2, 'h', 'x', 'approved', 'ops', now(), 'ops',
        now(),
       100000 FROM interventions WHERE out_trade_no = $1 AND status = 'open'`,
    [no, action],
  );
  return no;
}

async function standing(no: string): Promise<object | undefined> {
  const { rows } = await world.sql.query<object>(
    `SELECT r.status AS given, r.refusal_code AS refusal, i.status, i.resolution
     FROM intervention_resolutions r JOIN interventions i ON i.id = r.intervention_id
     WHERE r.out_trade_no = $1`,
    [no],
  );
  return rows[0];
}

test('an approved resolution is carried out and ends its intervention', async () => {
  const no = await approved('accept');
  await money.again(no);
  expect(await standing(no)).toEqual({
    given: 'done',
    refusal: null,
    status: 'resolved',
    resolution: 'accept',
  });
  expect(await money.statusOf(no)).toBe('paid');
});

test('two workers at the same moment carry a resolution out once', async () => {
  const no = await approved('refund');
  await Promise.all([money.again(no), money.again(no)]);
  expect(await standing(no)).toMatchObject({ given: 'done', status: 'resolved' });
  expect(await money.refundsOf(no)).toMatchObject([{ amount_fen: 200 }]);
});

test('a resolution that is not possible any more is refused; its case stays open', async () => {
  const no = await approved('accept');
  await world.sql.query('UPDATE payment_transactions SET held_fen = 200 WHERE out_trade_no = $1', [
    no,
  ]);
  await money.again(no);
  expect(await standing(no)).toMatchObject({
    given: 'refused',
    refusal: 'REFUND_RESERVED',
    status: 'open',
  });
  expect(await money.statusOf(no)).toBe('awaiting_payment');
});

test('a resolution whose intervention ended before is refused as MOOT', async () => {
  const no = await approved('accept');
  await world.sql.query(
    `UPDATE interventions SET status = 'resolved', resolution = 'moot', resolved_at = now()
     WHERE out_trade_no = $1`,
    [no],
  );
  await money.again(no);
  expect(await standing(no)).toMatchObject({ given: 'refused', refusal: 'MOOT' });
  expect(await money.statusOf(no)).toBe('awaiting_payment');
});

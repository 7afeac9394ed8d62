/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Requests of callers that need a value which no encryption key decrypts: nothing is done.
import { randomBytes } from 'node:crypto';
import type { Database } from '../../../database/database';
import type { RefundRequestResult } from '../../../database/refunds/request-refund';
import { fen } from '../../../domain/money';
import { openDatabase } from '../support/built';
import { someOrder } from '../support/patrol';
import { secrets } from '../support/secrets';
import { receiver, startTestSharing, type TestSharing } from '../support/sharing';
import { admin, putAlone, putSetting } from '../support/two-persons';

const UNREADABLE = { name: 'UnreadableValueError', why: 'no_key', keyId: 'k1' };

let world: TestSharing;
/** A process whose ring lacks the key that wrote all rows. */
let keyless: Database;
const logged: unknown[] = [];
beforeAll(async () => {
  world = await startTestSharing();
  await putSetting(world.database, 'sharing_receivers', 'known');
  keyless = openDatabase({
    url: world.url,
    ...secrets,
    encryptionKeys: [{ id: 'k2', key: randomBytes(32) }],
    webhooks: false,
    logUnreadable: (ids) => logged.push(ids),
  });
});
afterAll(async () => {
  await keyless.end();
  await world.end();
});
beforeEach(() => {
  logged.length = 0;
});

function refund(database: Database, no: string, name: string, approves: string | null = null) {
  const options = { reason: null, restock: false, revokeCodes: false, outRefundNo: null };
  const body = { amount: 200 };
  const guard = { client: name, route: 'POST refunds', key: `key-of-${no}`, body: '{}' };
  return database.refundRequests.request(
    { outTradeNo: no, amountFen: fen(200), ...options },
    {
      actor: { name, role: 'operator', operator: null },
      guard: approves === null ? guard : null,
      approves,
      body,
    },
    Date.now(),
  );
}

const proposalOf = (result: RefundRequestResult) => {
  if (result.kind !== 'proposed') throw new Error(`It is ${result.kind}`);
  return result.proposal;
};

test('a proposal without its key is not carried out; with the key it is', async () => {
  await world.sql.query(
    `INSERT INTO runtime_settings (name, value, updated_by)
     VALUES ('two_person_fen', '100', 'test')`,
  );
  const no = await someOrder(world.sql);
  const { id } = proposalOf(await refund(world.database, no, 'first'));
  await expect(keyless.proposals.bodyOf(id)).rejects.toMatchObject(UNREADABLE);
  await expect(refund(keyless, no, 'second')).rejects.toMatchObject(UNREADABLE);
  const { rows } = await world.sql.query(
    `SELECT (SELECT count(*)::int FROM refunds WHERE out_trade_no = $1) AS refunds,
       (SELECT status FROM proposals WHERE id = $2) AS proposal`,
    [no, id],
  );
  expect(rows).toEqual([{ refunds: 0, proposal: 'open' }]);
  expect(await refund(world.database, no, 'second')).toMatchObject({ kind: 'reserved' });
});

test('a resolution without its params is not approved', async () => {
  const no = await someOrder(world.sql);
  const { rows } = await world.sql.query<{ id: string }>(
    `WITH i AS (INSERT INTO interventions (id, out_trade_no, order_no, reason, subject, evidence)
       VALUES (gen_random_uuid(), $1, $1, 'refund_abnormal', 'x', '{}') RETURNING id)
     INSERT INTO intervention_resolutions (id, intervention_id, out_trade_no, action, params_hash,
       params_encrypted, note, status, proposed_by, proposed_at)
     SELECT gen_random_uuid(), id, $1, 'to_user', 'h', 'v1.k1.AAAA', 'x', 'proposed', 'ops', now()
     FROM i RETURNING id::text`,
    [no],
  );
  await expect(keyless.resolutions.findProposed(rows[0]?.id ?? '')).rejects.toMatchObject(
    UNREADABLE,
  );
});

test('a proposed setting without its key changes nothing', async () => {
  const change = { value: 40, actor: admin('first') };
  const proposed = await putAlone(world.database, 'sharing_ratio', change);
  expect(proposed.kind).toBe('proposed');
  const second = { value: 40, actor: admin('second') };
  await expect(putAlone(keyless, 'sharing_ratio', second)).rejects.toMatchObject(UNREADABLE);
  expect(await putAlone(world.database, 'sharing_ratio', second)).toMatchObject({ kind: 'ok' });
});

/** Makes a receiver known, as two admins do. @returns its id */
async function add(account: string, name: string | null): Promise<string> {
  const { type } = receiver(1, account);
  const added = { type, account, name, relationType: null };
  for (const by of ['first', 'second']) {
    const submission = { actor: admin(by), approves: null };
    const result = await world.database.receivers.add(added, submission, Date.now());
    if ('receiver' in result) return result.receiver.id;
  }
  throw new Error('It is not known');
}

test('known receivers without their key are one case; they can be removed', async () => {
  const ids = [await add('1900000201', null), await add('o-unreadable', null)];
  const list = await keyless.receivers.list({ after: null, limit: 200 });
  expect(list.map(({ account }) => account)).toEqual(list.map(() => null));
  await keyless.unreadable.settled();
  expect(await world.openInterventions('receivers')).toEqual([
    { reason: 'invariant', subject: 'unreadable_value:known_receivers.account', amount_fen: null },
  ]);
  expect(logged).toHaveLength(1);
  expect(await keyless.receivers.remove(ids[1] ?? '', admin('first'), Date.now())).toBe(true);
});

test('a sharing needs the key of a known name only where it names none', async () => {
  await add('1900000202', 'A Shop');
  const submission = { actor: { name: 'shop', role: 'merchant' }, approves: null, body: {} };
  const share = async (outOrderNo: string, name: string | null) => {
    const request = {
      outTradeNo: await world.paidOrder(),
      receivers: [{ ...receiver(10, '1900000202'), name }],
      number: { kind: 'given', outOrderNo } as const,
      guard: null,
      unfreezeRest: false,
    };
    return keyless.sharings.request(request, submission, Date.now());
  };
  await expect(share('s-none', null)).rejects.toMatchObject(UNREADABLE);
  expect(await share('s-named', 'A Shop')).toMatchObject({ kind: 'created' });
});

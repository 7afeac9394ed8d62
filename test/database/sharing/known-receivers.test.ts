/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// With which receivers a payment may be shared.
import type { AddedReceiver } from '../../../database/sharing/keep-known-receivers';
import { admin, byTwo, putSetting } from '../support/two-persons';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../../config/paths';
import type { RequestedReceiver } from '../../../database/sharing/request-sharing';
import {
  numbered,
  receiver,
  reported,
  startTestSharing,
  type TestSharing,
} from '../support/sharing';

const ADMIN = { name: 'boss', role: 'admin' };

let sharing: TestSharing;
beforeAll(async () => {
  sharing = await startTestSharing();
  await putSetting(sharing.database, 'sharing_receivers', 'known');
});
afterAll(() => sharing.end());

const addAs = (name: string, added: AddedReceiver) =>
  sharing.database.receivers.add(added, { actor: admin(name), approves: null }, Date.now());
/** Adds a receiver as two persons where it is new. */
const add = async (
  account: string,
  more: Partial<Pick<RequestedReceiver, 'name' | 'relationType'>> = {},
) => {
  const { type } = receiver(1, account);
  const added = { type, account, name: null, relationType: null, ...more };
  const result = await byTwo((name) => addAs(name, added));
  if (!('receiver' in result)) throw new Error(`It is ${result.kind}`);
  return result;
};
const list = () => sharing.database.receivers.list({ after: null, limit: 200 });
const accounts = async () => (await list()).map(({ account }) => account);
const remove = (id: string) => sharing.database.receivers.remove(id, ADMIN, Date.now());

/** A sharing with this receiver, of which WeChat reports this result. @returns the order */
async function sharedWith(account: string, result: 'SUCCESS' | 'CLOSED'): Promise<string> {
  const no = await sharing.paidOrder();
  const outOrderNo = await sharing.shared(no, [receiver(10, account)]);
  await sharing.report(outOrderNo, true, [reported(10, result, account)]);
  return no;
}

describe('a sharing with a receiver that is not known', () => {
  test('is refused with the place of each such receiver, and holds nothing', async () => {
    const no = await sharing.paidOrder();
    await add('1900000001');
    const receivers = ['1900000001', 'o-nobody', '1900000002'].map((one) => receiver(5, one));
    expect(await sharing.request(no, receivers)).toMatchObject({
      kind: 'refused',
      code: 'RECEIVER_UNKNOWN',
      extra: {
        errors: [
          { field: 'receivers[1].account', message: 'is not a known receiver' },
          { field: 'receivers[2].account', message: 'is not a known receiver' },
        ],
      },
    });
    expect(await sharing.money(no)).toEqual({ held: 0, shared: 0, refunded: 0 });
  });

  test('is taken once an admin has added it', async () => {
    const no = await sharing.paidOrder();
    expect(await sharing.request(no, [receiver(10, 'o-new')])).toMatchObject({ kind: 'refused' });
    expect(await add('o-new')).toMatchObject({ kind: 'created' });
    expect(await sharing.request(no, [receiver(10, 'o-new')])).toMatchObject({ kind: 'created' });
  });

  test('is refused where only the same account of the other type is known', async () => {
    await add('1900000003');
    const person = { ...receiver(10, '1900000003'), type: 'PERSONAL_OPENID' } as const;
    const refused = await sharing.request(await sharing.paidOrder(), [person]);
    expect(refused).toMatchObject({ code: 'RECEIVER_UNKNOWN' });
  });
});

test('ten admins who add one account at once make one receiver', async () => {
  const replies = await Promise.all(Array.from({ length: 10 }, () => add('o-at-once')));
  expect(replies.filter(({ kind }) => kind === 'created')).toHaveLength(1);
  expect(new Set(replies.map(({ receiver: { id } }) => id)).size).toBe(1);
});

test('account and name are stored encrypted, and the audit log has them masked', async () => {
  await add('oUpF8uMuAJO_M2pxb1Q9zNjWeS6o', { name: '张三丰' });
  const { rows } = await sharing.sql.query<{ text: string }>(
    `SELECT row_to_json(r)::text AS text FROM known_receivers r
     UNION ALL SELECT details::text FROM audit_log`,
  );
  const texts = rows.map(({ text }) => text).join('\n');
  expect(texts).not.toMatch(/oUpF8uMuAJO|张三丰/);
  expect(texts).toContain('oUpF***eS6o');
});

describe('a receiver that WeChat has paid a share', () => {
  test('is known from then on, with the name that it had', async () => {
    await add('o-paid', { name: '李四' });
    await sharedWith('o-paid', 'SUCCESS');
    const { id } = (await list()).find(({ account }) => account === 'o-paid') ?? { id: '' };
    expect(await accounts()).toContain('o-paid');
    // As if no admin had added it: then the row refers to the share.
    await sharing.sql.query(`DELETE FROM known_receivers WHERE id = $1`, [id]);
    await sharing.sql.query(`UPDATE profit_sharing_receivers SET result = 'PENDING'`);
    await sharing.sql.query(`UPDATE profit_sharing_receivers SET result = 'SUCCESS'`);
    const plain = { ...receiver(10, 'o-paid'), relationType: null };
    const outOrderNo = await sharing.shared(await sharing.paidOrder(), [plain]);
    expect(await sharing.turn(outOrderNo)).toMatchObject({
      receiver: { name: '李四', relationType: 'PARTNER' },
    });
  });

  test('is known after the upgrade, also when it was paid before', async () => {
    await add('o-before');
    await sharedWith('o-before', 'SUCCESS');
    const before = (await accounts()).length;
    await sharing.sql.query(`DELETE FROM known_receivers`);
    const file = join(packageRoot(), 'prisma/migrations/0015_known_receivers/migration.sql');
    const [, fill = ''] = readFileSync(file, 'utf8').split(/^(?=INSERT INTO "known_receivers")/m);
    await sharing.sql.query(fill);
    const after = await accounts();
    expect(after).toContain('o-before');
    expect(after.length).toBeLessThan(before);
  });

  test('is not known when WeChat closed its share', async () => {
    await allowAny('any');
    await sharedWith('o-closed', 'CLOSED');
    await sharedWith('o-from-any', 'SUCCESS');
    await allowAny('known');
    const known = await accounts();
    expect([known.includes('o-closed'), known.includes('o-from-any')]).toEqual([false, true]);
  });

  async function allowAny(value: 'any' | 'known'): Promise<void> {
    await putSetting(sharing.database, 'sharing_receivers', value);
  }
});

describe('a receiver that an admin removed', () => {
  test('is not known; a share that WeChat pays it later does not change that', async () => {
    const { receiver: added } = await add('o-removed');
    const no = await sharing.paidOrder();
    const outOrderNo = await sharing.shared(no, [receiver(10, 'o-removed')]);
    expect(await remove(added.id)).toBe(true);
    expect(await remove(added.id)).toBe(true);
    await sharing.report(outOrderNo, true, [reported(10, 'SUCCESS', 'o-removed')]);
    expect(await accounts()).not.toContain('o-removed');
    const refused = await sharing.request(no, [receiver(10, 'o-removed')]);
    expect(refused).toMatchObject({ code: 'RECEIVER_UNKNOWN' });
  });

  test('leaves the sharings that were requested before: a repeat is still a repeat', async () => {
    const { receiver: added } = await add('o-removed-later');
    const no = await sharing.paidOrder();
    const number = numbered('before-the-removal');
    await sharing.shared(no, [receiver(10, 'o-removed-later')], { number });
    await remove(added.id);
    const again = await sharing.request(no, [receiver(10, 'o-removed-later')], { number });
    expect(again).toMatchObject({ kind: 'repeated' });
  });

  test('is known again once it is added again', async () => {
    const { receiver: added } = await add('o-back');
    await remove(added.id);
    expect(await add('o-back')).toMatchObject({ kind: 'created', receiver: { id: added.id } });
    expect(await add('o-back')).toMatchObject({ kind: 'known' });
    const { rows } = await sharing.sql.query<{ action: string }>(
      `SELECT action FROM audit_log WHERE subject = $1 ORDER BY id`,
      [added.id],
    );
    const actions = rows.map(({ action }) => action);
    expect(actions).toEqual(['receiver.add', 'receiver.remove', 'receiver.add']);
  });

  test('an id that no receiver has is not found', async () => {
    expect(await remove('01890a5d-ac96-774b-bcce-b302099a8057')).toBe(false);
  });
});

test('a sharing that names no name and no relation has those of the known receiver', async () => {
  await add('1900000004', { name: '示例商户', relationType: 'SUPPLIER' });
  const plain = { ...receiver(10, '1900000004'), relationType: null };
  const sent = async (one: RequestedReceiver) => {
    const outOrderNo = await sharing.shared(await sharing.paidOrder(), [one]);
    const turn = await sharing.turn(outOrderNo);
    return turn.kind === 'register' ? [turn.receiver.name, turn.receiver.relationType] : turn.kind;
  };
  expect(await sent(plain)).toEqual(['示例商户', 'SUPPLIER']);
  expect(await sent({ ...plain, name: 'Other', relationType: 'STORE' })).toEqual([
    'Other',
    'STORE',
  ]);
  await add('1900000005');
  expect(await sent({ ...plain, account: '1900000005' })).toEqual([null, 'PARTNER']);
});

test('shares of two orders with the same two new receivers cause no deadlock', async () => {
  const failures: unknown[] = [];
  for (let round = 0; round < 10; round += 1) {
    const [one, other] = [`1${round}01`, `1${round}02`];
    for (const account of [one, other]) await add(account);
    const both = [
      [one, other],
      [other, one],
    ];
    const numbers = await Promise.all(
      both.map(async (pair) => {
        const receivers = pair.map((account) => receiver(5, account));
        return sharing.shared(await sharing.paidOrder(), receivers);
      }),
    );
    await sharing.sql.query(`DELETE FROM known_receivers WHERE account_encrypted IS NOT NULL`);
    const reports = both.map((pair) => pair.map((account) => reported(5, 'SUCCESS', account)));
    const done = await Promise.allSettled(
      numbers.map((outOrderNo, index) => sharing.report(outOrderNo, true, reports[index] ?? [])),
    );
    for (const result of done) if (result.status === 'rejected') failures.push(result.reason);
  }
  expect(failures).toEqual([]);
});

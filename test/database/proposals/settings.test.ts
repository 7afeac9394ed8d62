/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// A setting that changed between its proposal and its approval.
import type { SettingChange } from '../../../database/settings/change-setting';
import { startTestSharing, type TestSharing } from '../support/sharing';
import { admin, putAlone } from '../support/two-persons';

let world: TestSharing;
beforeAll(async () => {
  world = await startTestSharing();
});
afterAll(() => world.end());
afterEach(() => world.sql.query(`TRUNCATE proposals; DELETE FROM runtime_settings`));

/** Requests a ratio; with `version`, that of the setting which the caller has read. */
const put = (
  value: number,
  by: string,
  more: { readonly version?: number; readonly approves?: string } = {},
): Promise<SettingChange> => {
  const { version = null, approves = null } = more;
  const read = version === null ? {} : { version };
  const body = { value: `${value}%`, ...read };
  const change = { value, actor: admin(by), approves, body, expectedVersion: version };
  return putAlone(world.database, 'sharing_ratio', change);
};

const proposalOf = (change: SettingChange): string => {
  if (change.kind !== 'proposed') throw new Error(`It is ${change.kind}`);
  return change.proposal.id;
};
const ratio = async () => (await world.database.settings.read()).sharing_ratio;

test('a proposal for a version that is gone is not approved, and stays open', async () => {
  const first = await put(20, 'first');
  if (first.kind !== 'ok') throw new Error(first.kind);
  const { version } = first.setting;
  const approves = proposalOf(await put(40, 'first', { version }));
  expect(await put(10, 'third')).toMatchObject({ kind: 'ok' });
  const conflict = { kind: 'version_conflict', version: version + 1 };
  expect(await put(40, 'second', { version, approves })).toEqual(conflict);
  expect(await put(40, 'second')).toEqual(conflict);
  expect(await ratio()).toBe(10);
  const { rows } = await world.sql.query('SELECT status FROM proposals WHERE id = $1', [approves]);
  expect(rows).toEqual([{ status: 'open' }]);
});

test('a proposal that names no version replaces whichever value is there', async () => {
  const approves = proposalOf(await put(40, 'first'));
  expect(await put(10, 'third')).toMatchObject({ kind: 'ok' });
  expect(await put(40, 'second', { approves })).toMatchObject({ kind: 'ok' });
  expect(await ratio()).toBe(40);
});

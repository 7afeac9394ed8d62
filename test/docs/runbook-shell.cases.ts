// Runs the shell lines of the operators' pages against a real Oncepay.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { INTERVENTION_REASONS, INTERVENTIONS } from '../../domain/interventions/reasons';
import { sharingOf, untilSharing } from '../e2e/support/sharing';
import type { TestOncepay } from '../support/oncepay';
import { sharedOncepay } from '../support/share-oncepay';
import { readPage, shellOf, shellOfChapter } from './support/pages';

const runbook = readPage('docs/operate/runbook.md');
const moneyByHand = readPage('docs/operate/money-by-hand.md');
const resolving = readPage('docs/operate/resolve-interventions.md');

/** An intervention that does not exist. */
const NO_INTERVENTION = '01a210ff-7d42-7000-abfa-ab0d2c2fac8d';

let oncepay: TestOncepay;
beforeAll(() => {
  oncepay = sharedOncepay();
});

/** Runs lines of a page after the runbook's own set-up. @returns the replies, one JSON each */
async function run(lines: string, no: string): Promise<unknown[]> {
  const fill = (text: string) =>
    text
      .replace(/^API=\S+/m, `API=${oncepay.apiUrl}`)
      .replace(/^KEY=…/m, `KEY=${oncepay.keys.admin}`)
      .replace(/^ID=…/m, `ID=${NO_INTERVENTION}`)
      .replaceAll(/^NO=…/gm, `NO=${no}`)
      .replaceAll(/^([A-Z_]+)=…/gm, '$1=none');
  const script = `${shellOfChapter(runbook, 'Set up your shell')}\n${lines}`;
  const { stdout } = await promisify(execFile)('bash', ['-euc', fill(script)]);
  return stdout.split(/(?<=\})(?=\{)/).map((text): unknown => JSON.parse(text));
}

test('money is refunded and shared by hand with the lines of money-by-hand.md', async () => {
  const no = await oncepay.newOrder({
    profit_sharing: true,
    items: [{ sku: 'coat', quantity: 1, unit_price: 10_000 }],
    amount: { total: 10_000, currency: 'CNY' },
  });
  await oncepay.simulator.pay({ outTradeNo: no });
  const { transaction_id: transactionId } = await oncepay.untilStatus(no, 'fulfilled');
  const restAtDeadline = `op_rest_${transactionId}`;
  expect(await sharingOf(oncepay, no, restAtDeadline)).toMatchObject({ origin: 'deadline' });

  const replies = await run(shellOf(moneyByHand), no);
  const numbers = ['desk-4711', 'desk-4711', 'desk-4712', 'desk-4712', 'desk-4713'];
  expect(replies).toEqual(
    numbers.map((number): unknown =>
      expect.objectContaining(
        number === 'desk-4711' ? { out_refund_no: number } : { out_order_no: number },
      ),
    ),
  );
  await oncepay.untilOrder(no, 'the refund is back', ({ amount }) => amount.refunded === 2_000);
  await untilSharing(oncepay, no, 'desk-4712', 'finished');
  await untilSharing(oncepay, no, 'desk-4713', 'finished', 30_000);
  expect(oncepay.simulator.balanceOf(no)).toMatchObject({ sharedFen: 80, frozenFen: 0 });
});

const missing = expect.objectContaining({ code: 'NOT_FOUND' }) as unknown;

test('resolve passes an action with and without params through the shell as it is', async () => {
  const params = `'{"bank_type":"ICBC_DEBIT","bank_account":"6222","real_name":"张三"}'`;
  const lines = [`resolve "$ID" retry "mended"`, `resolve "$ID" to_user "by phone" ${params}`];
  expect(await run(lines.join('\n'), '')).toEqual([missing, missing]);
});

test('the example of resolve-interventions.md is a call that the api reads', async () => {
  expect(await run(shellOfChapter(resolving, 'Resolve one'), '')).toEqual([missing]);
});

test('every command of every reason page is a call that the api reads', async () => {
  const no = await oncepay.newOrder();
  for (const reason of INTERVENTION_REASONS) {
    const lines = shellOf(readPage(`docs/operate/reasons/${reason}.md`));
    const replies = await run(lines, no);
    const refused = replies.filter(
      (reply) => (reply as { code?: string }).code === 'VALIDATION_ERROR',
    );
    expect([reason, refused]).toEqual([reason, []]);
    const calls = lines.split('\n').filter((line) => /^(resolve|read_|post_|many) /.test(line));
    expect([reason, replies.length]).toEqual([reason, calls.length]);
    // The intervention does not exist; everything else about the call is right.
    const actions = INTERVENTIONS[reason].length;
    expect([reason, replies.slice(-actions)]).toEqual([reason, Array(actions).fill(missing)]);
  }
});

test('many are counted and resolved with the lines of resolve-interventions.md', async () => {
  const lines = shellOfChapter(resolving, 'Resolve many at once').trim();
  expect(lines.split('\n')).toHaveLength(2);
  expect(await run(lines, '')).toEqual([
    { count: 0, answered: 0, under_way: 0, dry_run: true },
    { count: 0, answered: 0, under_way: 0, dry_run: false },
  ]);
});

test('policies and settings are read and changed with the lines of their pages', async () => {
  // The change of a policy sends back what was read; it is done in a folder of its own.
  const policies = shellOf(readPage('docs/operate/retry-policies.md'));
  const inFolder = `cd "$(mktemp -d)"\n${policies}`;
  expect(await run(inFolder, '')).toEqual([
    expect.objectContaining({ data: expect.any(Array) as unknown }),
    expect.objectContaining({ operation: 'wechat.refund' }),
  ]);
  const settings = shellOf(readPage('docs/operate/runtime-settings.md'));
  expect(await run(settings, '')).toEqual([
    expect.objectContaining({ data: expect.any(Array) as unknown }),
    // Two persons change this one: the page's line proposes it.
    {
      proposal: expect.objectContaining({ action: 'setting', subject: 'late_payment' }) as unknown,
    },
  ]);
});

test('the last reports of the patrol are read with the line of patrol-reports.md', async () => {
  const lines = shellOf(readPage('docs/operate/patrol-reports.md'));
  expect(await run(lines, '')).toEqual([
    expect.objectContaining({ data: expect.any(Array) as unknown }),
  ]);
});

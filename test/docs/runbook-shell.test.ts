import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../config/paths';
import { SHARING_ENV, sharingOf, untilSharing } from '../e2e/support/sharing';
import { startTestOncepay, type TestOncepay } from '../support/oncepay';

const page = readFileSync(join(packageRoot(), 'docs', 'runbook.md'), 'utf8');

/** The shell that stands in a chapter of docs/runbook.md. */
function shellOf(heading: string): string {
  const start = page.indexOf(`\n## ${heading}\n`);
  if (start < 0) throw new Error(`no chapter ${heading}`);
  const end = page.indexOf('\n## ', start + 1);
  const blocks = page.slice(start, end).matchAll(/```sh\n([^]*?)```/g);
  return [...blocks].map(([, text = '']) => text).join('\n');
}

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = await startTestOncepay({ env: SHARING_ENV });
  oncepay.simulator.setSharingRules({ shareableAfterMs: 0 });
});
afterAll(() => oncepay.stop());

/** Runs lines of the page after its own set-up. @returns the answers, one JSON each */
async function run(lines: string, no: string): Promise<unknown[]> {
  const fill = (text: string) =>
    text
      .replace(/^API=\S+/m, `API=${oncepay.apiUrl}`)
      .replace(/^KEY=…/m, `KEY=${oncepay.keys.admin}`)
      .replace(/^NO=…/m, `NO=${no}`);
  const script = `${shellOf('Set up your shell')}\n${lines}`;
  const { stdout } = await promisify(execFile)('bash', ['-euc', fill(script)]);
  return stdout.split(/(?<=\})(?=\{)/).map((text): unknown => JSON.parse(text));
}

test('money is given back and shared by hand with the lines of docs/runbook.md', async () => {
  const no = await oncepay.newOrder({
    profit_sharing: true,
    items: [{ sku: 'coat', quantity: 1, unit_price: 10_000 }],
    amount: { total: 10_000, currency: 'CNY' },
  });
  await oncepay.simulator.pay({ outTradeNo: no });
  const { transaction_id: transactionId } = await oncepay.untilStatus(no, 'fulfilled');
  const restAtDeadline = `op_rest_${transactionId}`;
  expect(await sharingOf(oncepay, no, restAtDeadline)).toMatchObject({ origin: 'deadline' });

  const answers = await run(shellOf('Money by hand'), no);
  const numbers = ['desk-4711', 'desk-4711', 'desk-4712', 'desk-4712', 'desk-4713'];
  expect(answers).toEqual(
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

test('an answer with and without params gets through the shell as it is', async () => {
  const id = '01a210ff-7d42-7000-abfa-ab0d2c2fac8d';
  const params = `'{"bank_type":"ICBC_DEBIT","bank_account":"6222","real_name":"张三"}'`;
  const lines = [`answer ${id} retry "mended"`, `answer ${id} to_user "by phone" ${params}`];
  const missing = expect.objectContaining({ code: 'NOT_FOUND' }) as unknown;
  expect(await run(lines.join('\n'), '')).toEqual([missing, missing]);
});

test('many are counted with the lines of docs/runbook.md', async () => {
  const many = shellOf('How to answer')
    .split('\n')
    .filter((line) => line.startsWith('many'));
  expect(many).toHaveLength(3);
  expect(await run(many.join('\n'), '')).toEqual([
    { count: 0, answered: 0, under_way: 0, dry_run: true },
    { count: 0, answered: 0, under_way: 0, dry_run: false },
  ]);
});

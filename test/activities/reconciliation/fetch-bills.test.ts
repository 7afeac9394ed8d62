// Each response of WeChat about a bill has its outcome: staged, tried again, or a person decides.
import { createHash } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createBillActivities } from '../../../activities/reconciliation/activities';
import type { FetchDeps } from '../../../activities/reconciliation/fetch-bills';
import type { RepairDeps } from '../../../activities/reconciliation/repair-differences';
import type { DayFailure } from '../../../database/reconciliation/days';
import type { ReadBill } from '../../../database/reconciliation/stage-lines';
import { billWaitsUntil, type BillDate } from '../../../domain/reconciliation/bill-days';
import { DEFAULT_POLICIES } from '../../../domain/retries/retry-policy';
import { OperationFailure } from '../../../activities/retries/failures';

type Client = FetchDeps['wechatpay'];
type Response = Awaited<ReturnType<Client['requestTradeBill']>>;
type Download = Awaited<ReturnType<Client['downloadBill']>>;

const QUIET = new DefaultLogger('ERROR', () => undefined);
const DAY = '2026-11-29' as BillDate;
const NOW_MS = Date.parse('2026-11-30T10:30:00+08:00');
const BILL = Buffer.from(
  [
    '交易时间,公众账号ID,商户号,微信订单号,商户订单号,交易类型,交易状态,货币种类,' +
      '应结订单金额,手续费,订单金额',
    '`2026-11-29 12:00:00,`a,`m,`4200,`NO-1,`NATIVE,`SUCCESS,`CNY,`3.00,`0.01800,`3.00',
    '总交易单数,应结订单总金额,手续费总金额,订单总金额',
    '`1,`3.00,`0.01800,`3.00',
    '',
  ].join('\r\n'),
);
const SHA1 = createHash('sha1').update(BILL).digest('hex');

async function* pieces(...all: readonly (Buffer | Error)[]): AsyncGenerator<Buffer> {
  for (const piece of all) {
    await Promise.resolve();
    if (piece instanceof Error) throw piece;
    yield piece;
  }
}

const stream = (...all: readonly (Buffer | Error)[]): Download => ({
  kind: 'stream',
  bytes: pieces(...all),
});
const ready = (sha1 = SHA1): Response => ({
  kind: 'ready',
  file: { sha1, downloadUrl: 'https://wechat.example/file?token=1' },
  requestId: null,
});
const refused = (wechatCode: string, code: 'WECHAT_REFUSED' | 'FREQUENCY_LIMITED') =>
  ({ kind: 'refused', status: 400, code, wechatCode, message: 'm', requestId: null }) as const;

/** Fetches the trade bill of a day once. */
function fetching(
  response: Response,
  download: Download = stream(BILL),
  { wrongHashes = 1, nowMs = NOW_MS } = {},
) {
  const failures: DayFailure[] = [];
  const staged: { lines: number; sha1: string | null }[] = [];
  const deps = {
    database: {
      reconciliations: {
        begin: () => Promise.resolve({ billDate: DAY, run: 1 }),
        countWrongHash: () => Promise.resolve(wrongHashes),
        fail: (_date: BillDate, failure: DayFailure) => {
          failures.push(failure);
          return Promise.resolve();
        },
        async stage(_date: BillDate, bill: ReadBill) {
          let lines = 0;
          for await (const batch of bill.batches) lines += batch.length;
          const end = bill.end();
          if (end) staged.push({ lines, sha1: end.sha1 });
          return end !== null;
        },
      },
    },
    wechatpay: {
      requestTradeBill: () => Promise.resolve(response),
      requestFundFlowBill: () => Promise.resolve(response),
      downloadBill: () => Promise.resolve(download),
    },
    merchantId: 'm',
    billPolicy: () => Promise.resolve(DEFAULT_POLICIES['wechat.bill']),
    now: () => nowMs,
  };
  const activities = createBillActivities(deps as unknown as FetchDeps & RepairDeps);
  const environment = new MockActivityEnvironment({}, { logger: QUIET });
  const fetch = () => environment.run(() => activities.fetchTradeBill(DAY));
  return { fetch, failures, staged };
}

test('a bill with the announced hash is staged', async () => {
  const { fetch, staged, failures } = fetching(ready());
  expect(await fetch()).toBe('staged');
  expect([staged, failures]).toEqual([[{ lines: 1, sha1: SHA1 }], []]);
});

test('a day without trades is staged without lines and without a bill', async () => {
  const { fetch, staged } = fetching({ kind: 'none' });
  expect(await fetch()).toBe('staged');
  expect(staged).toEqual([{ lines: 0, sha1: null }]);
});

test('a bill that WeChat is still making is requested again after half an hour', async () => {
  const { fetch, failures } = fetching({ kind: 'creating' });
  await expect(fetch()).rejects.toMatchObject({ type: 'NOT_YET', nextRetryDelay: 30 * 60_000 });
  expect(failures).toEqual([]);
});

test('at the end of the next day nobody waits for the bill any longer', async () => {
  const nowMs = billWaitsUntil(DAY);
  const { fetch, failures } = fetching({ kind: 'creating' }, stream(BILL), { nowMs });
  expect(await fetch()).toBe('failed');
  expect(failures).toMatchObject([{ evidence: { wechat_code: 'STATEMENT_CREATING' } }]);
});

test.each([
  ['no right to it', { ...refused('NO_AUTH', 'WECHAT_REFUSED'), kind: 'no_auth' } as const],
  ['a wrong request', refused('PARAM_ERROR', 'WECHAT_REFUSED')],
])('a bill that is refused (%s) fails the day at once', async (_title, response) => {
  const { fetch, failures } = fetching(response);
  expect(await fetch()).toBe('failed');
  expect(failures).toMatchObject([{ evidence: { message: 'm' } }]);
});

test.each<[string, Response, Download]>([
  ['too often', refused('FREQUENCY_LIMITED', 'FREQUENCY_LIMITED'), stream(BILL)],
  ['an expired URL', ready(), { kind: 'expired' }],
  ['a URL of another host', ready(), { kind: 'other_origin' }],
  ['a page of errors', ready(), stream(Buffer.from('<html>\n<body>'))],
])('%s is tried again, and fails the day when the attempts are spent', async (...row) => {
  const [, response, download] = row;
  const { fetch, failures } = fetching(response, download);
  const error = await fetch().then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OperationFailure)) throw error;
  const [failure] = error.failures;
  expect(failure).toMatchObject({ operation: 'wechat.bill', number: DAY });
  expect(failures).toEqual([]);
  await failure?.giveUp?.();
  expect(failures).toHaveLength(1);
});

test('a bill with another hash is requested anew, and the third one fails the day', async () => {
  const second = fetching(ready('0'.repeat(40)), stream(BILL), { wrongHashes: 2 });
  await expect(second.fetch()).rejects.toMatchObject({ type: 'NOT_YET' });
  expect([second.staged, second.failures]).toEqual([[], []]);
  const third = fetching(ready('0'.repeat(40)), stream(BILL), { wrongHashes: 3 });
  expect(await third.fetch()).toBe('failed');
  expect(third.staged).toEqual([]);
});

// The client and the reader against the simulator's bills, with each of its faults.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  createWechatPayClient,
  type WechatPayClient,
} from '../../../../providers/wechatpay/client';
import type { BillResponse } from '../../../../providers/wechatpay/bills/bill-calls';
import type { BillDownload } from '../../../../providers/wechatpay/bills/bill-download';
import { UnreadableBill } from '../../../../providers/wechatpay/bills/file-reader';
import { readFundFlowBill, readTradeBill } from '../../../../providers/wechatpay/bills/read-bill';
import { BrokenDownload } from '../../../../providers/wechatpay/transport/downloads';
import {
  at,
  BILL_DATE,
  control,
  MORNING_MS,
  paid,
  startWithClock,
  type BillFixture,
} from '../../../simulator/wechatpay/support/bills';
import { readAll } from './support/read-all';

let fixture: BillFixture;
let client: WechatPayClient;

function clientOf({ simulator, credentials, clock }: BillFixture): WechatPayClient {
  const key = simulator.publicKeyOf();
  return createWechatPayClient({
    baseUrl: simulator.url,
    merchantId: credentials.merchantId,
    appId: credentials.appId,
    merchantSerial: credentials.merchantSerial,
    merchantPrivateKey: createPrivateKey(credentials.merchantPrivateKeyPem),
    apiV3Keys: [Buffer.from(credentials.apiV3Key)],
    publicKey: key === null ? undefined : { id: key.id, key: createPublicKey(key.pem) },
    now: () => clock.nowMs,
  });
}

beforeAll(async () => {
  fixture = await startWithClock();
  client = clientOf(fixture);
});
afterAll(async () => {
  await client.end();
  await fixture.simulator.close();
});
beforeEach(() => {
  fixture.simulator.reset();
  fixture.clock.nowMs = MORNING_MS;
});

const request = () => ({
  merchantId: fixture.credentials.merchantId,
  billDate: BILL_DATE,
});
const play = async (kind: string, more: object = {}): Promise<void> => {
  expect(await control(fixture, 'bill-faults', { kind, ...more })).toMatchObject({ status: 200 });
};

function fileIn(response: BillResponse): { sha1: string; downloadUrl: string } {
  if (response.kind !== 'ready') throw new Error(`no file but ${response.kind}`);
  return response.file;
}
const downloadOf = (downloadUrl: string): Promise<BillDownload> =>
  client.downloadBill({ ...request(), downloadUrl });
function bytesOf(opened: BillDownload): AsyncIterable<Buffer> {
  if (opened.kind !== 'stream') throw new Error(`no stream but ${opened.kind}`);
  return opened.bytes;
}

/** Requests, downloads and reads the trade bill. */
async function readTrades() {
  const file = fileIn(await client.requestTradeBill(request()));
  const bill = await readAll(readTradeBill(bytesOf(await downloadOf(file.downloadUrl))));
  return { ...bill, isWhole: bill.end.sha1 === file.sha1 };
}

test('a bill is requested, downloaded packed, and read', async () => {
  const { outTradeNo, transactionId } = await paid(fixture, at('10:15:30'));
  const { lines, end, isWhole } = await readTrades();
  expect(isWhole).toBe(true);
  expect(lines).toMatchObject([{ kind: 'payment', outTradeNo, transactionId, orderFen: 1230 }]);
  expect(end).toMatchObject({ lines: 1, unreadable: 0, differences: [] });
  const file = fileIn(await client.requestFundFlowBill(request()));
  const flow = await readAll(readFundFlowBill(bytesOf(await downloadOf(file.downloadUrl))));
  const totals = { count: 2, inFen: 1230, outFen: 7 };
  expect(flow.end).toMatchObject({ sha1: file.sha1, totals });
});

describe('a fault of a request', () => {
  test('the fault creating is played so many times, and then the bill is ready', async () => {
    await paid(fixture, at('10:15:30'));
    await play('creating', { times: 2 });
    const kinds = [];
    for (let times = 0; times < 3; times++) {
      kinds.push((await client.requestTradeBill(request())).kind);
    }
    expect(kinds).toEqual(['creating', 'creating', 'ready']);
  });

  test('the fault no_auth and a day without trades have outcomes of their own', async () => {
    expect(await client.requestTradeBill(request())).toEqual({ kind: 'none' });
    await play('no_auth');
    expect(await client.requestTradeBill(request())).toMatchObject({ kind: 'no_auth' });
  });

  test('the fault wrong_hash makes a file that is not the one WeChat signed for', async () => {
    await paid(fixture, at('10:15:30'));
    await play('wrong_hash');
    expect((await readTrades()).isWhole).toBe(false);
    expect((await readTrades()).isWhole).toBe(true);
  });

  test('the fault other_origin makes a URL that gets no header', async () => {
    await paid(fixture, at('10:15:30'));
    await play('other_origin');
    const { downloadUrl } = fileIn(await client.requestTradeBill(request()));
    expect(downloadUrl).toContain('elsewhere.example');
    expect(await downloadOf(downloadUrl)).toEqual({ kind: 'other_origin' });
  });

  test('a fault of the fund-flow bill or of another day spares the trade bill', async () => {
    await paid(fixture, at('10:15:30'));
    await play('creating', { bill: 'fund_flow' });
    await play('creating', { bill_date: '2026-11-27' });
    expect(await client.requestTradeBill(request())).toMatchObject({ kind: 'ready' });
    expect(await client.requestFundFlowBill(request())).toEqual({ kind: 'creating' });
  });
});

describe('a fault of a download', () => {
  test('the fault cut breaks within the file, and the next one is whole', async () => {
    await paid(fixture, at('10:15:30'));
    await play('cut');
    await expect(readTrades()).rejects.toThrow(BrokenDownload);
    expect((await readTrades()).isWhole).toBe(true);
  });

  test('the fault expired is the end of a URL, and so are five minutes', async () => {
    await paid(fixture, at('10:15:30'));
    await play('expired');
    const { downloadUrl } = fileIn(await client.requestTradeBill(request()));
    expect(await downloadOf(downloadUrl)).toEqual({ kind: 'expired' });
    expect(await downloadOf(downloadUrl)).toMatchObject({ kind: 'stream' });
    fixture.clock.nowMs += 300_001;
    expect(await downloadOf(downloadUrl)).toEqual({ kind: 'expired' });
  });

  test('the fault html sends an error page, which is no bill', async () => {
    await paid(fixture, at('10:15:30'));
    await play('html');
    await expect(readTrades()).rejects.toThrow(UnreadableBill);
  });

  test('the fault plain sends a file that reads like a packed one', async () => {
    await paid(fixture, at('10:15:30'));
    await play('plain');
    expect(await readTrades()).toMatchObject({ isWhole: true, end: { lines: 1 } });
  });
});

describe('a fault of a file', () => {
  const SECOND = at('11:00:00');

  test('the fault missing_line leaves out an order’s line until the reset', async () => {
    const first = await paid(fixture, at('10:15:30'));
    const second = await paid(fixture, SECOND);
    await play('missing_line', { out_trade_no: second.outTradeNo });
    for (const _time of [1, 2]) {
      const { lines, end } = await readTrades();
      expect(lines).toMatchObject([{ outTradeNo: first.outTradeNo }]);
      expect(end.differences).toEqual([]);
    }
  });

  test('the fault missing_line makes an empty day where there is one line', async () => {
    await paid(fixture, at('10:15:30'));
    await play('missing_line', { times: 1 });
    expect(await client.requestTradeBill(request())).toEqual({ kind: 'none' });
    expect(await client.requestTradeBill(request())).toMatchObject({ kind: 'ready' });
  });

  test('the fault foreign_line adds a payment of another system to any day', async () => {
    await play('foreign_line', { total: 500 });
    const { lines, end, isWhole } = await readTrades();
    const outTradeNo = 'OTHER-SHOP-000001';
    expect(lines).toMatchObject([{ kind: 'payment', outTradeNo, orderFen: 500, currency: 'CNY' }]);
    expect([end.differences, isWhole]).toEqual([[], true]);
  });

  test('the fault changed_amount changes an amount, and the summary with it', async () => {
    const { outTradeNo } = await paid(fixture, at('10:15:30'));
    const refund = { outTradeNo, outRefundNo: 'changed-1', refundFen: 30 };
    fixture.simulator.refundElsewhere({ ...refund, requestedAt: SECOND });
    await play('changed_amount', { out_trade_no: outTradeNo });
    await play('changed_amount', { out_refund_no: 'changed-1', total: 99 });
    const { lines, end } = await readTrades();
    expect(lines).toHaveLength(2);
    expect(lines).toContainEqual(expect.objectContaining({ kind: 'payment', orderFen: 1231 }));
    expect(lines).toContainEqual(expect.objectContaining({ kind: 'refund', refundFen: 99 }));
    expect(end.differences).toEqual([]);
  });

  test('the fault changed_status changes the status in a refund’s line', async () => {
    const { outTradeNo } = await paid(fixture, at('10:15:30'));
    const refund = { outTradeNo, outRefundNo: 'changed-2', refundFen: 30 };
    fixture.simulator.refundElsewhere({ ...refund, requestedAt: SECOND });
    await play('changed_status', { out_refund_no: 'changed-2', status: 'PROCESSING' });
    const { lines } = await readTrades();
    expect(lines).toContainEqual(expect.objectContaining({ refundStatus: 'PROCESSING' }));
  });

  test('the fault duplicate_line writes the same line twice', async () => {
    const { transactionId } = await paid(fixture, at('10:15:30'));
    await play('duplicate_line');
    const { lines, end } = await readTrades();
    expect(lines).toMatchObject([{ transactionId }, { transactionId }]);
    expect(end.differences).toEqual([]);
  });

  test('the fault broken_line makes a line that can’t be read beside others that can', async () => {
    const { outTradeNo } = await paid(fixture, at('10:15:30'));
    await paid(fixture, SECOND);
    await play('broken_line', { out_trade_no: outTradeNo });
    const { lines, end } = await readTrades();
    expect(lines.map(({ kind }) => kind).toSorted()).toEqual(['payment', 'unreadable']);
    expect(end).toMatchObject({ lines: 2, unreadable: 1, differences: [] });
  });

  test('the fault wrong_summary contradicts the lines in each column', async () => {
    await paid(fixture, at('10:15:30'));
    await play('wrong_summary');
    const { end, isWhole } = await readTrades();
    expect(isWhole).toBe(true);
    expect(end.differences).toContainEqual({ column: 'count', summary: 2, lines: 1 });
    expect(end.differences).toContainEqual({ column: 'orderFen', summary: 1231, lines: 1230 });
    expect(end.differences).toHaveLength(7);
  });
});

describe('trades that Oncepay does not know', () => {
  test('a payment and a refund are planted by control calls, at a wished time', async () => {
    const outTradeNo = '2026112801000AB12CD345';
    const pay = { out_trade_no: outTradeNo, total: 500, force: true, callbacks: 0 };
    expect(await control(fixture, 'pay', { ...pay, success_time: at('09:00:00') })).toMatchObject({
      status: 200,
      json: { trade_state: 'SUCCESS', notification_id: null },
    });
    const refund = { out_trade_no: outTradeNo, refund_fen: 200, requested_at: at('10:00:00') };
    expect(await control(fixture, 'elsewhere-refund', refund)).toMatchObject({
      status: 200,
      json: { status: 'SUCCESS', refund_fen: 200 },
    });
    const { lines } = await readTrades();
    expect(lines).toHaveLength(2);
    expect(lines).toContainEqual(
      expect.objectContaining({ kind: 'payment', outTradeNo, tradedAt: at('09:00:00') }),
    );
    expect(lines).toContainEqual(
      expect.objectContaining({ kind: 'refund', outTradeNo, refundFen: 200 }),
    );
    const { merchantId } = request();
    expect(await client.query({ outTradeNo, merchantId })).toMatchObject({
      kind: 'ok',
      value: { notice: { tradeState: 'REFUND', totalFen: 500 } },
    });
    expect(
      await control(fixture, 'elsewhere-refund', { ...refund, refund_fen: 301 }),
    ).toMatchObject({ status: 409, json: { code: 'NOT_ENOUGH' } });
  });
});

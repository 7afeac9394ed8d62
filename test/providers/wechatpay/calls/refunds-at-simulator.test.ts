// The client's refund calls against the simulator.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  startReceiver,
  type CallbackReceiver,
} from '../../../simulator/wechatpay/support/callback-receiver';
import { start, type Fixture } from '../../../simulator/wechatpay/support/merchant-client';
import type { PlatformKeyMode } from '../../../../simulator/wechatpay/options';
import {
  createWechatPayClient,
  type WechatPayClient,
} from '../../../../providers/wechatpay/client';
import type {
  AbnormalRefundRequest,
  RefundRequest,
} from '../../../../providers/wechatpay/calls/refunds';

interface World extends Fixture {
  readonly client: WechatPayClient;
  readonly receiver: CallbackReceiver;
  close(): Promise<void>;
}

/** @param keyPem the key that the client takes for WeChat's; default the right one */
function clientOf({ simulator, credentials }: Fixture, keyPem?: string): WechatPayClient {
  const key = simulator.publicKeyOf();
  return createWechatPayClient({
    baseUrl: simulator.url,
    merchantId: credentials.merchantId,
    appId: credentials.appId,
    merchantSerial: credentials.merchantSerial,
    merchantPrivateKey: createPrivateKey(credentials.merchantPrivateKeyPem),
    apiV3Keys: [Buffer.from(credentials.apiV3Key)],
    publicKey: key === null ? undefined : { id: key.id, key: createPublicKey(keyPem ?? key.pem) },
    now: Date.now,
  });
}

async function startWorld(mode: PlatformKeyMode): Promise<World> {
  const fixture = await start(mode);
  const receiver = await startReceiver();
  const client = clientOf(fixture);
  return {
    ...fixture,
    client,
    receiver,
    close: async () => {
      await Promise.all([client.end(), fixture.simulator.close(), receiver.close()]);
    },
  };
}

const OUT_REFUND_NO = 'op_1|a*b@c';
let sequence = 0;

/** Makes an order, pays it, and requests a refund of a part of it. */
async function paidAt({ simulator, client, credentials, receiver }: World): Promise<RefundRequest> {
  const outTradeNo = `PAID-${String(++sequence).padStart(6, '0')}`;
  const { merchantId, appId } = credentials;
  const prepaid = await client.prepay({
    api: 'native',
    appId,
    merchantId,
    outTradeNo,
    description: '一斤茶',
    notifyUrl: receiver.url,
    timeExpire: new Date(Date.now() + 600_000).toISOString(),
    totalFen: 1230,
    currency: 'CNY',
    profitSharing: false,
  });
  expect(prepaid.kind).toBe('ok');
  const paid = await simulator.pay({ outTradeNo, callbacks: 0 });
  return {
    merchantId,
    transactionId: paid.transactionId ?? '',
    outRefundNo: OUT_REFUND_NO,
    reason: '不想要了',
    notifyUrl: receiver.url,
    refundFen: 30,
    totalFen: 1230,
    currency: 'CNY',
  };
}

function abnormal(request: RefundRequest, refundId: string): AbnormalRefundRequest {
  const { merchantId, outRefundNo } = request;
  const bankAccount = '6222020200112230';
  const to = {
    kind: 'user_bank_card',
    bankType: 'ICBC_DEBIT',
    bankAccount,
    realName: '王小明',
  } as const;
  return { merchantId, refundId, outRefundNo, to };
}

describe.each(['public_key', 'certificate'] as const)('the refund calls with a %s', (mode) => {
  let world: World;

  beforeAll(async () => {
    world = await startWorld(mode);
  });
  afterAll(() => world.close());
  beforeEach(() => {
    world.simulator.reset();
    world.receiver.received.length = 0;
  });

  test('a refund is requested, reported by a callback, and found by its number', async () => {
    const request = await paidAt(world);
    const asked = await world.client.refund(request);
    expect(asked).toMatchObject({
      kind: 'ok',
      value: { status: 'PROCESSING', transactionId: request.transactionId, refundFen: 30 },
    });
    await world.receiver.waitFor(1);
    const [callback] = world.receiver.received;
    const opened = await world.client.openCallback({
      headers: callback?.headers ?? {},
      rawBody: Buffer.from(callback?.body ?? ''),
      nowMs: Date.now(),
    });
    expect(opened).toMatchObject({
      kind: 'opened',
      eventType: 'REFUND.SUCCESS',
      notice: {
        kind: 'refund',
        outRefundNo: OUT_REFUND_NO,
        transactionId: request.transactionId,
        refundStatus: 'SUCCESS',
        refundFen: 30,
        totalFen: 1230,
        merchantId: request.merchantId,
        successTime: expect.stringMatching(/\+08:00$/) as unknown,
      },
    });
    const { merchantId } = request;
    const found = await world.client.queryRefund({ outRefundNo: OUT_REFUND_NO, merchantId });
    expect(found).toMatchObject({ kind: 'ok', value: { status: 'SUCCESS', currency: 'CNY' } });
    const outTradeNo = (found.kind === 'ok' && found.value.outTradeNo) || '';
    expect(await world.client.query({ outTradeNo, merchantId })).toMatchObject({
      kind: 'ok',
      value: { notice: { tradeState: 'REFUND' } },
    });
  });

  test('a refund that is unknown, too large or changed is refused', async () => {
    const request = await paidAt(world);
    const { merchantId } = request;
    const unknown = { kind: 'refused', code: 'RESOURCE_NOT_EXISTS' };
    expect(await world.client.queryRefund({ outRefundNo: 'none', merchantId })).toMatchObject(
      unknown,
    );
    expect(await world.client.refund({ ...request, transactionId: '42' })).toMatchObject(unknown);
    expect(await world.client.refund({ ...request, refundFen: 1231 })).toMatchObject({
      kind: 'refused',
      code: 'WECHAT_REFUSED',
      wechatCode: 'INVALID_REQUEST',
    });
    const first = await world.client.refund(request);
    const second = await world.client.refund(request);
    expect(second).toMatchObject({ kind: 'ok', value: first.kind === 'ok' ? first.value : {} });
    expect(await world.client.refund({ ...request, refundFen: 31 })).toMatchObject({
      kind: 'refused',
      wechatCode: 'INVALID_REQUEST',
    });
  });

  test('a refund whose response is lost is found by the same number', async () => {
    const request = await paidAt(world);
    world.simulator.setRefundOutcome({ status: 'PROCESSING' });
    world.simulator.setFault({ operation: 'refund', kind: 'cut' });
    world.simulator.setFault({ operation: 'refund', kind: 'cut_after' });
    const { merchantId, outRefundNo } = request;
    const reference = { merchantId, outRefundNo };
    expect(await world.client.refund(request)).toMatchObject({ kind: 'unknown' });
    expect(await world.client.queryRefund(reference)).toMatchObject({ kind: 'refused' });
    expect(await world.client.refund(request)).toMatchObject({ kind: 'unknown' });
    expect(await world.client.queryRefund(reference)).toMatchObject({ kind: 'ok' });
    world.simulator.setFault({ operation: 'refund_query', kind: 'forged' });
    expect(await world.client.queryRefund(reference)).toMatchObject({ code: 'RESPONSE_FORGED' });
    expect(world.simulator.refundsOf()).toHaveLength(1);
  });

  test('an abnormal refund is sent to a card that WeChat reads, and succeeds', async () => {
    const request = await paidAt(world);
    world.simulator.setRefundOutcome({ status: 'ABNORMAL', afterMs: 0, times: 1 });
    const asked = await world.client.refund(request);
    const refundId = (asked.kind === 'ok' && asked.value.refundId) || '';
    await world.receiver.waitFor(1);
    const applied = await world.client.applyAbnormalRefund(abnormal(request, refundId));
    expect(applied).toMatchObject({ kind: 'ok', value: { status: 'PROCESSING', refundId } });
    await world.receiver.waitFor(2);
    expect(world.simulator.refund(OUT_REFUND_NO)).toMatchObject({
      status: 'SUCCESS',
      sentTo: { bankType: 'ICBC_DEBIT', bankAccount: '6222020200112230', realName: '王小明' },
    });
  });

  test('a refund that is not abnormal, or of another number, can’t be redirected', async () => {
    const request = await paidAt(world);
    world.simulator.setRefundOutcome({ status: 'PROCESSING' });
    const asked = await world.client.refund(request);
    const apply = abnormal(request, (asked.kind === 'ok' && asked.value.refundId) || '');
    const to = { kind: 'merchant_bank_card' } as const;
    expect(await world.client.applyAbnormalRefund({ ...apply, to })).toMatchObject({
      kind: 'refused',
      wechatCode: 'INVALID_REQUEST',
    });
    expect(await world.client.applyAbnormalRefund({ ...apply, refundId: '503' })).toMatchObject({
      code: 'RESOURCE_NOT_EXISTS',
    });
    await world.simulator.settleRefund({ outRefundNo: OUT_REFUND_NO, status: 'ABNORMAL' });
    world.simulator.setFault({
      operation: 'abnormal_refund',
      kind: 'cut',
      outRefundNo: apply.outRefundNo,
    });
    expect(await world.client.applyAbnormalRefund({ ...apply, to })).toMatchObject({
      kind: 'unknown',
    });
    expect(await world.client.applyAbnormalRefund({ ...apply, to })).toMatchObject({ kind: 'ok' });
    expect(world.simulator.refund(OUT_REFUND_NO)?.sentTo).toBe('merchant_bank_card');
  });
});

test('a card encrypted with a key that is not the simulator’s is refused', async () => {
  const world = await startWorld('public_key');
  const { simulator: stranger } = await start();
  const request = await paidAt(world);
  world.simulator.setRefundOutcome({ status: 'PROCESSING' });
  const asked = await world.client.refund(request);
  await world.simulator.settleRefund({ outRefundNo: OUT_REFUND_NO, status: 'ABNORMAL' });
  const { simulator } = world;
  const wrong = clientOf(world, stranger.publicKeyOf()?.pem);
  const refundId = (asked.kind === 'ok' && asked.value.refundId) || '';
  await wrong.applyAbnormalRefund(abnormal(request, refundId));
  expect(simulator.requestsOf(OUT_REFUND_NO).at(-1)).toMatchObject({
    operation: 'abnormal_refund',
    status: 400,
  });
  expect(simulator.refund(OUT_REFUND_NO)).toMatchObject({ status: 'ABNORMAL', sentTo: null });
  await Promise.all([wrong.end(), world.close(), stranger.close()]);
});

// The client's profit sharing calls against the simulator.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { PlatformKeyMode } from '../../../../simulator/wechatpay/options';
import {
  createWechatPayClient,
  type WechatPayClient,
} from '../../../../providers/wechatpay/client';
import type { SharingRequest } from '../../../../providers/wechatpay/calls/profit-sharing';
import {
  startReceiver,
  type CallbackReceiver,
} from '../../../simulator/wechatpay/support/callback-receiver';
import { start, type Fixture } from '../../../simulator/wechatpay/support/merchant-client';

interface World extends Fixture {
  readonly client: WechatPayClient;
  readonly receiver: CallbackReceiver;
  close(): Promise<void>;
}

async function startWorld(mode: PlatformKeyMode): Promise<World> {
  const fixture = await start(mode, { shareableAfterMs: 0 });
  const { simulator, credentials } = fixture;
  const receiver = await startReceiver();
  const key = simulator.publicKeyOf();
  const client = createWechatPayClient({
    baseUrl: simulator.url,
    merchantId: credentials.merchantId,
    appId: credentials.appId,
    merchantSerial: credentials.merchantSerial,
    merchantPrivateKey: createPrivateKey(credentials.merchantPrivateKeyPem),
    apiV3Keys: [Buffer.from(credentials.apiV3Key)],
    publicKey: key === null ? undefined : { id: key.id, key: createPublicKey(key.pem) },
    now: Date.now,
  });
  const close = async (): Promise<void> => {
    await Promise.all([client.end(), simulator.close(), receiver.close()]);
  };
  return { ...fixture, client, receiver, close };
}

const PARTNER = '1900000999';
const OUT_ORDER_NO = 'op_1|a*b@c';
let sequence = 0;

/** Makes an order, pays it, and shares a part of it with a partner that was added as a receiver. */
async function paidAt(world: World): Promise<SharingRequest & { outTradeNo: string }> {
  const { simulator, client, credentials, receiver } = world;
  const outTradeNo = `PAID-${String(++sequence).padStart(6, '0')}`;
  const { merchantId, appId } = credentials;
  await client.prepay({
    api: 'native',
    appId,
    merchantId,
    outTradeNo,
    description: '一斤茶',
    notifyUrl: receiver.url,
    timeExpire: new Date(Date.now() + 600_000).toISOString(),
    totalFen: 1230,
    currency: 'CNY',
    profitSharing: true,
  });
  const paid = await simulator.pay({ outTradeNo, callbacks: 0 });
  const who = { type: 'MERCHANT_ID', account: PARTNER, name: '茶行' } as const;
  const added = await client.addReceiver({
    merchantId,
    appId,
    ...who,
    relationType: 'PARTNER',
    outOrderNo: OUT_ORDER_NO,
  });
  expect(added).toMatchObject({ kind: 'ok' });
  return {
    outTradeNo,
    merchantId,
    appId,
    transactionId: paid.transactionId ?? '',
    outOrderNo: OUT_ORDER_NO,
    receivers: [{ ...who, amountFen: 100, description: '货款' }],
    unfreezeUnsplit: false,
  };
}

describe.each(['public_key', 'certificate'] as const)(
  'the profit sharing calls with a %s',
  (mode) => {
    let world: World;

    beforeAll(async () => {
      world = await startWorld(mode);
    });
    afterAll(() => world.close());
    beforeEach(() => {
      world.simulator.reset();
      world.receiver.received.length = 0;
    });

    test('a payment is shared, reported, taken back, and its rest unfrozen', async () => {
      const request = await paidAt(world);
      const { client, simulator, receiver } = world;
      expect(await client.share(request)).toMatchObject({
        kind: 'ok',
        value: { state: 'PROCESSING', receivers: [{ account: PARTNER, result: 'PENDING' }] },
      });
      await receiver.waitFor(1);
      const [callback] = receiver.received;
      const opened = await client.openCallback({
        headers: callback?.headers ?? {},
        rawBody: Buffer.from(callback?.body ?? ''),
        nowMs: Date.now(),
      });
      const { transactionId, outOrderNo, merchantId } = request;
      expect(opened).toMatchObject({
        kind: 'opened',
        eventType: 'TRANSACTION.SUCCESS',
        notice: { kind: 'profit_sharing', transactionId, outOrderNo },
      });
      expect(await client.querySharing(request)).toMatchObject({
        kind: 'ok',
        value: { state: 'FINISHED', receivers: [{ result: 'SUCCESS', amountFen: 100 }] },
      });
      const back = {
        merchantId,
        outOrderNo,
        outReturnNo: 'back|1',
        returnMerchantId: PARTNER,
        amountFen: 60,
        description: '退款',
      };
      const returned = { kind: 'ok', value: { result: 'SUCCESS', amountFen: 60 } };
      expect(await client.returnShared(back)).toMatchObject(returned);
      expect(await client.queryReturn(back)).toMatchObject(returned);
      const rest = { merchantId, transactionId, outOrderNo: 'rest', description: '解冻' };
      expect(await client.unfreeze(rest)).toMatchObject({
        kind: 'ok',
        value: { state: 'FINISHED', receivers: [{ account: merchantId, amountFen: 1130 }] },
      });
      expect(simulator.balanceOf(request.outTradeNo)).toMatchObject({ unfrozenFen: 1190 });
    });

    test('a repeat is the same sharing, although its name is encrypted anew', async () => {
      const request = await paidAt(world);
      world.simulator.setSharingOutcome({ result: 'PENDING' });
      const first = await world.client.share(request);
      const second = await world.client.share(request);
      expect(second).toMatchObject({ kind: 'ok', value: first.kind === 'ok' ? first.value : {} });
      const bodies = world.simulator.requestsOf(OUT_ORDER_NO).map(({ bodySha256 }) => bodySha256);
      expect(new Set(bodies).size).toBe(2);
      expect(world.simulator.contentsOf('sharings')).toEqual({ [OUT_ORDER_NO]: 1 });
      expect(await world.client.share({ ...request, unfreezeUnsplit: true })).toMatchObject({
        kind: 'refused',
        code: 'WECHAT_REFUSED',
        wechatCode: 'INVALID_REQUEST',
      });
    });

    test('a sharing without names succeeds as well', async () => {
      const request = await paidAt(world);
      const receivers = request.receivers.map((receiver) => ({ ...receiver, name: null }));
      expect(await world.client.share({ ...request, receivers })).toMatchObject({ kind: 'ok' });
    });

    test('a sharing whose response is lost is found by the same number', async () => {
      const request = await paidAt(world);
      world.simulator.setSharingOutcome({ result: 'PENDING' });
      world.simulator.setFault({ operation: 'share', kind: 'cut' });
      world.simulator.setFault({ operation: 'share', kind: 'cut_after' });
      const { client } = world;
      expect(await client.share(request)).toMatchObject({ kind: 'unknown' });
      expect(await client.querySharing(request)).toMatchObject({ code: 'RESOURCE_NOT_EXISTS' });
      expect(await client.share(request)).toMatchObject({ kind: 'unknown' });
      expect(await client.querySharing(request)).toMatchObject({ kind: 'ok' });
      expect(world.simulator.sharingsOf()).toHaveLength(1);
    });
  },
);

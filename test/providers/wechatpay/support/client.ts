// A client, the fake WeChat that it calls, and a clock for tests.
import {
  createWechatPayClient,
  type WechatPayClient,
  type WechatPayDeps,
  type WechatPayEvent,
} from '../../../../providers/wechatpay/client';
import { startFakeWechat, type FakeWechat } from './fake-wechat';
import {
  API_V3_KEY,
  APP_ID,
  makeKeyPair,
  MERCHANT_ID,
  MERCHANT_SERIAL,
  NOW_MS,
  PUBLIC_KEY_ID,
  type KeyPair,
} from './wechat';

/** A client, the WeChat that it calls, and a clock that the test sets. */
export interface Bench {
  readonly client: WechatPayClient;
  readonly fake: FakeWechat;
  readonly merchant: KeyPair;
  /** Signs in public-key mode. */
  readonly wechat: KeyPair & { readonly serial: string };
  readonly events: WechatPayEvent[];
  readonly clock: { nowMs: number };
  /** Another client with other settings; it is closed with the bench. */
  another(deps: Partial<WechatPayDeps>): WechatPayClient;
  close(): Promise<void>;
}

const merchant = makeKeyPair();
const wechat = { ...makeKeyPair(), serial: PUBLIC_KEY_ID };

/**
 * @param mode the kind of key that the merchant has configured; the fake signs with it or `signer`
 */
export async function startBench(options: {
  readonly mode: 'public_key' | 'certificates';
  readonly signer?: KeyPair & { readonly serial: string };
  readonly merchantId?: string;
}): Promise<Bench> {
  const fake = await startFakeWechat({
    merchantKey: merchant.publicKey,
    signer: options.signer ?? wechat,
    ...(options.merchantId === undefined ? {} : { merchantId: options.merchantId }),
  });
  const events: WechatPayEvent[] = [];
  const clock = { nowMs: NOW_MS };
  const clients: WechatPayClient[] = [];
  const another = (deps: Partial<WechatPayDeps>): WechatPayClient => {
    const client = createWechatPayClient({
      baseUrl: fake.baseUrl,
      merchantId: MERCHANT_ID,
      appId: APP_ID,
      merchantSerial: MERCHANT_SERIAL,
      merchantPrivateKey: merchant.privateKey,
      apiV3Keys: [API_V3_KEY],
      publicKey:
        options.mode === 'public_key' ? { id: PUBLIC_KEY_ID, key: wechat.publicKey } : undefined,
      now: () => clock.nowMs,
      onEvent: (event) => events.push(event),
      ...deps,
    });
    clients.push(client);
    return client;
  };
  return {
    client: another({}),
    fake,
    merchant,
    wechat,
    events,
    clock,
    another,
    async close() {
      await Promise.all(clients.map((client) => client.end()));
      await fake.close();
    },
  };
}

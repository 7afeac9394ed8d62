// Makes payment callbacks as WeChat does: encrypted, signed now, or with a wrong signature.
import { randomUUID, type KeyObject } from 'node:crypto';
import { beijingTime } from '../../simulator/wechatpay/time/beijing-time';
import { encryptResource, randomDigits, randomToken } from '../../simulator/wechatpay/keys/crypto';
import type { MerchantCredentials } from '../../simulator/wechatpay/keys/credentials';
import { signAsWechat } from '../../providers/wechatpay/crypto/signature';

/** WeChat's keys for a made-up merchant: they sign callbacks and responses. */
export interface Platform {
  readonly keyId: string;
  readonly privateKey: KeyObject;
  readonly publicKeyPem: string;
}

export interface SignedCallback {
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Paid {
  readonly outTradeNo: string;
  readonly totalFen: number;
}

/** The text of a payment's notice, with the fields and the length of WeChat's. */
export function paymentText(
  { appId, merchantId }: Pick<MerchantCredentials, 'appId' | 'merchantId'>,
  paid: Paid,
): string {
  return JSON.stringify({
    mchid: merchantId,
    appid: appId,
    out_trade_no: paid.outTradeNo,
    transaction_id: `42000${randomDigits(23)}`,
    trade_type: 'NATIVE',
    trade_state: 'SUCCESS',
    trade_state_desc: '支付成功',
    bank_type: 'OTHERS',
    attach: '',
    success_time: beijingTime(Date.now()),
    payer: { openid: `o${randomToken(27)}` },
    amount: {
      total: paid.totalFen,
      payer_total: paid.totalFen,
      currency: 'CNY',
      payer_currency: 'CNY',
    },
  });
}

/** Makes one callback for a payment and signs it now. Oncepay accepts it for five minutes. */
export function signCallback(
  platform: Platform,
  credentials: MerchantCredentials,
  paid: Paid,
): SignedCallback {
  const id = randomUUID();
  const text = paymentText(credentials, paid);
  const body = JSON.stringify({
    id,
    create_time: beijingTime(Date.now()),
    resource_type: 'encrypt-resource',
    event_type: 'TRANSACTION.SUCCESS',
    summary: '支付成功',
    resource: {
      original_type: 'transaction',
      ...encryptResource(credentials.apiV3Key, text, 'transaction'),
    },
  });
  const signature = signAsWechat({
    rawBody: body,
    timestamp: Math.floor(Date.now() / 1_000),
    nonce: randomToken(32),
    serial: platform.keyId,
    privateKey: platform.privateKey,
  });
  return { id, body, headers: { 'content-type': 'application/json', ...signature } };
}

/** Makes `count` callbacks for payments of orders that don't exist; no two are alike. */
export function signCallbacks(
  platform: Platform,
  credentials: MerchantCredentials,
  count: number,
): SignedCallback[] {
  return Array.from({ length: count }, () =>
    signCallback(platform, credentials, {
      outTradeNo: `bench_${randomToken(20)}`,
      totalFen: 4_200,
    }),
  );
}

/** The same callbacks with a body that their signature doesn't fit. */
export function forged(callbacks: readonly SignedCallback[]): SignedCallback[] {
  return callbacks.map(({ id, headers, body }) => ({ id, headers, body: `${body} ` }));
}

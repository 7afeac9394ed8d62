// Makes the signed pay parameters with which the shop's page opens the payment.
import { randomBytes, type KeyObject } from 'node:crypto';
import type { Channel } from '../../../domain/orders/channels';
import { signText } from '../crypto/signature';

const NONCE_BYTES = 16;

interface SignedForWechat {
  /** Seconds since 1970, as text: WeChat's clients want a string. */
  readonly timeStamp: string;
  readonly nonceStr: string;
  readonly package: string;
  readonly signType: 'RSA';
  readonly paySign: string;
}

/** The shop hands these to WeChat's client unchanged: the names are WeChat's. */
export type ClientPayParameters =
  | SignedForWechat
  | (SignedForWechat & { readonly appId: string })
  | {
      readonly appId: string;
      readonly partnerId: string;
      readonly prepayId: string;
      readonly packageValue: 'Sign=WXPay';
      readonly nonceStr: string;
      readonly timeStamp: string;
      readonly sign: string;
    }
  | { readonly h5_url: string }
  | { readonly code_url: string };

/**
 * The parameters a client starts the payment with. RSA-SHA256 over lines that all end with `\n`:
 * `appId, timeStamp, nonceStr, prepay_id=…`; for an app the prepay id alone. H5 and QR code sign
 * nothing.
 *
 * @param order.token what prepay gave: `prepay_id`, `h5_url` or `code_url`.
 * @see https://pay.weixin.qq.com/doc/v3/merchant/4012365340
 */
export function makePayParameters(
  order: {
    readonly channel: Channel;
    readonly appId: string;
    readonly merchantId: string;
    readonly token: string;
    readonly nowSeconds: number;
  },
  key: KeyObject,
): ClientPayParameters {
  const { channel, appId, merchantId, token } = order;
  if (channel === 'h5') return { h5_url: token };
  if (channel === 'admin') return { code_url: token };
  const timeStamp = String(order.nowSeconds);
  const nonceStr = randomBytes(NONCE_BYTES).toString('hex');
  const signLast = (last: string) =>
    signText(`${appId}\n${timeStamp}\n${nonceStr}\n${last}\n`, key);
  if (channel === 'app') {
    return {
      appId,
      partnerId: merchantId,
      prepayId: token,
      packageValue: 'Sign=WXPay',
      nonceStr,
      timeStamp,
      sign: signLast(token),
    };
  }
  const packed = `prepay_id=${token}`;
  const signed: SignedForWechat = {
    timeStamp,
    nonceStr,
    package: packed,
    signType: 'RSA',
    paySign: signLast(packed),
  };
  return channel === 'official_account' ? { appId, ...signed } : signed;
}

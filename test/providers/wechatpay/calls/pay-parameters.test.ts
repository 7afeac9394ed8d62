// The parameters that a client pays with, for each channel.
import { verify } from 'node:crypto';
import { makePayParameters } from '../../../../providers/wechatpay/calls/pay-parameters';
import type { Channel } from '../../../../domain/orders/channels';
import { APP_ID, makeKeyPair, MERCHANT_ID, NOW_SECONDS } from '../support/wechat';

const { publicKey, privateKey } = makeKeyPair();
const TOKEN = 'wx26112209580621e9b071c00d9e093b0000';

function parametersOf(channel: Channel, token = TOKEN) {
  const order = { channel, appId: APP_ID, merchantId: MERCHANT_ID, token, nowSeconds: NOW_SECONDS };
  return new Map<string, unknown>(Object.entries(makePayParameters(order, privateKey)));
}

function isSigned(lines: readonly unknown[], signature: unknown): boolean {
  const text = lines.map((line) => `${String(line)}\n`).join('');
  return verify(
    'RSA-SHA256',
    Buffer.from(text),
    publicKey,
    Buffer.from(String(signature), 'base64'),
  );
}

describe('the parameters a client pays with', () => {
  test.each([
    ['miniprogram', ['timeStamp', 'nonceStr', 'package', 'signType', 'paySign']],
    ['official_account', ['appId', 'timeStamp', 'nonceStr', 'package', 'signType', 'paySign']],
  ] as const)(
    'the parameters for %s have exactly WeChat’s names, signed over prepay_id=…',
    (channel, names) => {
      const seen = parametersOf(channel);
      expect([...seen.keys()]).toEqual(names);
      expect(seen.get('timeStamp')).toBe(String(NOW_SECONDS));
      expect(seen.get('package')).toBe(`prepay_id=${TOKEN}`);
      expect(seen.get('signType')).toBe('RSA');
      if (channel === 'official_account') expect(seen.get('appId')).toBe(APP_ID);
      const lines = [APP_ID, seen.get('timeStamp'), seen.get('nonceStr'), seen.get('package')];
      expect(isSigned(lines, seen.get('paySign'))).toBe(true);
    },
  );

  test('the parameters for an app sign the prepay id alone', () => {
    const seen = parametersOf('app');
    expect(Object.fromEntries(seen)).toEqual({
      appId: APP_ID,
      partnerId: MERCHANT_ID,
      prepayId: TOKEN,
      packageValue: 'Sign=WXPay',
      nonceStr: expect.stringMatching(/^[0-9a-f]{32}$/) as unknown,
      timeStamp: String(NOW_SECONDS),
      sign: expect.any(String) as unknown,
    });
    const lines = [APP_ID, seen.get('timeStamp'), seen.get('nonceStr'), TOKEN];
    expect(isSigned(lines, seen.get('sign'))).toBe(true);
  });

  test('the parameters for H5 and the QR code are the link', () => {
    const link = 'https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx1';
    expect(Object.fromEntries(parametersOf('h5', link))).toEqual({ h5_url: link });
    const code = 'weixin://wxpay/bizpayurl?pr=p4lpSuKzz';
    expect(Object.fromEntries(parametersOf('admin', code))).toEqual({ code_url: code });
  });

  test('no two parameters have the same nonce', () => {
    const nonces = Array.from({ length: 20 }, () => parametersOf('miniprogram').get('nonceStr'));
    expect(new Set(nonces).size).toBe(20);
  });
});

// Helps tests of profit sharing at the simulator: shareable orders, sharings, returns.
import { constants, publicEncrypt } from 'node:crypto';
import { call, prepay, prepayBody, type Fixture, type Received } from './merchant-client';

export const PARTNER = '1900000999';
const BASE = '/v3/profitsharing';
let sequence = 0;

export const newNumber = (): string => `SHARED-${String(++sequence).padStart(6, '0')}`;

/** A paid order of 1230 that can be shared, with a partner that was added as a receiver. */
export async function paidOrder(
  fixture: Fixture,
  more: Record<string, unknown> = {},
): Promise<{ no: string; transactionId: string }> {
  const no = newNumber();
  const settle = { settle_info: { profit_sharing: true } };
  await prepay(fixture, prepayBody(fixture.credentials, no, { ...settle, ...more }));
  const paid = await fixture.simulator.pay({ outTradeNo: no, callbacks: 0 });
  return { no, transactionId: paid.transactionId ?? '' };
}

const post = (fixture: Fixture, path: string, body: object): Promise<Received> =>
  call(fixture, { method: 'POST', path: `${BASE}${path}`, body: JSON.stringify(body) });
const get = (fixture: Fixture, path: string): Promise<Received> =>
  call(fixture, { method: 'GET', path: `${BASE}${path}` });

export const addReceiver = (fixture: Fixture, more: object = {}): Promise<Received> =>
  post(fixture, '/receivers/add', {
    appid: fixture.credentials.appId,
    type: 'MERCHANT_ID',
    account: PARTNER,
    relation_type: 'PARTNER',
    ...more,
  });

export const partFor = (amount: number, more: object = {}): object => ({
  type: 'MERCHANT_ID',
  account: PARTNER,
  amount,
  description: '货款',
  ...more,
});

/** A sharing of 100 with the partner. */
export const share = (fixture: Fixture, transactionId: string, more: object): Promise<Received> =>
  post(fixture, '/orders', {
    appid: fixture.credentials.appId,
    transaction_id: transactionId,
    receivers: [partFor(100)],
    unfreeze_unsplit: false,
    ...more,
  });

export const querySharing = (fixture: Fixture, no: string, transactionId: string) =>
  get(fixture, `/orders/${encodeURIComponent(no)}?transaction_id=${transactionId}`);

export const unfreeze = (fixture: Fixture, transactionId: string, outOrderNo: string) =>
  post(fixture, '/orders/unfreeze', {
    transaction_id: transactionId,
    out_order_no: outOrderNo,
    description: '解冻',
  });

/** Takes 60 back from the partner. */
export const returnShared = (
  fixture: Fixture,
  outOrderNo: string,
  outReturnNo: string,
  more: object = {},
): Promise<Received> =>
  post(fixture, '/return-orders', {
    out_order_no: outOrderNo,
    out_return_no: outReturnNo,
    return_mchid: PARTNER,
    amount: 60,
    description: '退款',
    ...more,
  });

export const queryReturn = (fixture: Fixture, outReturnNo: string, outOrderNo: string) =>
  get(fixture, `/return-orders/${outReturnNo}?out_order_no=${outOrderNo}`);

export const unsplitAmount = async (fixture: Fixture, transactionId: string): Promise<unknown> =>
  (await get(fixture, `/transactions/${transactionId}/amounts`)).json;

/** As in WeChat's documentation: RSA-OAEP with SHA-1, in Base64. */
export function encrypted(fixture: Fixture, text: string): string {
  const key = fixture.simulator.publicKeyOf()?.pem ?? '';
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  return publicEncrypt({ key, padding, oaepHash: 'sha1' }, Buffer.from(text)).toString('base64');
}

// Requests, responses and expected bytes for tests of profit sharing.
import { constants, privateDecrypt, type KeyObject } from 'node:crypto';
import type {
  AddReceiverRequest,
  SharingRequest,
  SharingReturnRequest,
  UnfreezeRequest,
} from '../../../../providers/wechatpay/calls/profit-sharing';
import type { Plan, SeenRequest } from './fake-wechat';
import { APP_ID, MERCHANT_ID, PAYMENT } from './wechat';

export const OUT_ORDER_NO = 'op_1|a*b@c';
export const OUT_RETURN_NO = 'op_r|1*2@3';
export const TRANSACTION_ID = PAYMENT.transaction_id;
export const OPENID = PAYMENT.payer.openid;

export const RECEIVER: AddReceiverRequest = {
  merchantId: MERCHANT_ID,
  appId: APP_ID,
  type: 'PERSONAL_OPENID',
  account: OPENID,
  name: '王小明',
  relationType: 'STAFF',
  outOrderNo: OUT_ORDER_NO,
};

export const SHARING: SharingRequest = {
  merchantId: MERCHANT_ID,
  appId: APP_ID,
  transactionId: TRANSACTION_ID,
  outOrderNo: OUT_ORDER_NO,
  receivers: [
    {
      type: 'MERCHANT_ID',
      account: '1900000999',
      amountFen: 100,
      description: '“货款”',
      name: null,
    },
    {
      type: 'PERSONAL_OPENID',
      account: OPENID,
      amountFen: 7,
      description: '佣金',
      name: '王小明',
    },
  ],
  unfreezeUnsplit: false,
};
export const UNNAMED: SharingRequest = {
  ...SHARING,
  receivers: SHARING.receivers.map((receiver) => ({ ...receiver, name: null })),
};

export const UNFREEZE: UnfreezeRequest = {
  merchantId: MERCHANT_ID,
  transactionId: TRANSACTION_ID,
  outOrderNo: OUT_ORDER_NO,
  description: '解冻全部剩余资金',
};

export const RETURN: SharingReturnRequest = {
  merchantId: MERCHANT_ID,
  outOrderNo: OUT_ORDER_NO,
  outReturnNo: OUT_RETURN_NO,
  returnMerchantId: '1900000999',
  amountFen: 60,
  description: '用户退款',
};

export const RECEIVER_RESPONSE = {
  type: 'PERSONAL_OPENID',
  account: OPENID,
  name: 'hu89ohu89ohu89o',
  relation_type: 'STAFF',
};

export const FIRST = {
  type: 'MERCHANT_ID',
  account: '1900000999',
  amount: 100,
  description: '“货款”',
  result: 'SUCCESS',
  detail_id: '36011111111111111111111',
  create_time: '2026-11-23T10:00:00+08:00',
  finish_time: '2026-11-23T10:00:01+08:00',
};
const SECOND = {
  type: 'PERSONAL_OPENID',
  account: OPENID,
  amount: 7,
  description: '佣金',
  result: 'CLOSED',
  fail_reason: 'ACCOUNT_ABNORMAL',
  detail_id: '36011111111111111111112',
};
export const SHARING_RESPONSE = {
  transaction_id: TRANSACTION_ID,
  out_order_no: OUT_ORDER_NO,
  order_id: '3008450740201411110007820472',
  state: 'FINISHED',
  receivers: [FIRST, SECOND],
};
export const SHARING_STATE = {
  outOrderNo: OUT_ORDER_NO,
  transactionId: TRANSACTION_ID,
  orderId: '3008450740201411110007820472',
  state: 'FINISHED',
  reportedState: 'FINISHED',
  receivers: [
    {
      type: 'MERCHANT_ID',
      account: '1900000999',
      amountFen: 100,
      result: 'SUCCESS',
      reportedResult: 'SUCCESS',
      failReason: null,
      detailId: '36011111111111111111111',
    },
    {
      type: 'PERSONAL_OPENID',
      account: OPENID,
      amountFen: 7,
      result: 'CLOSED',
      reportedResult: 'CLOSED',
      failReason: 'ACCOUNT_ABNORMAL',
      detailId: '36011111111111111111112',
    },
  ],
};

export const RETURN_RESPONSE = {
  order_id: '3008450740201411110007820472',
  out_order_no: OUT_ORDER_NO,
  out_return_no: OUT_RETURN_NO,
  return_id: '3008450740201411110007820999',
  return_mchid: '1900000999',
  amount: 60,
  description: '用户退款',
  result: 'SUCCESS',
  create_time: '2026-11-23T10:00:00+08:00',
  finish_time: '2026-11-23T10:00:00+08:00',
};
export const RETURN_STATE = {
  outOrderNo: OUT_ORDER_NO,
  outReturnNo: OUT_RETURN_NO,
  returnId: '3008450740201411110007820999',
  returnMerchantId: '1900000999',
  amountFen: 60,
  result: 'SUCCESS',
  reportedResult: 'SUCCESS',
  failReason: null,
};

export const answered = (answer: object, more: object = {}): Plan => ({
  status: 200,
  body: JSON.stringify({ ...answer, ...more }),
});

/** As WeChat does: RSA-OAEP with SHA-1. */
export function decrypted(text: unknown, key: KeyObject): string {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const sealed = Buffer.from(String(text), 'base64');
  return privateDecrypt({ key, padding, oaepHash: 'sha1' }, sealed).toString();
}

interface SentBody {
  readonly name?: string;
  readonly receivers: readonly { readonly name?: string }[];
}

export function bodyOf(request: SeenRequest | undefined): SentBody {
  return JSON.parse(request?.body ?? '{}') as SentBody;
}

/** The name of the second receiver. */
export const nameIn = (request: SeenRequest | undefined): unknown =>
  bodyOf(request).receivers[1]?.name;

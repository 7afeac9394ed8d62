// The shapes of the request bodies, in WeChat's names.
/** The body of a prepay. The order of its keys is the order of its bytes. */
export interface PrepayBody {
  readonly appid?: string;
  readonly mchid?: string;
  readonly description: string;
  readonly out_trade_no: string;
  readonly time_expire?: string;
  readonly notify_url: string;
  readonly settle_info?: { readonly profit_sharing?: boolean };
  readonly amount: { readonly total: number; readonly currency?: string };
  readonly payer?: { readonly openid: string };
  readonly scene_info?: {
    readonly payer_client_ip: string;
    readonly h5_info?: { readonly type: string };
  };
}

/** The body of a refund. The order of its keys is the order of its bytes. */
export interface RefundBody {
  readonly transaction_id: string;
  readonly out_refund_no: string;
  readonly reason?: string;
  readonly notify_url: string;
  readonly amount: { readonly refund: number; readonly total: number; readonly currency: string };
}

/** The body that redirects an abnormal refund; account and name are encrypted, in Base64. */
export interface AbnormalRefundBody {
  readonly out_refund_no: string;
  readonly type: 'USER_BANK_CARD' | 'MERCHANT_BANK_CARD';
  readonly bank_type?: string;
  readonly bank_account?: string;
  readonly real_name?: string;
}

/** A body, parts of which may be encrypted. */
export interface Sealed<Body> {
  readonly body: Body;
  /**
   * The serial of WeChat's key that encrypted parts of the body; null when nothing is encrypted.
   */
  readonly keySerial: string | null;
}

export type ReceiverType = 'MERCHANT_ID' | 'PERSONAL_OPENID';

/** A receiver that is made known once; its name is encrypted, in Base64. */
export interface ReceiverBody {
  readonly appid: string;
  readonly type: ReceiverType;
  readonly account: string;
  readonly name?: string;
  readonly relation_type: string;
}

/** The body of a sharing; the names in it are encrypted, in Base64. */
export interface SharingBody {
  readonly appid: string;
  readonly transaction_id: string;
  readonly out_order_no: string;
  readonly receivers: readonly {
    readonly type: ReceiverType;
    readonly account: string;
    readonly name?: string;
    readonly amount: number;
    readonly description: string;
  }[];
  readonly unfreeze_unsplit: boolean;
}

export interface UnfreezeBody {
  readonly transaction_id: string;
  readonly out_order_no: string;
  readonly description: string;
}

export interface SharingReturnBody {
  readonly out_order_no: string;
  readonly out_return_no: string;
  readonly return_mchid: string;
  readonly amount: number;
  readonly description: string;
}

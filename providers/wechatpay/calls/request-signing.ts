// Builds and signs the requests to WeChat with the library wechatpay-node-v3.
import { randomBytes, type KeyObject } from 'node:crypto';
import Pay from 'wechatpay-node-v3';
import type { PrepayApi } from '../../../domain/orders/channels';
import type {
  AbnormalRefundBody,
  PrepayBody,
  ReceiverBody,
  RefundBody,
  Sealed,
  SharingBody,
  SharingReturnBody,
  UnfreezeBody,
} from './request-bodies';
import { signText } from '../crypto/signature';
import type { TransportResponse, TransportRequest } from '../transport/transport';

/** The origin that the library writes into every URL; the transport puts the configured one. */
const LIBRARY_ORIGIN = 'https://api.mch.weixin.qq.com';

const NONCE_BYTES = 16;

const KEY_SERIAL = 'Wechatpay-Serial';

/** The library takes PEM files and parses them on each call; we parse ours once, elsewhere. */
const NO_FILE = Buffer.alloc(0);

/**
 * The prepay calls as WeChat documents them; the library's types lack fields or demand too many.
 */
interface PrepayCalls {
  transactions_jsapi(body: PrepayBody): Promise<unknown>;
  transactions_app(body: PrepayBody): Promise<unknown>;
  transactions_h5(body: PrepayBody): Promise<unknown>;
  transactions_native(body: PrepayBody): Promise<unknown>;
}

export interface Signer {
  readonly appId: string;
  readonly merchantSerial: string;
  readonly merchantPrivateKey: KeyObject;
  /** ms since 1970. */
  readonly now: () => number;
}

export type Send = (
  request: Pick<TransportRequest, 'method' | 'path' | 'headers' | 'body'>,
) => Promise<TransportResponse>;

/**
 * The library with three parts replaced: the nonce (it uses `Math.random`), the clock, and the
 * signature (it parses a PEM on each call). The signed text, the Authorization header, the URLs
 * and the bodies stay the library's.
 */
class RequestSigner extends Pay {
  readonly #signer: Signer;

  constructor(signer: Signer, merchantId: string) {
    super({
      appid: signer.appId,
      mchid: merchantId,
      serial_no: signer.merchantSerial,
      publicKey: NO_FILE,
      privateKey: NO_FILE,
    });
    this.#signer = signer;
  }

  override sha256WithRsa(data: string): string {
    return signText(data, this.#signer.merchantPrivateKey);
  }

  /**
   * Serialises the body itself, because the library's `getSignature` leaves out the line of an
   * empty body; no call made here has one.
   */
  override buildAuthorization(method: string, url: string, params?: object): string {
    const nonce = randomBytes(NONCE_BYTES).toString('hex');
    const timestamp = String(Math.floor(this.#signer.now() / 1000));
    const path = url.slice(LIBRARY_ORIGIN.length);
    const body = params === undefined ? undefined : JSON.stringify(params);
    const signature = this.getSignature(method, nonce, timestamp, path, body);
    return this.getAuthorization(nonce, timestamp, signature);
  }

  /** The library's own call decrypts without comparing the tag, so we use only its signing. */
  async certificates(): Promise<void> {
    const url = `${LIBRARY_ORIGIN}/v3/certificates`;
    await this.httpService.get(url, this.getHeaders(this.buildAuthorization('GET', url)));
  }

  /** The library's own call takes the whole file into memory, so we use only its signing. */
  headersOfDownload(path: string): object {
    return this.getHeaders(this.buildAuthorization('GET', `${LIBRARY_ORIGIN}${path}`));
  }

  /**
   * Makes a call that the library lacks, or whose encrypted fields it names wrongly. Where nothing
   * is encrypted the library sends the merchant's serial as if it were WeChat's.
   */
  async postSealed(path: string, { body, keySerial }: Sealed<object>): Promise<void> {
    const url = `${LIBRARY_ORIGIN}${path}`;
    const headers = this.getHeaders(this.buildAuthorization('POST', url, body), {
      'Content-Type': 'application/json',
      ...(keySerial === null ? {} : { [KEY_SERIAL]: keySerial }),
    });
    await this.httpService.post(url, body, headers);
  }
}

/** The calls of WeChat Pay v3 made here, signed, each handing one request to its `send`. */
export interface SignedCalls {
  /** `body.appid` and `body.mchid` are the order's and win over the present configuration. */
  prepay(
    api: PrepayApi,
    body: PrepayBody,
    merchantId: string,
    send: Send,
  ): Promise<TransportResponse>;
  query(outTradeNo: string, merchantId: string, send: Send): Promise<TransportResponse>;
  queryTransaction(
    transactionId: string,
    merchantId: string,
    send: Send,
  ): Promise<TransportResponse>;
  close(outTradeNo: string, merchantId: string, send: Send): Promise<TransportResponse>;
  refund(body: RefundBody, merchantId: string, send: Send): Promise<TransportResponse>;
  queryRefund(outRefundNo: string, merchantId: string, send: Send): Promise<TransportResponse>;
  applyAbnormalRefund(
    call: Sealed<AbnormalRefundBody> & { readonly refundId: string; readonly merchantId: string },
    send: Send,
  ): Promise<TransportResponse>;
  addReceiver(
    call: Sealed<ReceiverBody>,
    merchantId: string,
    send: Send,
  ): Promise<TransportResponse>;
  share(call: Sealed<SharingBody>, merchantId: string, send: Send): Promise<TransportResponse>;
  querySharing(
    sharing: { readonly outOrderNo: string; readonly transactionId: string },
    merchantId: string,
    send: Send,
  ): Promise<TransportResponse>;
  unfreeze(body: UnfreezeBody, merchantId: string, send: Send): Promise<TransportResponse>;
  returnShared(body: SharingReturnBody, merchantId: string, send: Send): Promise<TransportResponse>;
  queryReturn(
    sharingReturn: { readonly outReturnNo: string; readonly outOrderNo: string },
    merchantId: string,
    send: Send,
  ): Promise<TransportResponse>;
  /** @param billDate `YYYY-MM-DD`, a day in Beijing */
  requestTradeBill(billDate: string, merchantId: string, send: Send): Promise<TransportResponse>;
  requestFundFlowBill(billDate: string, merchantId: string, send: Send): Promise<TransportResponse>;
  /** The headers of a signed GET of a file, which is a stream and takes no `send`. */
  downloadHeaders(path: string, merchantId: string): Readonly<Record<string, string>>;
  certificates(merchantId: string, send: Send): Promise<TransportResponse>;
}

type Run = (
  merchantId: string,
  send: Send,
  call: (library: RequestSigner) => Promise<unknown>,
) => Promise<TransportResponse>;

/**
 * Builds and signs with `wechatpay-node-v3` (docs/decisions/0001-wechatpay-node-v3.md). The library
 * keeps merchant and transport in the object, so that each call gets an object of its own: that
 * costs a microsecond, the signature a thousand.
 *
 * A `merchantId` other than the one of the key is sent as it is: WeChat responds 401, which says
 * that the settings no longer fit the order.
 *
 * @see https://pay.weixin.qq.com/doc/v3/merchant/4012365342
 */
export function createSignedCalls(signer: Signer): SignedCalls {
  const run: Run = (merchantId, send, call) =>
    runThroughLibrary(new RequestSigner(signer, merchantId), send, call);
  return {
    prepay: (api, body, merchantId, send) =>
      run(merchantId, send, (library) => prepayWith(library, api, body)),
    query: (outTradeNo, merchantId, send) =>
      run(merchantId, send, (library) =>
        library.query({ out_trade_no: encodeURIComponent(outTradeNo) }),
      ),
    queryTransaction: (transactionId, merchantId, send) =>
      run(merchantId, send, (library) =>
        library.query({ transaction_id: encodeURIComponent(transactionId) }),
      ),
    close: (outTradeNo, merchantId, send) =>
      run(merchantId, send, (library) => library.close(encodeURIComponent(outTradeNo))),
    refund: (body, merchantId, send) => run(merchantId, send, (library) => library.refunds(body)),
    queryRefund: (outRefundNo, merchantId, send) =>
      run(merchantId, send, (library) => library.find_refunds(encodeURIComponent(outRefundNo))),
    applyAbnormalRefund: ({ refundId, merchantId, ...sealed }, send) => {
      const refund = `/v3/refund/domestic/refunds/${encodeURIComponent(refundId)}`;
      const path = `${refund}/apply-abnormal-refund`;
      return run(merchantId, send, (library) => library.postSealed(path, sealed));
    },
    ...createSharingCalls(run),
    ...createBillCalls(run),
    downloadHeaders: (path, merchantId) =>
      pickHeaders(new RequestSigner(signer, merchantId).headersOfDownload(path)),
    certificates: (merchantId, send) => run(merchantId, send, (library) => library.certificates()),
  };
}

function createSharingCalls(
  run: Run,
): Pick<
  SignedCalls,
  'addReceiver' | 'share' | 'querySharing' | 'unfreeze' | 'returnShared' | 'queryReturn'
> {
  const base = '/v3/profitsharing';
  return {
    addReceiver: (call, merchantId, send) =>
      run(merchantId, send, (library) => library.postSealed(`${base}/receivers/add`, call)),
    share: (call, merchantId, send) =>
      run(merchantId, send, (library) => library.postSealed(`${base}/orders`, call)),
    querySharing: ({ outOrderNo, transactionId }, merchantId, send) =>
      run(merchantId, send, (library) =>
        library.query_profitsharing_orders(transactionId, encodeURIComponent(outOrderNo)),
      ),
    unfreeze: (body, merchantId, send) =>
      run(merchantId, send, (library) => library.profitsharing_orders_unfreeze(body)),
    returnShared: (body, merchantId, send) =>
      run(merchantId, send, (library) => library.profitsharing_return_orders(body)),
    queryReturn: ({ outReturnNo, outOrderNo }, merchantId, send) =>
      run(merchantId, send, (library) =>
        library.query_profitsharing_return_orders(encodeURIComponent(outReturnNo), outOrderNo),
      ),
  };
}

/** All trades of a day, and the movements of the account from which refunds are paid. */
function createBillCalls(run: Run): Pick<SignedCalls, 'requestTradeBill' | 'requestFundFlowBill'> {
  const packed = { tar_type: 'GZIP' };
  return {
    requestTradeBill: (billDate, merchantId, send) =>
      run(merchantId, send, (library) =>
        library.tradebill({ bill_date: billDate, bill_type: 'ALL', ...packed }),
      ),
    requestFundFlowBill: (billDate, merchantId, send) =>
      run(merchantId, send, (library) =>
        library.fundflowbill({ bill_date: billDate, account_type: 'BASIC', ...packed }),
      ),
  };
}

function prepayWith(library: PrepayCalls, api: PrepayApi, body: PrepayBody): Promise<unknown> {
  switch (api) {
    case 'jsapi':
      return library.transactions_jsapi(body);
    case 'app':
      return library.transactions_app(body);
    case 'h5':
      return library.transactions_h5(body);
    case 'native':
      return library.transactions_native(body);
  }
}

async function runThroughLibrary(
  library: RequestSigner,
  send: Send,
  call: (library: RequestSigner) => Promise<unknown>,
): Promise<TransportResponse> {
  const responses: TransportResponse[] = [];
  const pass = async (
    method: 'GET' | 'POST',
    url: string,
    headers: object,
    body: string | null,
  ) => {
    const path = url.slice(LIBRARY_ORIGIN.length);
    const response = await send({ method, path, headers: pickHeaders(headers), body });
    responses.push(response);
    // From a 200 the library would make pay parameters with a nonce of `Math.random`: it never
    // sees a body.
    return { status: response.kind === 'responded' ? response.status : 0, data: {} };
  };
  library.createHttp({
    get: (url, headers) => pass('GET', url, headers, null),
    post: (url, params, headers) => pass('POST', url, headers, JSON.stringify(params)),
    upload: () => Promise.reject(new Error('uploads are not used')),
  });
  await call(library);
  const [response] = responses;
  if (response === undefined) throw new Error('wechatpay-node-v3 sent nothing');
  return response;
}

/**
 * Keeps the headers that describe the content; leaves out the library's `Accept-Encoding: gzip`.
 */
const SENT_HEADERS = new Set(['Authorization', 'Content-Type', 'Accept', KEY_SERIAL]);

function pickHeaders(headers: object): Record<string, string> {
  const picked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (SENT_HEADERS.has(name) && typeof value === 'string') picked[name] = value;
  }
  return picked;
}

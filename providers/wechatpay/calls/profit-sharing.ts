// Calls WeChat's profit sharing API: receivers, sharings, unfreezes and share returns.
import { NO_ENCRYPTION_KEY, type Perform } from './calls';
import { encryptField } from '../crypto/field-cipher';
import { parseObject } from '../fields/parse-object';
import type { WechatOutcome } from './outcome';
import type { PlatformKeys } from '../keys/platform-keys';
import type { ReceiverBody, ReceiverType, Sealed, SharingBody } from './request-bodies';
import type { SignedCalls } from './request-signing';
import {
  receiverResponse,
  sharingResponse,
  sharingReturnResponse,
} from '../fields/response-schemas';

/** A receiver of a share, and the amount. */
export interface SharingReceiver {
  readonly type: ReceiverType;
  /** A merchant id or an openid. */
  readonly account: string;
  readonly amountFen: number;
  /** Shown to the receiver, at most 80 characters. */
  readonly description: string;
  /**
   * Sent encrypted. WeChat refuses a name that is not the account's; with null it compares
   * nothing.
   */
  readonly name: string | null;
}

export interface AddReceiverRequest {
  readonly merchantId: string;
  readonly appId: string;
  readonly type: ReceiverType;
  readonly account: string;
  /** As in {@link SharingReceiver}. */
  readonly name: string | null;
  /**
   * WeChat's code for the relation of the receiver to the merchant: `PARTNER`, `STORE`, `STAFF`, …
   */
  readonly relationType: string;
  /** The sharing for which the receiver is added. Events name it; WeChat does not get it. */
  readonly outOrderNo: string;
}

/**
 * All content of a sharing request, stored with the sharing. RSA-OAEP is random, so a name has
 * other bytes at each attempt; WeChat compares the decrypted names, so the request stays the same.
 */
export interface SharingRequest {
  readonly merchantId: string;
  readonly appId: string;
  readonly transactionId: string;
  /** A repeat keeps this number: a new number would share twice. */
  readonly outOrderNo: string;
  /** 1 to 50 receivers, each account once. */
  readonly receivers: readonly SharingReceiver[];
  /** True: the rest of the payment goes to the merchant, and nothing more of it can be shared. */
  readonly unfreezeUnsplit: boolean;
}

export interface SharingReference {
  /** The merchant id stored with the order. */
  readonly merchantId: string;
  readonly outOrderNo: string;
  readonly transactionId: string;
  readonly signal?: AbortSignal | undefined;
}

export interface UnfreezeRequest {
  readonly merchantId: string;
  readonly transactionId: string;
  /**
   * A number that was never used: with the number of a sharing WeChat reports success and does
   * nothing.
   */
  readonly outOrderNo: string;
  /** At most 80 characters. */
  readonly description: string;
}

export interface SharingReturnRequest {
  readonly merchantId: string;
  /** The sharing from which the money comes back. */
  readonly outOrderNo: string;
  /** A repeat keeps this number: a new number would take the share back twice. */
  readonly outReturnNo: string;
  /** The receiver, a merchant. */
  readonly returnMerchantId: string;
  readonly amountFen: number;
  /** At most 80 characters. */
  readonly description: string;
}

export interface SharingReturnReference {
  /** The merchant id stored with the order. */
  readonly merchantId: string;
  readonly outOrderNo: string;
  readonly outReturnNo: string;
  readonly signal?: AbortSignal | undefined;
}

/** A receiver's part as WeChat reports it. */
export interface ReceiverState {
  readonly type: ReceiverType;
  readonly account: string;
  /** null where it can't be read: then it is ours. */
  readonly amountFen: number | null;
  /** null for a result that Oncepay doesn't know. */
  readonly result: 'PENDING' | 'SUCCESS' | 'CLOSED' | null;
  /** As WeChat wrote it. */
  readonly reportedResult: string | null;
  /** WeChat's code of the cause, such as `ACCOUNT_ABNORMAL`. */
  readonly failReason: string | null;
  readonly detailId: string | null;
}

/**
 * A sharing as WeChat reports it. FINISHED does not mean success: each receiver has its own
 * result. A number is null where WeChat names none that can be read: then it is the requested one.
 */
export interface SharingState {
  readonly outOrderNo: string | null;
  readonly transactionId: string | null;
  readonly orderId: string | null;
  /** null for a state that Oncepay doesn't know. */
  readonly state: 'PROCESSING' | 'FINISHED' | null;
  /** As WeChat wrote it. */
  readonly reportedState: string | null;
  /** null for one that can't be read. */
  readonly receivers: readonly (ReceiverState | null)[];
}

/** A share return as WeChat reports it; null as in {@link SharingState}. */
export interface SharingReturnState {
  readonly outOrderNo: string | null;
  readonly outReturnNo: string | null;
  readonly returnId: string | null;
  readonly returnMerchantId: string | null;
  readonly amountFen: number | null;
  readonly result: 'PROCESSING' | 'SUCCESS' | 'FAILED' | null;
  /** As WeChat wrote it. */
  readonly reportedResult: string | null;
  /** WeChat's code of the cause, such as `BALANCE_NOT_ENOUGH`. */
  readonly failReason: string | null;
}

/**
 * Names are encrypted with WeChat's key. Without a key nothing is sent, and the outcome is
 * `unknown`. A name of more than 214 bytes can't be encrypted; it is a mistake of ours, and the
 * call throws.
 */
export interface ProfitSharingCalls {
  /**
   * Makes a receiver known to WeChat. It has to come before the first share with this receiver;
   * WeChat ignores a repeat.
   *
   * @see https://pay.weixin.qq.com/doc/v3/merchant/4012528995
   */
  addReceiver(request: AddReceiverRequest): Promise<WechatOutcome<null>>;
  /** @see https://pay.weixin.qq.com/doc/v3/merchant/4012524936 */
  share(request: SharingRequest): Promise<WechatOutcome<SharingState>>;
  /**
   * Queries a sharing or an unfreeze.
   *
   * @see https://pay.weixin.qq.com/doc/v3/merchant/4012525210
   */
  querySharing(sharing: SharingReference): Promise<WechatOutcome<SharingState>>;
  /** @see https://pay.weixin.qq.com/doc/v3/merchant/4012526374 */
  unfreeze(request: UnfreezeRequest): Promise<WechatOutcome<SharingState>>;
  /** @see https://pay.weixin.qq.com/doc/v3/merchant/4012525287 */
  returnShared(request: SharingReturnRequest): Promise<WechatOutcome<SharingReturnState>>;
  /** @see https://pay.weixin.qq.com/doc/v3/merchant/4012526279 */
  queryReturn(sharingReturn: SharingReturnReference): Promise<WechatOutcome<SharingReturnState>>;
}

interface Deps {
  readonly perform: Perform;
  readonly calls: SignedCalls;
  readonly keys: Pick<PlatformKeys, 'encryptionKey'>;
}

/** The profit-sharing calls of {@link createWechatPayClient}. */
export function createProfitSharingCalls(deps: Deps): ProfitSharingCalls {
  return { ...createSharingCalls(deps), ...createReturnCalls(deps) };
}

function createSharingCalls({
  perform,
  calls,
  keys,
}: Deps): Pick<ProfitSharingCalls, 'addReceiver' | 'share' | 'querySharing' | 'unfreeze'> {
  return {
    addReceiver: (request) =>
      perform({
        subject: { operation: 'receiver_add', outOrderNo: request.outOrderNo },
        personal: personalOf(request),
        make: async (send) => {
          const sealed = await sealNames([request.name], keys, ([name]) =>
            receiverBody(request, name),
          );
          if (sealed === null) return NO_ENCRYPTION_KEY;
          return calls.addReceiver(sealed, request.merchantId, send);
        },
        read: (status, text) => readReceiver(request, status, text),
      }),
    share: (request) =>
      perform({
        subject: { operation: 'share', outOrderNo: request.outOrderNo },
        personal: request.receivers.flatMap(personalOf),
        make: async (send) => {
          const names = request.receivers.map(({ name }) => name);
          const sealed = await sealNames(names, keys, (hidden) => sharingBody(request, hidden));
          if (sealed === null) return NO_ENCRYPTION_KEY;
          return calls.share(sealed, request.merchantId, send);
        },
        read: readSharing,
      }),
    querySharing: ({ merchantId, signal, ...sharing }) =>
      perform({
        subject: { operation: 'share_query', outOrderNo: sharing.outOrderNo },
        signal,
        make: (send) => calls.querySharing(sharing, merchantId, send),
        read: readSharing,
      }),
    unfreeze: ({ merchantId, transactionId, outOrderNo, description }) =>
      perform({
        subject: { operation: 'unfreeze', outOrderNo },
        make: (send) => {
          const body = { transaction_id: transactionId, out_order_no: outOrderNo, description };
          return calls.unfreeze(body, merchantId, send);
        },
        read: readSharing,
      }),
  };
}

/** The name and the openid of a receiver; the number of a merchant is public. */
function personalOf({
  type,
  account,
  name,
}: Pick<SharingReceiver, 'type' | 'account' | 'name'>): (string | null)[] {
  return [name, type === 'PERSONAL_OPENID' ? account : null];
}

function createReturnCalls({
  perform,
  calls,
}: Deps): Pick<ProfitSharingCalls, 'returnShared' | 'queryReturn'> {
  return {
    returnShared: (request) =>
      perform({
        subject: { operation: 'return', outOrderNo: request.outOrderNo },
        make: (send) => {
          const body = {
            out_order_no: request.outOrderNo,
            out_return_no: request.outReturnNo,
            return_mchid: request.returnMerchantId,
            amount: request.amountFen,
            description: request.description,
          };
          return calls.returnShared(body, request.merchantId, send);
        },
        read: readReturn,
      }),
    queryReturn: ({ merchantId, signal, ...sharingReturn }) =>
      perform({
        subject: { operation: 'return_query', outOrderNo: sharingReturn.outOrderNo },
        signal,
        make: (send) => calls.queryReturn(sharingReturn, merchantId, send),
        read: readReturn,
      }),
  };
}

/**
 * Makes a body with names that only WeChat can read, and leaves out absent names.
 *
 * @returns null when there is something to encrypt and we know no key of WeChat.
 */
async function sealNames<Body>(
  names: readonly (string | null)[],
  keys: Pick<PlatformKeys, 'encryptionKey'>,
  bodyWith: (hidden: readonly { readonly name?: string }[]) => Body,
): Promise<Sealed<Body> | null> {
  if (names.every((name) => name === null)) return { body: bodyWith([]), keySerial: null };
  const current = await keys.encryptionKey();
  if (current === null) return null;
  const hidden = names.map((name) =>
    name === null ? {} : { name: encryptField(name, current.key) },
  );
  return { body: bodyWith(hidden), keySerial: current.serial };
}

function receiverBody(
  request: AddReceiverRequest,
  name: { readonly name?: string } = {},
): ReceiverBody {
  return {
    appid: request.appId,
    type: request.type,
    account: request.account,
    ...name,
    relation_type: request.relationType,
  };
}

function sharingBody(
  request: SharingRequest,
  names: readonly { readonly name?: string }[],
): SharingBody {
  return {
    appid: request.appId,
    transaction_id: request.transactionId,
    out_order_no: request.outOrderNo,
    receivers: request.receivers.map((receiver, index) => ({
      type: receiver.type,
      account: receiver.account,
      ...names[index],
      amount: receiver.amountFen,
      description: receiver.description,
    })),
    unfreeze_unsplit: request.unfreezeUnsplit,
  };
}

/** Null also when the response is about another receiver. */
function readReceiver(
  { type, account }: AddReceiverRequest,
  status: number,
  text: string,
): { value: null } | null {
  if (status !== 200) return null;
  const seen = receiverResponse.safeParse(parseObject(text)).data;
  return seen?.type === type && seen.account === account ? { value: null } : null;
}

function readSharing(status: number, text: string): { value: SharingState } | null {
  if (status !== 200) return null;
  const seen = sharingResponse.safeParse(parseObject(text));
  return seen.success ? { value: seen.data } : null;
}

function readReturn(status: number, text: string): { value: SharingReturnState } | null {
  if (status !== 200) return null;
  const seen = sharingReturnResponse.safeParse(parseObject(text));
  return seen.success ? { value: seen.data } : null;
}

// WeChat's rules for share returns.
import { isDeepStrictEqual } from 'node:util';
import { refuse, type Reply } from '../http/reply';
import type { Merchant } from '../keys/merchants';
import { returnBody } from './sharing-body';
import type { ReturnBody } from './sharing-schemas';
import type { SharingStore, SimulatedReturn, SimulatedSharing } from './sharing-store';
import { newSharingId } from './sharings';

/** A share can be taken back within this time. */
const RETURNABLE_MS = 180 * 24 * 3_600_000;

export interface SharingReturns {
  /** Makes a new return, or returns the one that the same request made before, as it is now. */
  ask: (merchant: Merchant, body: ReturnBody) => Reply;
  query: (merchant: Merchant, outReturnNo: string, outOrderNo: unknown) => Reply;
}

const invalid = (message: string): Reply => refuse(400, 'INVALID_REQUEST', message);
const replyOf = (one: SimulatedReturn): Reply => ({ status: 200, body: returnBody(one) });

/** Null when this receiver has this amount to return. */
function checkReturn(
  sharing: SimulatedSharing,
  body: ReturnBody,
  before: readonly SimulatedReturn[],
  nowMs: number,
): Reply | null {
  const part = sharing.parts.find(
    ({ type, account }) => type === 'MERCHANT_ID' && account === body.return_mchid,
  );
  if (part === undefined) return invalid('回退方不是该分账单的商户接收方');
  if (part.result !== 'SUCCESS') return invalid('该接收方未分账成功，不可回退');
  if (nowMs - (part.finishedAtMs ?? part.createdAtMs) > RETURNABLE_MS) {
    return invalid('分账单已超过可回退的最大期限');
  }
  const held = before.filter(
    (one) =>
      one.sharing === sharing &&
      one.returnMerchantId === body.return_mchid &&
      one.result !== 'FAILED',
  );
  const heldFen = held.reduce((all, { amountFen }) => all + amountFen, 0);
  return heldFen + body.amount > part.amountFen ? invalid('回退金额大于分账金额') : null;
}

/** The rules of share returns (https://pay.weixin.qq.com/doc/v3/merchant/4012525287). */
export function createSharingReturns(deps: {
  readonly store: SharingStore;
  readonly now: () => number;
  /** Called when the money is on its way, or there already. */
  readonly begin: (one: SimulatedReturn) => void;
}): SharingReturns {
  const { sharings, returns } = deps.store;
  return {
    ask: ({ merchantId }, body) => {
      const known = returns.find(merchantId, body.out_return_no);
      if (known !== null) {
        return isDeepStrictEqual(known.content, body)
          ? replyOf(known)
          : invalid('同一商户回退单号的请求参数与之前不一致');
      }
      const sharing = sharings.find(merchantId, body.out_order_no);
      if (sharing?.kind !== 'share') {
        return refuse(404, 'RESOURCE_NOT_EXISTS', '分账单不存在');
      }
      const nowMs = deps.now();
      const refusal = checkReturn(sharing, body, returns.of(sharing.payment), nowMs);
      if (refusal !== null) return refusal;
      const one: SimulatedReturn = {
        outReturnNo: body.out_return_no,
        returnId: newSharingId(nowMs),
        sharing,
        returnMerchantId: body.return_mchid,
        amountFen: body.amount,
        description: body.description,
        content: body,
        createdAtMs: nowMs,
        result: 'PROCESSING',
        failReason: null,
        finishedAtMs: null,
      };
      returns.add(one);
      deps.begin(one);
      return replyOf(one);
    },
    query: ({ merchantId }, outReturnNo, outOrderNo) => {
      const one = returns.find(merchantId, outReturnNo);
      return one !== null && one.sharing.outOrderNo === outOrderNo
        ? replyOf(one)
        : refuse(404, 'RESOURCE_NOT_EXISTS', '回退单不存在');
    },
  };
}

// Queries WeChat for the notices of an order that can't be booked as they are.
import { carriesMoney } from '../../domain/payments/notices';
import { WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import { ERRORS } from '../../domain/error-catalogue';
import type { WechatOutcome } from '../../providers/wechatpay/calls/outcome';
import { OperationFailure } from '../retries/failures';
import { evidenceOf, isOfSettings } from '../wechat/deps';
import type { Database } from '../../database/database';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import { storeFoundPayment } from './store-found-payment';

export interface NoticeQueryDeps {
  readonly database: Pick<Database, 'queries' | 'noticeQueries'>;
  readonly wechatpay: Pick<WechatPayClient, 'query' | 'queryRefund'>;
  readonly now: () => number;
}

/**
 * Queries WeChat once for all notices of the order that wait for it, whatever the order's status. A
 * transaction that WeChat names gets a row of its own in the inbox; then the notices get their
 * verdicts. When the retry budget is spent they get them too: a person has to look then.
 * @throws OperationFailure while WeChat gives no usable response
 */
export async function queryForNotices(deps: NoticeQueryDeps, outTradeNo: string): Promise<void> {
  const { database, wechatpay, now } = deps;
  const waiting = await database.noticeQueries.waiting(outTradeNo, now());
  if (waiting === null) return;
  const { merchantId, inboxIds } = waiting;
  const settle = (found: boolean) => database.noticeQueries.settle(inboxIds, found, now());
  const outcome = await wechatpay.query({ outTradeNo, merchantId });
  if (outcome.kind !== 'ok') {
    if (saysNoPayment(outcome)) return settle(false);
    throw new OperationFailure({
      operation: 'wechat.query',
      number: outTradeNo,
      subject: `${WECHAT_SUBJECTS.query}:notices`,
      code: outcome.code,
      evidence: evidenceOf(outcome),
      giveUp: () => settle(false),
    });
  }
  const { notice, raw } = outcome.value;
  const isNamed = notice.transactionId !== null && carriesMoney(notice.tradeState);
  if (isNamed) await storeFoundPayment(deps, { notice, raw }, merchantId);
  return settle(isNamed);
}

/** A refusal like that of an unknown number; one of our settings or rights says nothing. */
function saysNoPayment(outcome: Exclude<WechatOutcome<unknown>, { kind: 'ok' }>): boolean {
  return outcome.kind === 'refused' && !ERRORS[outcome.code].retry && !isOfSettings(outcome.code);
}

// The activity of a refund's run: sends the refund, and queries WeChat until it is settled.
import { Context } from '@temporalio/activity';
import type { MoneyActivities } from '../../workflows/activity-contract';
import { ATTEMPT_LIFE_MS } from '../wechat/deps';
import { takeNumberedTurn } from '../wechat/numbered-request';
import { queryRedirect, redirectRefund } from './redirect-refund';
import { refundRequest, standingOf, wakeOrderRun, type RefundRequestDeps } from './refund-request';
import { takeBackShare, type TakeBackDeps } from './take-back-shares';

export interface MoneyActivityDeps {
  readonly database: RefundRequestDeps['database'] & TakeBackDeps['database'];
  readonly wechatpay: RefundRequestDeps['wechatpay'] & TakeBackDeps['wechatpay'];
  /** Least time between two refunds of one payment. */
  readonly refundSpacingMs: () => Promise<number>;
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Makes the activities of a refund's run. */
export function createMoneyActivities(deps: MoneyActivityDeps) {
  return {
    async settleRefund(outRefundNo) {
      const { database, refundSpacingMs, now, random } = deps;
      const limits = {
        spacingMs: await refundSpacingMs(),
        attemptLifeMs: ATTEMPT_LIFE_MS,
        busyMs: busyMs(Context.current().info.attempt, random()),
      };
      const turn = await database.refunds.turn(outRefundNo, limits, now);
      switch (turn.kind) {
        case 'over':
          // The worker that recorded the end may have died before it woke the order's run.
          if (turn.dueOrder !== null) await wakeOrderRun(turn.dueOrder, outRefundNo);
          return standingOf(turn.status);
        case 'wait':
        case 'send':
        case 'query':
          return takeNumberedTurn(refundRequest(deps, limits), outRefundNo, turn);
        case 'redirect':
          return redirectRefund(deps, limits, turn);
        case 'query_redirect':
          return queryRedirect(deps, limits, turn);
        case 'person_needed':
          await wakeOrderRun(turn.outTradeNo, outRefundNo);
          return 'person_needed';
        case 'take_back':
          return takeBackShare(deps, turn);
      }
    },
  } satisfies MoneyActivities;
}

/** The wait for a token: runs that wait longest try most rarely, each at times of its own. */
function busyMs(attempt: number, random: number): number {
  const mostMs = Math.min(5_000, 500 * 2 ** Math.min(attempt, 8));
  return Math.round(500 + mostMs * random);
}

import { Context } from '@temporalio/activity';
import { ERRORS } from '../domain/error-catalogue';
import type { WechatActivities } from '../workflows/activity-contract';
import { closeAtWechat } from './close-at-wechat';
import { retryByPolicy } from './failures';
import { ATTEMPT_LIFE_MS, isOfSettings, type WechatActivityDeps } from './wechat-deps';

/** What the order's run asks of WeChat: prepay and close. */
export function createWechatActivities(deps: WechatActivityDeps) {
  const { database, wechatpay, now } = deps;
  const firstGapMs = deps.queryGapsMs[0] ?? 0;
  return {
    async prepay(outTradeNo, round) {
      const { attempt } = Context.current().info;
      const start = await database.prepays.start(outTradeNo, round, ATTEMPT_LIFE_MS, now());
      if (start.kind === 'settled') return database.runs.load(outTradeNo);
      const { attemptId, request } = start;
      const { openid, clientIp } = request;
      const outcome = await wechatpay.prepay({
        ...request,
        currency: 'CNY',
        openid: openid ?? undefined,
        clientIp: clientIp ?? undefined,
      });
      if (outcome.kind === 'ok') {
        const nowMs = now();
        return database.prepays.accepted(outTradeNo, {
          round,
          attemptId,
          token: outcome.value.token,
          requestId: outcome.requestId,
          firstQueryAtMs: nowMs + firstGapMs,
          nowMs,
        });
      }
      if (outcome.kind === 'unknown') {
        await database.prepays.unknown(attemptId, outcome.code, outcome.requestId, now());
        throw retryByPolicy('wechat.prepay', attempt, outcome.code);
      }
      if (ERRORS[outcome.code].retry) {
        await database.prepays.notNow(attemptId, outcome.wechatCode, outcome.requestId, now());
        throw retryByPolicy('wechat.prepay', attempt, outcome.code);
      }
      return database.prepays.refused(outTradeNo, {
        attemptId,
        refusal: outcome,
        ofSettings: isOfSettings(outcome.code),
        nowMs: now(),
      });
    },

    closeAtWechat: (outTradeNo, cause) => closeAtWechat(deps, outTradeNo, cause),
  } satisfies WechatActivities;
}

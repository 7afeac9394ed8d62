// Makes the activities that an order needs at WeChat: prepay, beside the close.
import { WECHAT_SUBJECTS } from '../../domain/interventions/subjects';
import { ERRORS } from '../../domain/error-catalogue';
import type { WechatActivities } from '../../workflows/activity-contract';
import { closeAtWechat } from './close-at-wechat';
import { OperationFailure, type FailedOperation } from '../retries/failures';
import { ATTEMPT_LIFE_MS, evidenceOf, isOfSettings, type WechatActivityDeps } from '../wechat/deps';

/** Makes the activities that an order's run needs at WeChat: prepay and close. */
export function createWechatActivities(deps: WechatActivityDeps) {
  const { database, wechatpay, now } = deps;
  return {
    async prepay(outTradeNo, round) {
      const [firstGapMs = 0] = await deps.queryGapsMs();
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
      const { code, requestId } = outcome;
      const failure = {
        operation: 'wechat.prepay',
        number: outTradeNo,
        subject: WECHAT_SUBJECTS.prepay,
        code,
        evidence: evidenceOf(outcome),
      } satisfies FailedOperation;
      if (outcome.kind === 'unknown') {
        await database.prepays.unknown(attemptId, code, requestId, now());
        throw new OperationFailure(failure);
      }
      const refused = () =>
        database.prepays.refused(outTradeNo, {
          attemptId,
          refusal: outcome,
          ofSettings: isOfSettings(code),
          nowMs: now(),
        });
      if (isOfSettings(code) || ERRORS[code].retry) {
        await database.prepays.notNow(attemptId, outcome.wechatCode, requestId, now());
        throw new OperationFailure({
          ...failure,
          settle: async ({ kind }) => {
            if (kind === 'spent' && isOfSettings(code)) await refused();
          },
        });
      }
      return refused();
    },

    closeAtWechat: (outTradeNo, cause) => closeAtWechat(deps, outTradeNo, cause),
  } satisfies WechatActivities;
}

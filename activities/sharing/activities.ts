// The activities of a sharing's run: send the sharing, and query WeChat until it is settled.
import type { SharingTurn } from '../../database/sharing/take-sharing-turn';
import type { WechatPayClient } from '../../providers/wechatpay/client';
import type { SharingActivities } from '../../workflows/activity-contract';
import { retryIn } from '../retries/failures';
import { ATTEMPT_LIFE_MS } from '../wechat/deps';
import { failRequest, recordReport, takeNumberedTurn } from '../wechat/numbered-request';
import {
  sharingRequest,
  standingOf,
  type SharingRequestKind,
  type SharingRequestDeps,
} from './sharing-request';

export interface SharingActivityDeps extends SharingRequestDeps {
  readonly wechatpay: SharingRequestDeps['wechatpay'] & Pick<WechatPayClient, 'addReceiver'>;
}

/** Receivers are made known one after the other, as many as one attempt has time for. */
const STEPS_MS = 20_000;

/** Makes the activities of a sharing's run. */
export function createSharingActivities(deps: SharingActivityDeps) {
  const { database, now } = deps;
  const sharings = sharingRequest(deps);
  return {
    async settleSharing(outOrderNo) {
      const untilMs = now() + STEPS_MS;
      while (now() < untilMs) {
        const turn = await database.sharings.turn(outOrderNo, ATTEMPT_LIFE_MS, now());
        switch (turn.kind) {
          case 'register':
            await registerReceiver(deps, sharings, turn);
            break;
          case 'over':
            return standingOf(turn.status, 'person_needed');
          case 'wait':
          case 'send':
          case 'query':
            return takeNumberedTurn(sharings, outOrderNo, turn);
        }
      }
      throw retryIn(1, 'NOT_YET', 'wechat.sharing');
    },

    async lookAtSharing(outOrderNo) {
      const { status, request, acceptedAtMs } = await database.sharings.underWay(outOrderNo);
      if (!request) return standingOf(status, 'under_way');
      const outcome = await sharings.query(request);
      // This query was extra: the run queries again at its time.
      if (outcome.kind !== 'ok') return 'under_way';
      const on = { attempt: null, acceptedAtMs };
      const recorded = await recordReport(sharings, request, outcome.value, on);
      return recorded.kind === 'ended' ? recorded.standing : 'under_way';
    },
  } satisfies SharingActivities;
}

/** Makes a receiver known to WeChat, before the sharing that names it is sent. */
async function registerReceiver(
  { database, wechatpay, now }: SharingActivityDeps,
  sharings: SharingRequestKind,
  { request, receiver, attemptId }: Extract<SharingTurn, { kind: 'register' }>,
): Promise<void> {
  const { merchantId, appId, outOrderNo } = request;
  const { type, account, name, relationType, line } = receiver;
  const outcome = await wechatpay.addReceiver({
    merchantId,
    appId,
    type,
    account,
    name,
    relationType,
    outOrderNo,
  });
  if (outcome.kind !== 'ok') {
    const operation = 'wechat.sharing';
    return failRequest(sharings, request, { operation, outcome, attemptId, evidence: { line } });
  }
  const { requestId } = outcome;
  await database.sharings.registered(receiver.id, { id: attemptId, requestId }, now());
}

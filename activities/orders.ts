import type { Database } from '../database/database';
import type { Notice } from '../domain/payment-notice';
import type { EffectActivities, OrderActivities } from '../workflows/activity-contract';
import { retryIn } from './failures';

export interface OrderActivityDeps {
  readonly database: Pick<Database, 'runs' | 'notices' | 'effects' | 'closing' | 'deliveries'>;
  /** Reads a decrypted notice, see wechatpay/notice-parser. */
  readonly parseNotice: (resource: string) => Notice;
  readonly now: () => number;
}

/** Between two tries of effects that failed: they are few (see MAX_EFFECT_ATTEMPTS), so a fixed pause serves. */
const EFFECT_RETRY_MS = 2_000;

/** The database steps of an order's run. */
export function createOrderActivities({ database, parseNotice, now }: OrderActivityDeps) {
  return {
    loadRun: (outTradeNo) => database.runs.load(outTradeNo),

    async applyNotices(outTradeNo) {
      const { view, more } = await database.notices.apply(outTradeNo, parseNotice, now());
      return { view, more };
    },

    runEffects: (outTradeNo) => database.effects.run(outTradeNo, now()),

    async finishEffects(outTradeNo) {
      const view = await database.effects.run(outTradeNo, now());
      if (view && view.effectsDue > 0) throw retryIn(EFFECT_RETRY_MS, 'EFFECT_FAILED', 'effects');
      return view;
    },

    async beginClose(outTradeNo, cause) {
      await database.closing.begin(outTradeNo, cause, now());
      return database.runs.load(outTradeNo);
    },

    rest: (outTradeNo) => database.deliveries.finishRound(outTradeNo, null),
  } satisfies OrderActivities & EffectActivities;
}

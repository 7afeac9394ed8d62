import type { Database } from '../database/database';
import type { Notice } from '../domain/payment-notice';
import type { EffectActivities, OrderActivities } from '../workflows/activity-contract';
import type { RetryOperation } from '../domain/retry-policy';
import { OperationFailures } from './failures';

export interface OrderActivityDeps {
  readonly database: Pick<Database, 'runs' | 'notices' | 'effects' | 'closing' | 'deliveries'>;
  /** Reads a decrypted notice, see wechatpay/notice-parser. */
  readonly parseNotice: (resource: string) => Notice;
  readonly now: () => number;
}

/** The database steps of an order's run. */
export function createOrderActivities({ database, parseNotice, now }: OrderActivityDeps) {
  return {
    loadRun: (outTradeNo) => database.runs.load(outTradeNo),

    async applyNotices(outTradeNo) {
      const { view, more } = await database.notices.apply(outTradeNo, parseNotice, now());
      return { view, more };
    },

    async runEffects(outTradeNo) {
      return (await database.effects.run(outTradeNo, now())).view;
    },

    async finishEffects(outTradeNo) {
      const { view, failed } = await database.effects.run(outTradeNo, now());
      if (failed.length === 0) return view;
      throw new OperationFailures(
        failed.map(({ effect, code, attempts, sqlState }) => ({
          operation: operationOf(effect),
          number: outTradeNo,
          subject: effect,
          code,
          evidence: { effect, sql_state: sqlState },
          attempts,
        })),
      );
    },

    async beginClose(outTradeNo, cause) {
      await database.closing.begin(outTradeNo, cause, now());
      return database.runs.load(outTradeNo);
    },

    rest: (outTradeNo) => database.deliveries.finishRound(outTradeNo, null),
  } satisfies OrderActivities & EffectActivities;
}

/** The policy that an effect goes by; what a refund takes back goes by that of what it took. */
function operationOf(effect: string): RetryOperation {
  if (effect.startsWith('stock')) return 'inventory.stock';
  if (effect.startsWith('points')) return 'fulfilment.points';
  return effect.startsWith('sales') ? 'fulfilment.sales' : 'fulfilment.delivery';
}

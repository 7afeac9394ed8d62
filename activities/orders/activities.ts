// The database steps of an order's run.
import { Context } from '@temporalio/activity';
import { readEffect, type DatabaseEffect } from '../../domain/fulfilment/effects';
import { UUID } from '../../domain/uuid';
import type { Database } from '../../database/database';
import type { FailedEffect } from '../../database/fulfilment/run-effects';
import { isInterventionAction } from '../../domain/interventions/reasons';
import type { Notice } from '../../domain/payments/notices';
import type { EffectActivities, OrderActivities } from '../../workflows/activity-contract';
import { runs } from '../runs/wake-runs';
import type { RetryOperation } from '../../domain/retries/retry-policy';
import { OperationFailures } from '../retries/failures';

export interface OrderActivityDeps {
  readonly database: Pick<
    Database,
    'runs' | 'notices' | 'effects' | 'closing' | 'deliveries' | 'resolutions' | 'refunds'
  >;
  /** Parses a decrypted notice, see providers/wechatpay/notices/notice-parser.ts. */
  readonly parseNotice: (resource: string) => Notice;
  readonly now: () => number;
}

/** Characters in the note of a proposal by hand; the API accepts as many. */
const MAX_NOTE = 1_000;

/** Makes the database steps of an order's run. */
export function createOrderActivities({ database, parseNotice, now }: OrderActivityDeps) {
  return {
    loadRun: (outTradeNo) => database.runs.load(outTradeNo),

    async applyNotices(outTradeNo) {
      const applied = await database.notices.apply(outTradeNo, parseNotice, now());
      for (const notice of applied.unreadable) {
        Context.current().log.warn('notice.fields_replaced', { outTradeNo, ...notice });
      }
      // Their rows are due, so the sweep starts a run that could not be woken here.
      await Promise.allSettled([
        ...applied.refunds.map((refundNo) => runs.wakeRefund(refundNo)),
        ...applied.sharings.map((sharingNo) => runs.wakeSharing(sharingNo)),
      ]);
      return { view: applied.view, more: applied.more };
    },

    async runEffects(outTradeNo) {
      return (await database.effects.run(outTradeNo, now())).view;
    },

    async finishEffects(outTradeNo) {
      // The local attempt came a moment ago. Its failures are decided first, and wait for their
      // time.
      if (Context.current().info.attempt === 1) {
        const before = await database.effects.undecided(outTradeNo);
        if (before.length > 0) throw failuresOf(outTradeNo, before);
      }
      const { view, failed } = await database.effects.run(outTradeNo, now());
      if (failed.length === 0) return view;
      throw failuresOf(outTradeNo, failed);
    },

    async beginClose(outTradeNo, cause) {
      await database.closing.begin(outTradeNo, cause, now());
      return database.runs.load(outTradeNo);
    },

    rest: (outTradeNo) => database.deliveries.finishRound(outTradeNo, null),

    async propose(outTradeNo, proposal) {
      const valid = readProposal(proposal);
      const made = valid !== null && (await database.resolutions.propose(outTradeNo, valid, now()));
      if (!made) Context.current().log.warn('proposal.ignored', { outTradeNo });
    },

    async readRefund(outRefundNo) {
      const status = await database.refunds.status(outRefundNo);
      if (status === null) return 'unknown_refund';
      if (status === 'succeeded' || status === 'closed') return status;
      // The refund's run ends, so that a resolution starts a new one, which acts at once.
      return status === 'abnormal' ? 'person_needed' : 'under_way';
    },
  } satisfies OrderActivities & EffectActivities;
}

function failuresOf(outTradeNo: string, failed: readonly FailedEffect[]): OperationFailures {
  return new OperationFailures(
    failed.map(({ effect, code, attempts, evidence }) => ({
      operation: operationOf(effect),
      number: outTradeNo,
      subject: effect,
      code,
      evidence: { effect, ...evidence },
      attempts,
    })),
  );
}

/**
 * Reads a proposal that a person typed in Web UI.
 * @returns null when it is not a proposal
 */
function readProposal(proposal: unknown) {
  if (typeof proposal !== 'object' || proposal === null) return null;
  const { interventionId, action, note } = proposal as Readonly<Record<string, unknown>>;
  if (typeof interventionId !== 'string' || !UUID.test(interventionId)) return null;
  if (!isInterventionAction(action)) return null;
  const text = typeof note === 'string' ? note.replaceAll(/\p{Cc}/gu, ' ').slice(0, MAX_NOTE) : '';
  return { interventionId, action, note: text };
}

/** The retry policy of an effect. A refund's compensation has the policy of its effect. */
function operationOf(name: string): RetryOperation {
  return OPERATIONS[readEffect(name).effect];
}

const OPERATIONS: Readonly<Record<DatabaseEffect, RetryOperation>> = {
  points: 'fulfilment.points',
  sales: 'fulfilment.sales',
  stock: 'inventory.stock',
  delivery: 'fulfilment.delivery',
};

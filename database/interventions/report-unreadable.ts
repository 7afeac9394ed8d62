// Opens an intervention about each encrypted value that can't be decrypted, and logs it.
import { UNREADABLE_VALUE, invariantSubject } from '../../domain/interventions/subjects';
import type { DatabaseContext, Tx } from '../core/context';
import type { FieldPlace } from '../encryption/field-place';
import type { UnreadableValueError, UnreadableValues } from '../encryption/unreadable-value';
import { openUnlessDismissed } from './open-intervention';

/** Logs an unreadable value; for the operator, and without a word of its content. */
export type LogUnreadable = (ids: Readonly<Record<string, unknown>>, event: string) => void;

/** The numbers of interventions about values that belong to no order. */
const OF_NO_ORDER: Readonly<Record<string, string>> = { known_receivers: 'receivers' };
/** Proposals whose subject is an order. */
const ABOUT_ORDERS = ['refund', 'profit_sharing'];
const EVENT = 'database.value_unreadable';
/** A value that is read again and again is looked up this often. */
const AGAIN_AFTER_MS = 60_000;
/** So many values are remembered; beyond it all are forgotten, and looked up once more. */
const MAX_REMEMBERED = 1_000;

/** The reports of one process. */
export interface UnreadableReports extends UnreadableValues {
  /** Resolves when no report is under way. */
  readonly settled: () => Promise<void>;
}

/**
 * Makes the reports. All values of an order that stand in one column and have one key are one
 * intervention, so that a page of codes opens one. While a person has dismissed it, or it is open,
 * nothing is opened or logged: of several processes one logs it.
 */
export function createUnreadableReports(deps: {
  readonly prisma: DatabaseContext['prisma'];
  readonly logError: LogUnreadable;
  readonly now: () => number;
}): UnreadableReports {
  const remembered = new Map<string, number>();
  let last: Promise<void> = Promise.resolve();

  const log = (error: UnreadableValueError, outTradeNo: string) => {
    const { column, keyId, why } = error;
    deps.logError({ out_trade_no: outTradeNo, column, key_id: keyId, why }, EVENT);
  };

  /** True when the value was reported a moment ago. */
  function isKnown({ place, keyId }: UnreadableValueError): boolean {
    const value = JSON.stringify([place.table, place.column, place.row, keyId]);
    const nowMs = deps.now();
    if ((remembered.get(value) ?? 0) > nowMs - AGAIN_AFTER_MS) return true;
    if (remembered.size >= MAX_REMEMBERED) remembered.clear();
    remembered.set(value, nowMs);
    return false;
  }

  async function open(error: UnreadableValueError): Promise<void> {
    const outTradeNo = await deps.prisma.$transaction(async (tx) => {
      const number = await numberOf(tx, error.place);
      const isNew = await openUnlessDismissed(tx, {
        outTradeNo: number,
        ours: (await tx.order.count({ where: { outTradeNo: number } })) === 1,
        reason: 'invariant',
        subject: invariantSubject(UNREADABLE_VALUE, error.column),
        evidence: error.evidence,
        now: new Date(deps.now()),
      });
      return isNew ? number : null;
    });
    if (outTradeNo !== null) log(error, outTradeNo);
  }

  return {
    log,
    report(error) {
      if (isKnown(error)) return;
      // One after the other: a page with many of them takes one connection.
      last = last
        .then(() => open(error))
        .catch(() => {
          // The database is away. The value is reported when it is read the next time.
          remembered.clear();
        });
    },
    settled: () => last,
  };
}

/** The number that an intervention about a value has. */
async function numberOf(tx: Tx, { table, row }: FieldPlace): Promise<string> {
  return (await orderOf(tx, table, row)) ?? OF_NO_ORDER[table] ?? table;
}

/** The order that a value belongs to; null when it belongs to none. */
async function orderOf(tx: Tx, table: string, id: string): Promise<string | null> {
  const where = { id };
  const select = { outTradeNo: true } as const;
  switch (table) {
    case 'orders':
      return id;
    case 'product_codes':
      return (await tx.productCode.findUnique({ where, select }))?.outTradeNo ?? null;
    case 'refunds':
      return (
        (await tx.refund.findUnique({ where: { outRefundNo: id }, select }))?.outTradeNo ?? null
      );
    case 'notification_inbox':
      return (await tx.inboxNotification.findUnique({ where, select }))?.outTradeNo ?? null;
    case 'intervention_resolutions':
      return (await tx.interventionResolution.findUnique({ where, select }))?.outTradeNo ?? null;
    case 'profit_sharing_receivers': {
      const ofSharing = { sharing: { select } } as const;
      const row = await tx.profitSharingReceiver.findUnique({ where, select: ofSharing });
      return row?.sharing.outTradeNo ?? null;
    }
    case 'proposals': {
      const row = await tx.proposal.findUnique({ where, select: { action: true, subject: true } });
      return row && ABOUT_ORDERS.includes(row.action) ? row.subject : null;
    }
    default:
      return null;
  }
}

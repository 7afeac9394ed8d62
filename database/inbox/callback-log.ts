// Logs the callbacks that WeChat delivered, each with our reply, and lists them.
import { Prisma } from '../../generated/prisma/client';
import type { DatabaseContext } from '../core/context';

/** One delivered callback and our reply. */
export interface CallbackDelivery {
  /** Unix ms. */
  readonly receivedAtMs: number;
  /** null when the api refused it before it read the envelope. */
  readonly notificationId: string | null;
  readonly outTradeNo: string | null;
  /** `added`, `duplicate`, `conflicting`, or why the api refused it. */
  readonly outcome: string;
  readonly httpStatus: number;
  readonly durationMs: number;
}

export interface CallbackDeliveryView {
  readonly id: string;
  readonly receivedAt: Date;
  readonly notificationId: string | null;
  readonly outTradeNo: string | null;
  readonly outcome: string;
  readonly httpStatus: number;
  readonly durationMs: number;
}

export interface CallbackDeliveryFilter {
  readonly outTradeNo: string | null;
  readonly outcome: string | null;
  /** The last row of the page before. */
  readonly after: { readonly receivedAt: Date; readonly id: string } | null;
  readonly limit: number;
}

/** The log of delivered callbacks. It only informs: payments are applied from the inbox. */
export function createCallbackDeliveries({ prisma }: DatabaseContext) {
  return {
    /** Adds a batch in one statement. */
    async append(batch: readonly CallbackDelivery[]): Promise<void> {
      const column = <K extends keyof CallbackDelivery>(name: K) => batch.map((one) => one[name]);
      const receivedAt = batch.map(({ receivedAtMs }) => new Date(receivedAtMs));
      await prisma.$executeRaw`
        INSERT INTO callback_deliveries
          (received_at, notification_id, out_trade_no, outcome, http_status, duration_ms)
        SELECT * FROM unnest(${receivedAt}::timestamptz[], ${column('notificationId')}::text[],
          ${column('outTradeNo')}::text[], ${column('outcome')}::text[],
          ${column('httpStatus')}::int[], ${column('durationMs')}::float8[])`;
    },

    /** One page of those that fit all of the filter, newest first; null fits every row. */
    list(filter: CallbackDeliveryFilter): Promise<CallbackDeliveryView[]> {
      const conditions = [Prisma.sql`true`];
      const { outTradeNo, outcome, after } = filter;
      if (outTradeNo !== null) conditions.push(Prisma.sql`out_trade_no = ${outTradeNo}`);
      if (outcome !== null) conditions.push(Prisma.sql`outcome = ${outcome}`);
      if (after) {
        conditions.push(Prisma.sql`(received_at, id) < (${after.receivedAt}, ${after.id}::bigint)`);
      }
      return prisma.$queryRaw<CallbackDeliveryView[]>`
        SELECT id::text, received_at AS "receivedAt", notification_id AS "notificationId",
          out_trade_no AS "outTradeNo", outcome, http_status AS "httpStatus",
          duration_ms AS "durationMs"
        FROM callback_deliveries WHERE ${Prisma.join(conditions, ' AND ')}
        ORDER BY received_at DESC, id DESC LIMIT ${filter.limit}`;
    },
  };
}

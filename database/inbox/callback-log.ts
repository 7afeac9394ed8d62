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
  /** Further deliveries of the same duplicate that have no row of their own. */
  readonly repeats: number;
}

/** Of the duplicates of one notification, so many have a row each in any {@link WINDOW}. */
export const LOGGED_DUPLICATES = 20;
const WINDOW = '1 hour';

export interface CallbackDeliveryView {
  readonly id: string;
  readonly receivedAt: Date;
  readonly notificationId: string | null;
  readonly outTradeNo: string | null;
  readonly outcome: string;
  readonly httpStatus: number;
  readonly durationMs: number;
  readonly repeats: number;
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
    /**
     * Adds a batch in one statement. The first duplicates of a notification in an hour get a row
     * each; later ones are counted in the newest of these rows, so that a flood of repeats fills no
     * table. Two processes that log duplicates of one notification at the same moment may each see
     * the last rows free.
     * @returns the number of rows that were added
     */
    async append(batch: readonly CallbackDelivery[]): Promise<number> {
      const column = <K extends keyof CallbackDelivery>(name: K) => batch.map((one) => one[name]);
      const receivedAt = batch.map(({ receivedAtMs }) => new Date(receivedAtMs));
      const [added] = await prisma.$queryRaw<{ rows: number }[]>`
        WITH input AS (
          SELECT * FROM unnest(${receivedAt}::timestamptz[], ${column('notificationId')}::text[],
            ${column('outTradeNo')}::text[], ${column('outcome')}::text[],
            ${column('httpStatus')}::int[], ${column('durationMs')}::float8[],
            ${column('repeats')}::int[]) WITH ORDINALITY
            AS t (received_at, notification_id, out_trade_no, outcome, http_status, duration_ms,
              repeats, place)
        ), duplicates AS (
          SELECT notification_id, (SELECT count(*) FROM (SELECT 1 FROM callback_deliveries d
              WHERE d.notification_id = i.notification_id AND d.outcome = 'duplicate'
                AND d.received_at > i.newest - ${WINDOW}::interval LIMIT ${LOGGED_DUPLICATES}) l
            ) AS logged
          FROM (SELECT notification_id, max(received_at) AS newest FROM input
            WHERE outcome = 'duplicate' GROUP BY notification_id) i
        ), placed AS (
          SELECT input.*, CASE WHEN outcome = 'duplicate' THEN logged
            + row_number() OVER (PARTITION BY notification_id, outcome ORDER BY place) END AS nth
          FROM input LEFT JOIN duplicates USING (notification_id)
        ), beyond AS (
          SELECT notification_id, sum(repeats + 1) AS repeats FROM placed
          WHERE nth > ${LOGGED_DUPLICATES} GROUP BY notification_id
        ), added AS (
          INSERT INTO callback_deliveries (received_at, notification_id, out_trade_no, outcome,
            http_status, duration_ms, repeats)
          SELECT p.received_at, notification_id, p.out_trade_no, p.outcome, p.http_status,
            p.duration_ms, p.repeats
              + CASE WHEN p.nth = ${LOGGED_DUPLICATES} THEN coalesce(beyond.repeats, 0) ELSE 0 END
          FROM placed p LEFT JOIN beyond USING (notification_id)
          WHERE p.nth IS NULL OR p.nth <= ${LOGGED_DUPLICATES} ORDER BY p.place
          RETURNING 1
        ), last AS (
          SELECT d.id, beyond.repeats FROM beyond JOIN duplicates USING (notification_id)
          JOIN callback_deliveries d ON d.id = (SELECT id FROM callback_deliveries newest
            WHERE newest.notification_id = beyond.notification_id AND newest.outcome = 'duplicate'
            ORDER BY newest.received_at DESC, newest.id DESC LIMIT 1)
          WHERE logged = ${LOGGED_DUPLICATES}
          -- Every writer locks in this order, so that no two wait for each other.
          ORDER BY d.id FOR NO KEY UPDATE OF d
        ), counted AS (
          UPDATE callback_deliveries d SET repeats = d.repeats + last.repeats
          FROM last WHERE d.id = last.id
        )
        SELECT count(*)::int AS rows FROM added`;
      return added?.rows ?? 0;
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
          duration_ms AS "durationMs", repeats
        FROM callback_deliveries WHERE ${Prisma.join(conditions, ' AND ')}
        ORDER BY received_at DESC, id DESC LIMIT ${filter.limit}`;
    },
  };
}

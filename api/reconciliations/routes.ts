// The routes of the reconciliations of WeChat's bills.
import type { z } from 'zod';
import type { Database } from '../../database/database';
import type { DifferenceView } from '../../database/reconciliation/read-reconciliations';
import { billDayRefusal, isBillDate, type BillDate } from '../../domain/reconciliation/bill-days';
import { UUID } from '../../domain/uuid';
import { inTime } from '../http/deadline';
import {
  ALL_ROLES,
  operation,
  OPERATOR_ROLES,
  type Call,
  type Operation,
  type Reply,
} from '../http/operations';
import { page } from '../http/page';
import { ApiError, invalidField } from '../http/problem';
import type { OrderRuns } from '../temporal/order-runs';
import type { WakeOrLeaveToSweep } from '../temporal/wake-later';
import { csvHeader, csvLines } from './differences-csv';
import {
  differenceListReply,
  reconciliationListReply,
  reconciliationReply,
  renderDifference,
  renderReconciliation,
  requestedReply,
} from './replies';
import {
  differenceListQuery,
  newReconciliation,
  reconciliationListQuery,
  reconciliationPath,
} from './schemas';

export interface ReconciliationRouteDeps {
  readonly database: Pick<Database, 'reconciliations'>;
  readonly runs: Pick<OrderRuns, 'ensureReconciliationRun'>;
  readonly wakeOrLeaveToSweep: WakeOrLeaveToSweep;
  readonly now: () => number;
}

type DayPath = z.output<typeof reconciliationPath>;

const BILL_DATE = /^\d{4}-\d{2}-\d{2}$/;
/** Rows of a table; a spreadsheet opens so many without effort. */
const MAX_CSV_ROWS = 100_000;
const CSV_PAGE = 5_000;

/** Makes the operations on reconciliations. */
export function reconciliationOperations(deps: ReconciliationRouteDeps): Operation[] {
  const { reconciliations } = deps.database;
  return [
    operation({
      id: 'reconcile',
      method: 'post',
      path: '/v1/reconciliations',
      summary: "Reconciles a day's bill of WeChat Pay; a day that is done is reconciled again",
      roles: OPERATOR_ROLES,
      body: newReconciliation,
      reply: requestedReply,
      replies: {
        200: 'The reconciliation of this day is under way already',
        202: 'The reconciliation is requested; its run starts at once, or when Temporal is back',
      },
      handle: (call) => reconcile(deps, call),
    }),
    operation({
      id: 'listReconciliations',
      method: 'get',
      path: '/v1/reconciliations',
      summary: 'Lists the reconciliations, the newest day first',
      roles: ALL_ROLES,
      query: reconciliationListQuery,
      reply: reconciliationListReply,
      replies: { 200: 'A page of reconciliations' },
      handle: ({ query }) =>
        page({
          query,
          idShape: BILL_DATE,
          read: (after, limit) =>
            reconciliations.list(after && isBillDate(after.id) ? after.id : null, limit),
          placeOf: ({ billDate }) => ({ at: new Date(billDate), id: billDate }),
          render: renderReconciliation,
        }),
    }),
    operation({
      id: 'getReconciliation',
      method: 'get',
      path: '/v1/reconciliations/:bill_date',
      summary: 'Reads the reconciliation of a day',
      roles: ALL_ROLES,
      params: reconciliationPath,
      reply: reconciliationReply,
      replies: { 200: 'The reconciliation', 404: 'This day was never reconciled' },
      handle: async ({ params }) => {
        const view = await inTime(reconciliations.find(params.bill_date));
        if (!view) throw noSuchDay(params.bill_date);
        return { status: 200, body: renderReconciliation(view) };
      },
    }),
    operation({
      id: 'listDifferences',
      method: 'get',
      path: '/v1/reconciliations/:bill_date/differences',
      summary: 'Lists the differences of a day, oldest first; a table with `Accept: text/csv`',
      roles: ALL_ROLES,
      params: reconciliationPath,
      query: differenceListQuery,
      reply: differenceListReply,
      csv: true,
      replies: { 200: 'A page of differences', 404: 'This day was never reconciled' },
      handle: (call) => listDifferences(deps, call),
    }),
  ];
}

const noSuchDay = (date: BillDate): ApiError =>
  new ApiError('NOT_FOUND', `${date} was never reconciled; POST /v1/reconciliations does it`);

const REFUSALS = {
  not_over: 'must be a day that is over in Beijing',
  too_old: 'must be within three months: WeChat Pay keeps its bills for so long',
} as const;

async function reconcile(
  { database, runs, wakeOrLeaveToSweep, now }: ReconciliationRouteDeps,
  { body }: Call<{ body: z.output<typeof newReconciliation> }>,
): Promise<Reply> {
  const date = body.bill_date;
  const refusal = billDayRefusal(date, now());
  if (refusal !== null) throw invalidField('bill_date', REFUSALS[refusal]);
  const isNew = await inTime(database.reconciliations.request(date, now()));
  // Also for one that is under way: its run may be gone.
  wakeOrLeaveToSweep(runs.ensureReconciliationRun(date));
  const view = await inTime(database.reconciliations.find(date));
  return {
    status: isNew ? 202 : 200,
    body: { bill_date: date, status: view?.status ?? 'waiting' },
  };
}

async function listDifferences(
  { database: { reconciliations } }: ReconciliationRouteDeps,
  call: Call<{ params: DayPath; query: z.output<typeof differenceListQuery> }>,
): Promise<Reply> {
  const { params, query, header } = call;
  const date = params.bill_date;
  if ((await inTime(reconciliations.find(date))) === null) throw noSuchDay(date);
  const filter = { billDate: date, type: query.type ?? null, status: query.status ?? null };
  const read = (after: { readonly since: Date; readonly id: string } | null, limit: number) =>
    reconciliations.listDifferences({ ...filter, after, limit });
  if (wantsCsv(header('accept'))) return { status: 200, csv: await readTable(read) };
  return page({
    query,
    idShape: UUID,
    read: (after, limit) => read(after && { since: after.at, id: after.id }, limit),
    placeOf: ({ since, id }) => ({ at: since, id }),
    render: renderDifference,
  });
}

const wantsCsv = (accept: string | undefined): boolean =>
  accept?.split(',').some((one) => one.trim().toLowerCase().startsWith('text/csv')) ?? false;

/** The whole table, read page by page. @throws ApiError 400 when it has too many rows */
async function readTable(
  read: (after: DifferenceView | null, limit: number) => Promise<readonly DifferenceView[]>,
): Promise<string> {
  const parts = [csvHeader()];
  let rows = 0;
  let last: DifferenceView | null = null;
  do {
    const next: readonly DifferenceView[] = await inTime(read(last, CSV_PAGE));
    rows += next.length;
    if (rows > MAX_CSV_ROWS) {
      const detail = `The table has more than ${MAX_CSV_ROWS} rows: filter it by type or status`;
      throw new ApiError('VALIDATION_ERROR', detail);
    }
    parts.push(csvLines(next));
    last = next.length === CSV_PAGE ? (next.at(-1) ?? null) : null;
  } while (last !== null);
  return parts.join('');
}

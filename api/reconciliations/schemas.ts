// Schemas of the requests for reconciliations.
import { z } from 'zod';
import { isBillDate } from '../../domain/reconciliation/bill-days';
import {
  DIFFERENCE_STATUSES,
  DIFFERENCE_TYPE_NAMES,
} from '../../domain/reconciliation/differences';
import { pageQuery } from '../http/page';

/** The day of a bill. */
const billDate = z.string().refine(isBillDate, 'must be a day like 2026-11-30');

/** `POST /v1/reconciliations`. */
export const newReconciliation = z.strictObject({
  bill_date: billDate.describe('the day of the bill in Beijing, like `2026-11-30`'),
});

export const reconciliationPath = z.object({ bill_date: billDate });

/** `GET /v1/reconciliations`. */
export const reconciliationListQuery = z.strictObject(pageQuery);

/** `GET /v1/reconciliations/{bill_date}/differences`. */
export const differenceListQuery = z.strictObject({
  type: z.enum(DIFFERENCE_TYPE_NAMES).optional(),
  status: z.enum(DIFFERENCE_STATUSES).optional(),
  ...pageQuery,
});

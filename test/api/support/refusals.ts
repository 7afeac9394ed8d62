// Checks that a request was refused with a problem document and stored nothing.
import type { Pool } from 'pg';
import { isErrorCode } from '../../../domain/error-catalogue';

/** The tables that a refused request must not change. */
const TABLES = [
  'orders',
  'order_items',
  'order_status_history',
  'stock_reservations',
  'notification_inbox',
  'interventions',
  'idempotency_keys',
  'order_fingerprints',
  'products',
  'product_codes',
  'stock_movements',
  'audit_log',
  'profit_sharings',
  'profit_sharing_receivers',
  'known_receivers',
];

/** How many rows each table holds. */
export async function countRows(sql: Pool): Promise<Record<string, number>> {
  const counts = TABLES.map((table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`);
  const { rows } = await sql.query<Record<string, number>>(`SELECT ${counts.join(', ')}`);
  const [row] = rows;
  if (!row) throw new Error('no counts');
  return row;
}

/** Expects a problem document that has all fields and reveals no internals. */
export function expectProblem(
  reply: { readonly status: number | null; readonly body: unknown; readonly headers: Headers },
  status: number,
  field?: string,
): void {
  const { body } = reply;
  expect([reply.status, body]).toEqual([status, expect.anything()]);
  expect(reply.headers.get('content-type')).toMatch(/^application\/problem\+json(;|$)/);
  const problem = body as { status?: number; code?: string; errors?: { field: string }[] };
  expect(problem).toMatchObject({
    type: expect.stringMatching(/^urn:oncepay:error:/) as string,
    title: expect.any(String) as string,
    detail: expect.any(String) as string,
    status,
  });
  expect(isErrorCode(problem.code)).toBe(true);
  expect(JSON.stringify(body)).not.toMatch(/\bat .+:\d+:\d+|node_modules|prisma|postgres/i);
  if (field !== undefined) {
    expect(problem.errors?.map((error) => error.field)).toContain(field);
  }
}

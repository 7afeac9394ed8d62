import type { Pool } from 'pg';
import { isErrorCode } from '../../../domain/error-catalogue';

/** What a refused request must not touch. */
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
];

/** How many rows each table holds. */
export async function countRows(sql: Pool): Promise<Record<string, number>> {
  const counts = TABLES.map((table) => `(SELECT count(*)::int FROM ${table}) AS ${table}`);
  const { rows } = await sql.query<Record<string, number>>(`SELECT ${counts.join(', ')}`);
  const [row] = rows;
  if (!row) throw new Error('no counts');
  return row;
}

/** Expects a problem document that a caller can act on and that tells nothing of our insides. */
export function expectProblem(
  answer: { readonly status: number | null; readonly body: unknown; readonly headers: Headers },
  status: number,
  field?: string,
): void {
  const { body } = answer;
  expect([answer.status, body]).toEqual([status, expect.anything()]);
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json(;|$)/);
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

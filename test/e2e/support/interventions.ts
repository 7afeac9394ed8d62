// Helps tests of interventions: opens, reads and resolves them.
import { ScheduleOverlapPolicy } from '@temporalio/client';
import type { Reply } from '../../../stack/oncepay';
import { someUser, type OrderView, type TestOncepay } from '../../support/oncepay';
import { until } from '../../support/until';

/** The fields of an intervention in `GET /v1/interventions`. */
export interface Intervention {
  readonly id: string;
  readonly out_trade_no: string;
  readonly reason: string;
  readonly subject: string;
  readonly status: string;
  readonly actions: readonly string[];
  readonly evidence: Readonly<Record<string, unknown>>;
  readonly amount: number | null;
  readonly resolution: string | null;
  readonly previous_id: string | null;
  readonly pending: { readonly action: string; readonly status: string } | null;
}

export async function interventionsOf(
  oncepay: TestOncepay,
  no: string,
  status = 'open',
): Promise<Intervention[]> {
  const path = `/v1/interventions?status=${status}&out_trade_no=${no}&limit=200`;
  const { body } = await oncepay.call('GET', path);
  return (body as unknown as { data: Intervention[] }).data;
}

/** Waits until an intervention with this reason is open on a number. */
export function untilOpened(
  oncepay: TestOncepay,
  no: string,
  reason: string,
  timeoutMs?: number,
): Promise<Intervention> {
  return until(
    `${reason} is open on ${no}`,
    async () => {
      const open = await interventionsOf(oncepay, no);
      return open.find((one) => one.reason === reason);
    },
    timeoutMs,
  );
}

/**
 * Starts a patrol now, or when the one that runs has ended. The minute in which it opens nothing
 * after an outage is over.
 */
export async function startPatrol({ sql, temporal }: TestOncepay): Promise<void> {
  await sql.query(`UPDATE dependencies SET since = now() - interval '1 hour'`);
  await temporal.schedule.getHandle('oncepay-patrol').trigger(ScheduleOverlapPolicy.BUFFER_ONE);
}

export function untilResolved(oncepay: TestOncepay, id: string): Promise<void> {
  return until(`${id} is answered`, async () => {
    const { rows } = await oncepay.sql.query<{ status: string }>(
      'SELECT status FROM interventions WHERE id = $1',
      [id],
    );
    return rows[0]?.status === 'resolved' ? true : null;
  }).then(() => undefined);
}

/** Resolves an intervention as the operator; where that needs two persons, with an admin. */
export async function resolveByTwo(
  oncepay: TestOncepay,
  id: string,
  action: string,
  more: { params?: object } = {},
): Promise<Reply> {
  const first = await resolve(oncepay, id, action, more);
  const { resolution } = first.body as { resolution?: { status: string } };
  return resolution?.status === 'proposed'
    ? resolve(oncepay, id, action, { ...more, as: 'admin' })
    : first;
}

/** Resolves an intervention as the operator. */
export function resolve(
  oncepay: TestOncepay,
  id: string,
  action: string,
  more: { params?: object; as?: 'operator' | 'admin' | 'merchant' } = {},
): Promise<Reply> {
  const { params, as = 'operator' } = more;
  return oncepay.call('POST', `/v1/interventions/${id}/resolution`, {
    as,
    body: { action, note: 'looked into it', ...(params === undefined ? {} : { params }) },
  });
}

/** Puts as the admin; where that needs two persons, the deputy is the second. */
export async function putByTwo(oncepay: TestOncepay, path: string, body: object): Promise<void> {
  const first = await oncepay.call('PUT', path, { body });
  const { status, body: reply } =
    first.status === 202 ? await oncepay.call('PUT', path, { body, as: 'deputy' }) : first;
  if (status !== 200) throw new Error(JSON.stringify(reply));
}

/** Sets a field of a retry policy. */
export async function setPolicy(
  oncepay: TestOncepay,
  operation: string,
  fields: Record<string, number>,
): Promise<void> {
  const path = `/v1/retry-policies/${operation}`;
  const { body } = await oncepay.call('GET', path);
  await putByTwo(oncepay, path, { ...(body as object), ...fields });
}

export async function setSetting(
  oncepay: TestOncepay,
  name: string,
  value: string | null,
): Promise<void> {
  await putByTwo(oncepay, `/v1/settings/${name}`, { value });
}

/** An order of a product of this test alone. */
export async function orderOf(
  oncepay: TestOncepay,
  product: { kind: 'physical' | 'virtual'; stock?: number; codes?: string[] },
): Promise<{ no: string; sku: string }> {
  const sku = `sku-${someUser()}`;
  const { kind, stock, codes } = product;
  await oncepay.call('PUT', `/v1/products/${sku}`, { body: { name: 'Thing', kind, stock } });
  if (codes) await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
  const no = await oncepay.newOrder({ items: [{ sku, quantity: 2, unit_price: 150 }] });
  return { no, sku };
}

/** An order that was closed and is paid after all. @returns its number */
export async function lateOrder(oncepay: TestOncepay, items?: object[]): Promise<string> {
  const no = await oncepay.newOrder(items ? { items } : {});
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  await oncepay.untilStatus(no, 'closed');
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  return no;
}

/** Waits until the newest refund of an order has this status. */
export function untilRefund(oncepay: TestOncepay, no: string, status: string): Promise<OrderView> {
  return oncepay.untilOrder(no, `a refund is ${status}`, ({ refunds }) =>
    refunds.some((refund) => refund.status === status),
  );
}

// The states in which a released version leaves orders, and the way each goes on from there.
import { orderBody, type OrderView, type TestOncepay } from '../../support/oncepay';
import { orderOf, resolve, untilOpened, untilRefund } from '../../e2e/support/interventions';
import { paidOrder, requestRefund } from '../../e2e/support/refunds';
import { FIRST, receiver, sharableOrder, shared, untilSharing } from '../../e2e/support/sharing';

/** An order that a released version has left open. */
export interface OpenOrder {
  readonly no: string;
  /** Does what the payer, the bank, the shop or the operator does next; waits for its end. */
  readonly goOn: () => Promise<unknown>;
}

/** A state in which orders are when an upgrade begins. */
export interface OpenState {
  /** Completes the sentence "an order that …". */
  readonly title: string;
  readonly begin: (oncepay: TestOncepay) => Promise<OpenOrder>;
  /** The end of each order that was in this state. */
  readonly end: { readonly status: string; readonly refundedFen: number };
}

const LONG = { expires_in_seconds: 3_600 };
/** The work of a worker that has stopped is taken up again within this time. */
const RECOVERY_MS = 75_000;
const FULFILLED = { status: 'fulfilled', refundedFen: 0 };

const state = (title: string, end: OpenState['end'], begin: OpenState['begin']): OpenState => ({
  title,
  begin,
  end,
});

export const OPEN_STATES: readonly OpenState[] = [
  state('nobody has paid is paid', FULFILLED, async (oncepay) => {
    const no = await oncepay.newOrder(LONG);
    return { no, goOn: () => pay(oncepay, no) };
  }),
  state('nobody has paid is paid, and its callback is lost', FULFILLED, async (oncepay) => {
    const no = await oncepay.newOrder(LONG);
    return { no, goOn: () => pay(oncepay, no, { callbacks: 0 }) };
  }),
  state('nobody has paid is closed by the shop', closed(), async (oncepay) => {
    const no = await oncepay.newOrder(LONG);
    return { no, goOn: () => close(oncepay, no) };
  }),
  state('is requested again is the same order', FULFILLED, requestedAgain),
  state('lacks codes gets them, and the operator retries', FULFILLED, lackingCodes),
  state('fails in an effect is fulfilled later', FULFILLED, failingEffect),
  state('the shop refuses to hear of is reported later', FULFILLED, refusedWebhook),
  state('WeChat refunds in part is refunded', { status: 'fulfilled', refundedFen: 100 }, refunding),
  state('has a failed refund is refunded when the operator retries', refunded(), failedRefund),
  state('is fulfilled is refunded in full', refunded(), async (oncepay) => {
    const no = await paidOrder(oncepay);
    return { no, goOn: () => refund(oncepay, no, 300) };
  }),
  state('is closed is paid late, and refunded', refunded(), async (oncepay) => {
    const no = await oncepay.newOrder(LONG);
    await close(oncepay, no);
    return { no, goOn: () => payLate(oncepay, no) };
  }),
  state('is paid a second time gives back the second payment', FULFILLED, async (oncepay) => {
    const no = await paidOrder(oncepay);
    return { no, goOn: () => paySecond(oncepay, no) };
  }),
  state('was paid too little is accepted by the operator', FULFILLED, (oncepay) =>
    mismatched(oncepay, 'accept', 'fulfilled'),
  ),
  state('was paid too little is refunded by the operator', closed(), (oncepay) =>
    mismatched(oncepay, 'refund', 'closed'),
  ),
  state('is shared gets the result of its sharing', FULFILLED, sharing),
  state('nobody has paid expires', closed(), async (oncepay) => {
    const no = await oncepay.newOrder({ expires_in_seconds: 60 });
    return { no, goOn: () => oncepay.untilStatus(no, 'closed', 60_000 + RECOVERY_MS) };
  }),
];

function closed(): OpenState['end'] {
  return { status: 'closed', refundedFen: 0 };
}

function refunded(): OpenState['end'] {
  return { status: 'refunded', refundedFen: 300 };
}

async function pay(
  oncepay: TestOncepay,
  no: string,
  how: { callbacks?: number; totalFen?: number } = {},
): Promise<OrderView> {
  await oncepay.simulator.pay({ outTradeNo: no, ...how });
  return oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
}

async function close(oncepay: TestOncepay, no: string): Promise<void> {
  const { status } = await oncepay.call('POST', `/v1/orders/${no}/close`);
  expect([200, 202]).toContain(status);
  await oncepay.untilStatus(no, 'closed', RECOVERY_MS);
}

async function requestedAgain(oncepay: TestOncepay): Promise<OpenOrder> {
  const body = orderBody({ ...LONG, metadata: { phone: 'A' } });
  const request = async (headers: Record<string, string>) => {
    const answer = await oncepay.call('POST', '/v1/orders', { body, headers });
    return { ...(answer.body as { out_trade_no: string }), status: answer.status };
  };
  const key = { 'idempotency-key': `upgrade-${String(body['user_id'])}` };
  const plain = await request({});
  const keyed = await request(key);
  expect([plain.status, keyed.status]).toEqual([201, 201]);
  const no = plain.out_trade_no;
  return {
    no,
    async goOn() {
      expect(await request({})).toMatchObject({ out_trade_no: no, status: 200 });
      expect(await request(key)).toMatchObject({ out_trade_no: keyed.out_trade_no, status: 200 });
      await close(oncepay, keyed.out_trade_no);
      await pay(oncepay, no, { callbacks: 3 });
      await oncepay.simulator.notify({ outTradeNo: no, count: 3, newId: true });
      await oncepay.untilOrder(no, 'each report has its verdict', ({ notices }) =>
        notices.every(({ verdict }) => verdict !== null),
      );
    },
  };
}

async function lackingCodes(oncepay: TestOncepay): Promise<OpenOrder> {
  const { no, sku } = await orderOf(oncepay, { kind: 'virtual' });
  await oncepay.simulator.pay({ outTradeNo: no });
  const { id } = await untilOpened(oncepay, no, 'no_codes');
  return {
    no,
    async goOn() {
      const codes = [`${sku}-a`, `${sku}-b`];
      await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
      await resolve(oncepay, id, 'retry');
      const order = await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
      expect(order.codes?.map(({ code }) => code).sort()).toEqual(codes);
    },
  };
}

/** The database refuses the points of this order for a while. */
async function failingEffect(oncepay: TestOncepay): Promise<OpenOrder> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.sql.query('INSERT INTO refused_points VALUES ($1)', [no]);
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilOrder(no, 'an effect has failed', ({ effects }) =>
    effects.some(({ error }) => error !== null),
  );
  return {
    no,
    async goOn() {
      await oncepay.sql.query('DELETE FROM refused_points WHERE out_trade_no = $1', [no]);
      await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
    },
  };
}

async function refusedWebhook(oncepay: TestOncepay): Promise<OpenOrder> {
  const no = await oncepay.newOrder(LONG);
  oncepay.webhooks.refuse(no, true);
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilOrder(no, 'the shop has refused a webhook', ({ deliveries }) =>
    deliveries.some(({ attempts }) => attempts > 0),
  );
  return {
    no,
    async goOn() {
      oncepay.webhooks.refuse(no, false);
      await oncepay.untilStatus(no, 'fulfilled', RECOVERY_MS);
    },
  };
}

async function refund(oncepay: TestOncepay, no: string, amount: number): Promise<void> {
  const { status } = await requestRefund(oncepay, no, { out_refund_no: `r-${no}`, amount });
  expect(status).toBe(202);
  await untilRefunded(oncepay, no);
}

const untilRefunded = (oncepay: TestOncepay, no: string) =>
  oncepay.untilOrder(
    no,
    'its refund has succeeded and the shop knows',
    ({ refunds, deliveries }) =>
      refunds.every(({ status }) => status === 'succeeded') &&
      deliveries.some(({ event, status }) => event === 'refund.succeeded' && status === 'done'),
    RECOVERY_MS,
  );

async function refunding(oncepay: TestOncepay): Promise<OpenOrder> {
  const no = await paidOrder(oncepay);
  const outRefundNo = `r-${no}`;
  oncepay.simulator.setRefundOutcome({ status: 'PROCESSING', outTradeNo: no, times: 1 });
  await requestRefund(oncepay, no, { out_refund_no: outRefundNo, amount: 100 });
  await untilRefund(oncepay, no, 'processing');
  return {
    no,
    async goOn() {
      await oncepay.simulator.settleRefund({ outRefundNo, status: 'SUCCESS' });
      await untilRefunded(oncepay, no);
    },
  };
}

async function failedRefund(oncepay: TestOncepay): Promise<OpenOrder> {
  const no = await paidOrder(oncepay);
  oncepay.simulator.setFault({
    operation: 'refund',
    kind: 'error',
    status: 403,
    code: 'NO_AUTH',
    outTradeNo: no,
  });
  await requestRefund(oncepay, no, { out_refund_no: `r-${no}`, amount: 300 });
  const { id } = await untilOpened(oncepay, no, 'refund_failed');
  return {
    no,
    async goOn() {
      await resolve(oncepay, id, 'retry');
      await untilRefunded(oncepay, no);
    },
  };
}

async function payLate(oncepay: TestOncepay, no: string): Promise<void> {
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  await oncepay.untilStatus(no, 'refunded', RECOVERY_MS);
  await untilRefunded(oncepay, no);
}

async function paySecond(oncepay: TestOncepay, no: string): Promise<void> {
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  await untilRefund(oncepay, no, 'succeeded');
  await untilRefunded(oncepay, no);
}

async function mismatched(
  oncepay: TestOncepay,
  action: 'accept' | 'refund',
  end: string,
): Promise<OpenOrder> {
  const no = await oncepay.newOrder(LONG);
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: 299 });
  const { id } = await untilOpened(oncepay, no, 'amount_mismatch');
  return {
    no,
    async goOn() {
      await resolve(oncepay, id, action);
      await oncepay.untilStatus(no, end, RECOVERY_MS);
      if (action === 'refund') await untilRefund(oncepay, no, 'succeeded');
    },
  };
}

async function sharing(oncepay: TestOncepay): Promise<OpenOrder> {
  const no = await sharableOrder(oncepay);
  oncepay.simulator.setSharingOutcome({ result: 'PENDING', outTradeNo: no, times: 1 });
  const outOrderNo = await shared(oncepay, no, [receiver(40)]);
  await untilSharing(oncepay, no, outOrderNo, 'processing');
  return {
    no,
    async goOn() {
      await oncepay.simulator.settleSharing({ outOrderNo, account: FIRST, result: 'SUCCESS' });
      await untilSharing(oncepay, no, outOrderNo, 'finished', RECOVERY_MS);
    },
  };
}

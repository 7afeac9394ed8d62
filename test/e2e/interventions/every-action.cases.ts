// Plays every action of every intervention reason.
import { INTERVENTIONS, type InterventionReason } from '../../../domain/interventions/reasons';
import { countEffects, type TestOncepay } from '../../support/oncepay';
import { sharedOncepay } from '../../support/share-oncepay';
import { until } from '../../support/until';
import {
  resolve,
  resolveByTwo,
  lateOrder,
  orderOf,
  interventionsOf,
  setPolicy,
  setSetting,
  untilResolved,
  untilOpened,
  untilRefund,
  type Intervention,
} from '../support/interventions';
import { spentOf, stuckOrder, wrongBalance } from '../support/hung-runs';
import { closedReceiver, failedReturn, lostSharing, sentAgain } from '../support/failed-sharings';
import { externalRefund, paidOrder } from '../support/refunds';
import { sharingsOf } from '../support/sharing';

let oncepay: TestOncepay;
beforeAll(async () => {
  oncepay = sharedOncepay();
  for (const operation of ['fulfilment.points', 'notification.webhook', 'wechat.refund']) {
    await setPolicy(oncepay, operation, { base_delay_ms: 50, max_attempts: 2 });
  }
});
afterEach(() => oncepay.simulator.clearFaults());

type Reason = InterventionReason;
interface Asked {
  readonly question: Intervention;
  /** Repairs what made the action necessary. */
  readonly mend?: () => Promise<void>;
}
type Provoke = () => Promise<Asked>;
type Expectation = (asked: Asked) => Promise<void>;
interface Case {
  readonly provoke: Provoke;
  readonly actions: Readonly<Record<string, Expectation>>;
  /** Actions that need the reason to come from another cause. */
  readonly causes?: Readonly<Record<string, Provoke>>;
}

const asked = async (no: string, reason: Reason): Promise<Asked> => ({
  question: await untilOpened(oncepay, no, reason),
});
const refuse = (operation: 'refund' | 'prepay' | 'close', code = 'NO_AUTH') =>
  oncepay.simulator.setFault({ operation, kind: 'error', status: 403, code, times: 99 });
const fulfilled: Expectation = async ({ question }) => {
  const order = await oncepay.untilStatus(question.out_trade_no, 'fulfilled');
  expect(order.attention).toBeNull();
  expect(await countEffects(oncepay.sql, order.out_trade_no)).toMatchObject({ applied: 1 });
};
const skipped: Expectation = async (one) => {
  await fulfilled(one);
  const { effects } = await oncepay.order(one.question.out_trade_no);
  expect(effects.find(({ effect }) => effect === one.question.subject)?.status).toBe('skipped');
};
const refunded: Expectation = async ({ question }) => {
  const order = await oncepay.untilStatus(question.out_trade_no, 'refunded');
  expect(order).toMatchObject({ attention: null, amount: { total: 300, refunded: 300 } });
  expect(order.effects.filter(({ status }) => status === 'pending')).toEqual([]);
};
const backWithPayer: Expectation = async ({ question }) => {
  const { out_trade_no: no } = question;
  await until('WeChat has paid it back once', () => {
    const back = oncepay.simulator.refundsOf(no).filter(({ status }) => status === 'SUCCESS');
    return Promise.resolve(back.length === 1 ? true : null);
  });
};
const isOver: Expectation = async ({ question }) => {
  await untilResolved(oncepay, question.id);
  expect(await interventionsOf(oncepay, question.out_trade_no)).toEqual([]);
};
/** It fails in the same way, so the next intervention is opened. */
const askedAnew: Expectation = async ({ question }) => {
  const next = await until('it is asked anew', async () => {
    const open = await interventionsOf(oncepay, question.out_trade_no);
    return open.find(({ id }) => id !== question.id);
  });
  expect(next).toMatchObject({ reason: question.reason, previous_id: question.id });
};
const given = { bank_type: 'ICBC_DEBIT', bank_account: '6222020000000000000', real_name: '张三' };

async function failingPoints(): Promise<Asked> {
  const no = await oncepay.newOrder();
  const name = `refuse_${no.toLowerCase()}`;
  await oncepay.sql.query(
    `ALTER TABLE points_entries ADD CONSTRAINT ${name} CHECK (out_trade_no <> '${no}') NOT VALID`,
  );
  await oncepay.simulator.pay({ outTradeNo: no });
  const mend = async () => {
    await oncepay.sql.query(`ALTER TABLE points_entries DROP CONSTRAINT ${name}`);
  };
  return { ...(await asked(no, 'effect_failed')), mend };
}

async function lostStock(): Promise<Asked> {
  const { no, sku } = await orderOf(oncepay, { kind: 'physical', stock: 5 });
  await oncepay.sql.query('UPDATE products SET stock = 0, reserved = 0 WHERE sku = $1', [sku]);
  await oncepay.simulator.pay({ outTradeNo: no });
  const mend = async () => {
    await oncepay.sql.query('UPDATE products SET stock = 5, reserved = 2 WHERE sku = $1', [sku]);
  };
  return { ...(await asked(no, 'no_stock')), mend };
}

async function emptyPool(): Promise<Asked> {
  const { no, sku } = await orderOf(oncepay, { kind: 'virtual' });
  await oncepay.simulator.pay({ outTradeNo: no });
  const mend = async () => {
    const codes = [`${sku}-a`, `${sku}-b`];
    await oncepay.call('POST', `/v1/products/${sku}/codes`, { body: { codes } });
  };
  return { ...(await asked(no, 'no_codes')), mend };
}

async function refusedPrepay(): Promise<Asked> {
  refuse('prepay');
  const created = await oncepay.call('POST', '/v1/orders', {
    body: {
      channel: 'admin',
      user_id: `refused-${Date.now()}-${Math.random()}`,
      description: 'x',
      items: [{ sku: 'shirt', quantity: 1, unit_price: 300 }],
      amount: { total: 300, currency: 'CNY' },
    },
  });
  expect(created.status).toBe(502);
  const { out_trade_no: no } = created.body as { out_trade_no: string };
  oncepay.simulator.clearFaults();
  return asked(no, 'wechat_failed');
}

async function refusedRefund(): Promise<Asked> {
  refuse('refund');
  const no = await lateOrder(oncepay);
  const found = await asked(no, 'refund_failed');
  oncepay.simulator.clearFaults();
  return found;
}

async function settledAs(status: 'CLOSED' | 'ABNORMAL', reason: Reason): Promise<Asked> {
  oncepay.simulator.setRefundOutcome({ status, times: 1 });
  return asked(await lateOrder(oncepay), reason);
}

async function failedSurplus(): Promise<Asked> {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no });
  await oncepay.untilStatus(no, 'fulfilled');
  refuse('refund');
  await oncepay.simulator.pay({ outTradeNo: no, force: true });
  const found = await asked(no, 'surplus_payment');
  oncepay.simulator.clearFaults();
  return found;
}

async function paidUnknown(): Promise<Asked> {
  const no = `SHOP${Date.now()}`;
  const { notifyUrl } = oncepay;
  await oncepay.simulator.pay({ outTradeNo: no, totalFen: 500, force: true, notifyUrl });
  return asked(no, 'unknown_order');
}

async function mismatched(payment: object, reason: Reason): Promise<Asked> {
  const no = await oncepay.newOrder();
  await oncepay.simulator.pay({ outTradeNo: no, ...payment });
  return asked(no, reason);
}

async function askedLate(): Promise<Asked> {
  await setSetting(oncepay, 'late_payment', 'ask');
  const no = await lateOrder(oncepay);
  const found = await asked(no, 'late_payment');
  await setSetting(oncepay, 'late_payment', null);
  return found;
}

async function deafShop(): Promise<Asked> {
  oncepay.webhooks.failNext(2);
  const no = await oncepay.newOrder();
  await oncepay.call('POST', `/v1/orders/${no}/close`);
  return asked(no, 'undeliverable');
}

/** A refund made elsewhere, of more than the payment. */
async function foreignRefund(): Promise<Asked> {
  const no = await paidOrder(oncepay);
  const { transaction_id: transactionId } = await oncepay.order(no);
  const resource = externalRefund(no, transactionId ?? '', 301);
  await oncepay.simulator.sendRaw({ kind: 'refund', outTradeNo: no, resource });
  return asked(no, 'reconciliation');
}

async function wrongPoints(): Promise<Asked> {
  const { no, mend } = await wrongBalance(oncepay);
  return { ...(await asked(no, 'invariant')), mend };
}

const spent = ({ question }: Asked) => spentOf(oncepay, question.out_trade_no);

const EFFECT = { retry: fulfilled, skip: skipped, refund: refunded };

const CASES: Readonly<Record<Reason, Case>> = {
  amount_mismatch: {
    provoke: () => mismatched({ totalFen: 299 }, 'amount_mismatch'),
    actions: {
      async refund(one) {
        const { out_trade_no: no } = one.question;
        await backWithPayer(one);
        const order = await untilRefund(oncepay, no, 'succeeded');
        expect(order).toMatchObject({ status: 'closed', amount: { refunded: 0 } });
        expect(oncepay.simulator.refundsOf(no)).toMatchObject([{ refundFen: 299 }]);
      },
      async accept(one) {
        await fulfilled(one);
        const order = await oncepay.order(one.question.out_trade_no);
        expect(order.transaction_id).toBe(one.question.subject);
      },
      retry: askedAnew,
    },
  },
  identity_mismatch: {
    provoke: () => mismatched({ merchantId: '1900000000' }, 'identity_mismatch'),
    actions: { dismiss: isOver },
  },
  unknown_order: { provoke: paidUnknown, actions: { refund: backWithPayer, dismiss: isOver } },
  late_payment: { provoke: askedLate, actions: { refund: refunded, accept: fulfilled } },
  surplus_payment: {
    provoke: failedSurplus,
    actions: {
      retry: backWithPayer,
      async dismiss(one) {
        await isOver(one);
        await untilRefund(oncepay, one.question.out_trade_no, 'closed');
      },
    },
  },
  effect_failed: { provoke: failingPoints, actions: EFFECT },
  no_stock: { provoke: lostStock, actions: EFFECT },
  no_codes: { provoke: emptyPool, actions: EFFECT },
  wechat_failed: {
    provoke: refusedPrepay,
    actions: {
      async retry({ question }) {
        await oncepay.untilStatus(question.out_trade_no, 'awaiting_payment');
      },
      async close({ question }) {
        const order = await oncepay.untilStatus(question.out_trade_no, 'closed');
        expect(order.attention).toBeNull();
      },
    },
  },
  refund_failed: {
    provoke: refusedRefund,
    actions: {
      retry: refunded,
      async dismiss(one) {
        await isOver(one);
        const order = await untilRefund(oncepay, one.question.out_trade_no, 'closed');
        expect(order).toMatchObject({ status: 'paid_late', amount: { refunded: 0 } });
      },
    },
  },
  refund_closed: {
    provoke: () => settledAs('CLOSED', 'refund_closed'),
    actions: {
      async new_number(one) {
        await refunded(one);
        const { refunds } = await oncepay.order(one.question.out_trade_no);
        expect(refunds.map(({ status }) => status)).toEqual(['closed', 'succeeded']);
        expect(refunds[1]?.replaces).toBe(refunds[0]?.out_refund_no);
      },
      dismiss: isOver,
    },
  },
  refund_abnormal: {
    provoke: () => settledAs('ABNORMAL', 'refund_abnormal'),
    actions: { to_user: refunded, to_bank_card: refunded, dismiss: isOver },
  },
  sharing_failed: {
    provoke: async () => asked(await closedReceiver(oncepay), 'sharing_failed'),
    causes: { retry: async () => ({ question: await lostSharing(oncepay) }) },
    actions: {
      async new_number(one) {
        const { out_trade_no: no, subject } = one.question;
        const sharing = await until('it is shared anew', async () => {
          const all = await sharingsOf(oncepay, no);
          return all.find(({ replaces, status }) => replaces === subject && status === 'finished');
        });
        expect(sharing.receivers).toMatchObject([{ result: 'SUCCESS', amount: 60 }]);
      },
      async retry({ question }) {
        const { sharing, bodies } = await sentAgain(oncepay, question);
        expect(sharing.receivers).toMatchObject([{ result: 'SUCCESS', amount: 60 }]);
        expect(new Set(bodies).size).toBe(1);
        expect(oncepay.simulator.sharingsOf(question.out_trade_no)).toHaveLength(1);
      },
      dismiss: isOver,
    },
  },
  return_failed: {
    provoke: async () => asked(await failedReturn(oncepay), 'return_failed'),
    actions: {
      retry: refunded,
      async accept({ question }) {
        await until('WeChat was asked to refund', () => {
          const requests = oncepay.simulator.requestsOf(question.subject);
          return Promise.resolve(requests.some((one) => one.operation === 'refund') ? true : null);
        });
      },
      async dismiss(one) {
        await isOver(one);
        await untilRefund(oncepay, one.question.out_trade_no, 'closed');
      },
    },
  },
  undeliverable: {
    provoke: deafShop,
    actions: {
      async retry({ question }) {
        const { deliveries } = await oncepay.untilStatus(question.out_trade_no, 'closed');
        expect(deliveries).toMatchObject([{ event: 'order.closed', status: 'done' }]);
        expect(oncepay.webhooks.of(question.out_trade_no)).toHaveLength(1);
      },
      dismiss: isOver,
    },
  },
  stuck: {
    provoke: async () => asked(await stuckOrder(oncepay), 'stuck'),
    actions: {
      async retry(one) {
        await fulfilled(one);
        expect(await spent(one)).toEqual({});
      },
      async dismiss(one) {
        await isOver(one);
        expect(await spent(one)).toEqual({ 'wechat.close': 5 });
      },
    },
  },
  invariant: {
    provoke: wrongPoints,
    actions: { retry: isOver, dismiss: isOver },
  },
  reconciliation: {
    provoke: foreignRefund,
    actions: { retry: askedAnew, dismiss: isOver, refund: refunded },
  },
};

const ROWS = Object.entries(CASES).flatMap(([reason, { provoke, causes, actions }]) =>
  Object.entries(actions).map(([action, holds]) => {
    return { reason, action, provoke: causes?.[action] ?? provoke, holds };
  }),
);

test('every row of the table of reasons and actions is played here', () => {
  const played = ROWS.map(({ reason, action }) => `${reason} ${action}`).sort();
  const table = Object.entries(INTERVENTIONS).flatMap(([reason, actions]) =>
    actions.map((action) => `${reason} ${action}`),
  );
  expect(played).toEqual(table.sort());
});

test.each(ROWS)('$reason is resolved with $action', async ({ action, provoke, holds }) => {
  const one = await provoke();
  const { id, actions } = one.question;
  expect(actions).toContain(action);
  if (action === 'retry') await one.mend?.();
  const params = action === 'to_user' ? { params: given } : {};
  const replied = await resolveByTwo(oncepay, id, action, params);
  expect([replied.status, replied.body]).toEqual([200, expect.anything()]);
  await holds(one);
  // A second click changes nothing.
  const again = await resolve(oncepay, id, action, params);
  expect([again.status, again.body]).toEqual([200, expect.anything()]);
  const { rows } = await oncepay.sql.query(
    `SELECT status, proposed_by FROM intervention_resolutions WHERE intervention_id = $1`,
    [id],
  );
  expect(rows).toEqual([{ status: 'done', proposed_by: 'operator' }]);
  if (action !== 'retry') await one.mend?.();
});

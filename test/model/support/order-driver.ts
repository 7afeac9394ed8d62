// One order, and every step that its runs and callers can take, in any order.
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createMoneyActivities } from '../../../activities/refunds/activities';
import { createRetryControl } from '../../../activities/retries/control';
import { createRetryDecider } from '../../../activities/retries/decide-retry';
import type { RefundRequest, RefundRequestResult } from '../../../database/refunds/request-refund';
import { fen } from '../../../domain/money';
import type { InterventionAction } from '../../../domain/interventions/reasons';
import { parseNotice } from '../../../providers/wechatpay/notices/notice-parser';
import { call } from '../../simulator/wechatpay/support/merchant-client';
import type { RefundEnd } from '../../../simulator/wechatpay/refunds/refund-store';
import { createProcess, type Interruption } from './interruption';
import { ACTOR, SPACING_MS, SUBMISSION, type World } from './world';

/** The ordered items: tracked goods, codes from a pool, and an item without a product here. */
export interface Shape {
  readonly goods: { readonly quantity: number; readonly unitPriceFen: number };
  readonly codes: { readonly quantity: number; readonly unitPriceFen: number } | null;
  readonly thingFen: number;
  /** The pool is empty at first. */
  readonly noCodesYet: boolean;
  /** How far the order is when the sequence begins. */
  readonly from: 'created' | 'paid' | 'fulfilled';
  /** The payment is frozen for receivers. */
  readonly forSharing?: boolean;
}

/** A refund that the shop requests, its amount in fen. */
type RequestedRefund = Omit<RefundRequest, 'outTradeNo' | 'amountFen'> & {
  readonly amountFen: number;
};

export const STOCK = 10;
const QUIET = new DefaultLogger('ERROR');
const CARD = { bank_type: 'ICBC_DEBIT', bank_account: '6222020200112230', real_name: '王小明' };

let made = 0;

export type OrderDriver = Awaited<ReturnType<typeof createOrderDriver>>;

/**
 * One order, and every step that its runs and its callers can take, in any order. A refund's
 * attempt is the real activity with the real retry decision after it; the test only chooses the
 * order of the calls.
 */
export async function createOrderDriver(world: World, shape: Shape) {
  const { database, simulator, sql, mail, credentials } = world;
  made += 1;
  const names = { goods: `goods-${made}`, codes: `codes-${made}`, thing: `thing-${made}` };
  const { totalFen, items } = itemsOf(shape, names);
  await database.products.put(
    { sku: names.goods, name: 'Goods', kind: 'physical', stock: STOCK },
    ACTOR,
  );
  await database.products.put(
    { sku: names.codes, name: 'Codes', kind: 'virtual', stock: null },
    ACTOR,
  );
  const created = await database.orders.create(
    {
      channel: 'admin',
      userId: `user-${made}`,
      openid: null,
      clientIp: null,
      description: 'Things',
      items,
      totalFen,
      currency: 'CNY',
      shopOrderNo: null,
      profitSharing: shape.forSharing ?? false,
      metadata: null,
      appId: credentials.appId,
      merchantId: credentials.merchantId,
      notifyUrl: mail.url,
      timeExpire: new Date(world.now() + 3_600_000).toISOString(),
      expiresAtMs: world.now() + 3_600_000,
    },
    null,
    ACTOR,
    world.now(),
  );
  if (created.kind !== 'created') throw new Error(created.kind);
  const no = created.outTradeNo;
  const firstMail = mail.received.length;
  const hung: { goOn: () => void; over: Promise<void> }[] = [];

  const driver = {
    no,
    names,
    shape,
    totalFen,
    userId: `user-${made}`,
    world,

    /** The user pays, a second time too, and also when the order is closed. */
    async pay(): Promise<void> {
      await simulator.pay({ outTradeNo: no, totalFen, force: true, notifyUrl: mail.url });
    },
    async close(): Promise<void> {
      await database.closing.begin(no, 'close_requested', world.now());
    },
    letters: () => mail.received.slice(firstMail),
    /** A callback comes to the api, which stores it; the run is not woken. */
    async deliver(index: number): Promise<void> {
      const letter = mail.received[firstMail + index];
      if (!letter) throw new Error(`No callback ${index}`);
      const opened = await world.wechatpay.openCallback({
        headers: letter.headers,
        rawBody: Buffer.from(letter.body),
        nowMs: Date.now(),
      });
      if (opened.kind === 'rejected') throw new Error(opened.reason);
      const { notice, notificationId, eventType, resource } = opened;
      if (notice.kind !== 'payment' && notice.kind !== 'refund') throw new Error(notice.kind);
      const { kind, outTradeNo } = notice;
      const { merchantId } = credentials;
      const row = { notificationId, merchantId, kind, eventType, outTradeNo, resource };
      await world.inbox.add(row);
    },
    /** The order's run applies callbacks and resolutions. */
    async apply(): Promise<void> {
      while ((await database.notices.apply(no, parseNotice, world.now())).more);
    },
    /** The order's run carries out the effects that are due. */
    async runEffects(): Promise<void> {
      await database.effects.run(no, world.now());
    },
    async addCodes(): Promise<void> {
      await database.products.addCodes(names.codes, codesOf(shape, no), ACTOR);
    },
    ask: ({ amountFen, ...request }: RequestedRefund): Promise<RefundRequestResult> => {
      const asked = { ...request, outTradeNo: no, amountFen: fen(amountFen) };
      return database.refundRequests.request(asked, SUBMISSION, world.now());
    },

    /**
     * One attempt of a refund's run, in a process that may die or hang. Resolves when it does
     * either.
     */
    async attempt(outRefundNo: string, interruption: Interruption | null = null): Promise<void> {
      // The limit of failing calls per second is not what this test is about.
      await sql.query(`UPDATE rate_limits SET tokens = 3`);
      let hangs = (): void => undefined;
      const hanging = new Promise<void>((resolve) => {
        hangs = resolve;
      });
      const held: (() => void)[] = [];
      const process = createProcess(interruption, {
        onHang: (release) => {
          held.push(release);
          hangs();
        },
        onInterrupted: (one) => world.interrupted.push(one),
      });
      const over = attempt(world, outRefundNo, process);
      await Promise.race([over, hanging]);
      for (const goOn of held) hung.push({ goOn, over });
    },
    /** Processes that hung go on with their work, the oldest first. */
    async goOn(): Promise<void> {
      for (const one of hung.splice(0)) {
        one.goOn();
        await one.over;
      }
    },
    /** WeChat ends a refund, and sends callbacks about it or not. */
    async settle(outRefundNo: string, status: RefundEnd, callbacks: number): Promise<void> {
      await simulator.settleRefund({ outRefundNo, status, callbacks });
    },
    async interventions(): Promise<{ id: string; reason: string; subject: string }[]> {
      const { rows } = await sql.query<{ id: string; reason: string; subject: string }>(
        `SELECT id, reason, subject FROM interventions
         WHERE out_trade_no = $1 AND status = 'open' ORDER BY since, id`,
        [no],
      );
      return rows;
    },
    /** An operator resolves an intervention; the run carries it out later. */
    async resolve(interventionId: string, action: InterventionAction): Promise<void> {
      // The second one approves what two persons have to decide.
      for (const name of ['first', 'second']) {
        const submitted = await database.resolutions.submit({
          to: { interventionId },
          action,
          note: '',
          params: action === 'to_user' ? CARD : {},
          actor: { name, role: 'operator' },
          approves: null,
          nowMs: world.now(),
        });
        if (submitted.kind !== 'proposed') return;
      }
    },
    async refunds(): Promise<{ number: string; status: string }[]> {
      const { rows } = await sql.query<{ number: string; status: string }>(
        `SELECT out_refund_no AS number, status FROM refunds WHERE out_trade_no = $1
         ORDER BY created_at, out_refund_no`,
        [no],
      );
      return rows;
    },
  };
  if (!shape.noCodesYet) await driver.addCodes();
  if (shape.forSharing) await prepayForSharing(world, no, totalFen);
  if (shape.from !== 'created') {
    await driver.pay();
    await driver.deliver(0);
    await driver.apply();
  }
  if (shape.from === 'fulfilled') await driver.runEffects();
  return driver;
}

const codesOf = (shape: Shape, no: string) =>
  Array.from({ length: shape.codes?.quantity ?? 0 }, (_, n) => `${no}-code-${n}`);

function itemsOf(
  { goods, codes, thingFen }: Shape,
  names: Record<'goods' | 'codes' | 'thing', string>,
) {
  const lines = [
    { sku: names.goods, ...goods },
    ...(codes === null ? [] : [{ sku: names.codes, ...codes }]),
    { sku: names.thing, quantity: 1, unitPriceFen: thingFen },
  ];
  const items = lines.map((line) => ({
    ...line,
    unitPriceFen: fen(line.unitPriceFen),
    kind: null,
  }));
  const totalFen = fen(items.reduce((sum, one) => sum + one.quantity * one.unitPriceFen, 0));
  return { items, totalFen };
}

/** WeChat knows from the prepay that a payment is to be shared. */
async function prepayForSharing(world: World, no: string, totalFen: number): Promise<void> {
  const { appId, merchantId } = world.credentials;
  const body = JSON.stringify({
    appid: appId,
    mchid: merchantId,
    description: 'Things',
    out_trade_no: no,
    notify_url: world.mail.url,
    amount: { total: totalFen, currency: 'CNY' },
    settle_info: { profit_sharing: true },
  });
  const path = '/v3/pay/transactions/native';
  const { status } = await call(world, { method: 'POST', path, body });
  if (status !== 200) throw new Error(`prepay: ${status}`);
}

/** The activity, and its worker's reaction to its error. The rows hold all that Temporal would. */
async function attempt(
  world: World,
  outRefundNo: string,
  process: ReturnType<typeof createProcess>,
): Promise<void> {
  const { database, wechatpay, now } = world;
  const money = createMoneyActivities({
    database: {
      refunds: process.through(database.refunds),
      shareReturns: process.through(database.shareReturns),
    },
    wechatpay: process.through(wechatpay),
    refundSpacingMs: () => Promise.resolve(SPACING_MS),
    now,
    random: () => 0.5,
  });
  await judgeIn(world, process, { activity: 'settleRefund', number: outRefundNo }, () =>
    new MockActivityEnvironment({}, { logger: QUIET }).run(() => money.settleRefund(outRefundNo)),
  );
}

/** Does an activity, and reacts to its error as its worker would, in the same process. */
export async function judgeIn(
  { database, now }: World,
  process: ReturnType<typeof createProcess>,
  of: { readonly activity: 'settleRefund' | 'settleSharing'; readonly number: string },
  work: () => Promise<unknown>,
): Promise<void> {
  const judge = createRetryDecider({
    database: {
      budgets: process.through(database.budgets),
      escalations: process.through(database.escalations),
    },
    control: createRetryControl({ database, now }),
    onDatabaseAway: () => {
      throw new Error('The database is never away here');
    },
    log: () => undefined,
    now,
    random: () => 0.5,
  });
  try {
    await work();
  } catch (error) {
    if (process.isDead()) return;
    const operation = { ...of, attempt: 1 };
    // The interceptor decides inside the activity's context, as a worker does.
    const verdict = await new MockActivityEnvironment({}, { logger: QUIET })
      .run(() => judge(error, operation))
      .catch((fault: unknown) => fault);
    if (process.isDead()) return;
    if (!isExpected(verdict)) throw verdict;
  }
}

/** An attempt ends with "again", "not yet" or an open intervention; anything else is a fault. */
function isExpected(verdict: unknown): boolean {
  const { type } = verdict as { type?: string };
  return typeof type === 'string' && type !== 'INTERNAL_ERROR';
}

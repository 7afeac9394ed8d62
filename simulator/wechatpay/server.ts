// Starts the simulator: wires all its parts and listens on one port.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import express, { type NextFunction, type Request, type Response } from 'express';
import { refuse } from './http/reply';
import { createBills } from './bills/bills';
import { createBooks } from './bills/books';
import { createCallbackSender } from './callbacks/callbacks';
import { createCallbackRetries } from './callbacks/repeat-callbacks';
import { createCallbackSchedule } from './callbacks/disturb-callbacks';
import { createClock } from './time/clock';
import { createControlRoutes } from './control/control-routes';
import { createDeliveries } from './callbacks/deliveries';
import { createFaults } from './http/faults';
import { createMerchant, type Merchant } from './keys/merchants';
import type { SimulatorOptions } from './options';
import { createPayments, merchantOf, type PaymentsDeps } from './payments/payments';
import { sendRaw } from './control/raw-callbacks';
import { createRequestRecords } from './http/records';
import { createRefundLimits } from './refunds/refund-limits';
import { createRefundSettlement } from './refunds/refund-settlement';
import { createRefundStore, type RefundStore } from './refunds/refund-store';
import { createElsewhereRefunds } from './refunds/refunds-elsewhere';
import { createRefunds } from './refunds/refunds';
import { createReturnSettlement } from './sharing/return-settlement';
import { createNonceMemory, createRequestVerifier } from './http/request-verification';
import { createBalances } from './sharing/sharing-money';
import { createSharingReturns } from './sharing/sharing-returns';
import { createSharingSettlement } from './sharing/sharing-settlement';
import { createSharingStore, type NumberedStore } from './sharing/sharing-store';
import { viewOfReturn, viewOfSharing } from './sharing/sharing-views';
import { createSharings } from './sharing/sharings';
import { viewOf, viewOfRefund, type Simulator } from './control/simulator';
import { createTimers, type Timers } from './time/timers';
import { createTransactions } from './payments/transactions';
import { createWechatRoutes } from './routes';

const DEFAULT_HOST = '127.0.0.1';
const CALLBACK_TIMEOUT_MS = 5_000;

async function listen(server: Server, port: number, host: string): Promise<number> {
  server.listen(port, host);
  await once(server, 'listening');
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

function onBodyError(_error: unknown, _req: Request, res: Response, next: NextFunction): void {
  if (res.headersSent || res.destroyed) {
    next();
    return;
  }
  res.status(400).json(refuse(400, 'PARAM_ERROR', '请求体无法读取').body);
}

async function createMerchants(
  options: SimulatorOptions,
  now: () => number,
): Promise<Map<string, Merchant>> {
  const made = await Promise.all(
    options.merchants.map((merchant) => createMerchant(merchant, now)),
  );
  return new Map(made.map((merchant) => [merchant.merchantId, merchant]));
}

/** Wires profit sharing. */
function createSharingParts(
  options: SimulatorOptions,
  deps: Pick<PaymentsDeps, 'merchants' | 'transactions' | 'schedule' | 'now'> & {
    readonly refunds: RefundStore;
    readonly timers: Timers;
  },
) {
  const { transactions, timers, now } = deps;
  const store = createSharingStore();
  const balanceOf = createBalances({ refunds: deps.refunds, store, now });
  const settlement = createSharingSettlement({ ...deps, store });
  const returnSettlement = createReturnSettlement({ store, timers, now });
  const { shareableAfterMs, maxSharingPercent } = options;
  const sharings = createSharings({
    transactions,
    store,
    balanceOf,
    now,
    rules: { shareableAfterMs, maxSharingPercent },
    begin: settlement.begin,
  });
  const returns = createSharingReturns({ store, now, begin: returnSettlement.begin });
  return { store, balanceOf, settlement, returnSettlement, sharings, returns };
}

/** Wires everything that the simulator holds. */
async function createParts(options: SimulatorOptions) {
  const realNow = options.now ?? Date.now;
  const clock = createClock(realNow);
  const { now } = clock;
  const merchants = await createMerchants(options, realNow);
  const timers = createTimers();
  const transactions = createTransactions(now, options.refuseCloseWithinMs ?? 0);
  const timeoutMs = options.callbackTimeoutMs ?? CALLBACK_TIMEOUT_MS;
  const sender = createCallbackSender(timers, realNow, timeoutMs);
  const deliveries = createDeliveries(sender, realNow);
  const retries = createCallbackRetries(deliveries, timers, options.clockSpeed ?? 1);
  const schedule = createCallbackSchedule(deliveries, retries, timers);
  const nonces = createNonceMemory(realNow);
  const faults = createFaults();
  const requests = createRequestRecords();
  const deps = { merchants, transactions, schedule, now };
  const store = createRefundStore();
  const settlement = createRefundSettlement({ ...deps, store, timers });
  const sharing = createSharingParts(options, { ...deps, refunds: store, timers });
  const { balanceOf, sharings, returns } = sharing;
  const bills = createBills({
    books: createBooks({ transactions, refunds: store, sharings: sharing.store }),
    now,
    readyHour: options.billReadyHour,
  });
  const { refundSpacingMs, refundsPerSecond, failingRefundsPerSecond } = options;
  const refundRules = { refundSpacingMs, refundsPerSecond, failingRefundsPerSecond };
  const limits = createRefundLimits(refundRules, realNow);
  const routes = createWechatRoutes({
    verify: createRequestVerifier(merchants, nonces, realNow),
    transactions,
    store,
    refundLimits: limits,
    refunds: createRefunds({
      transactions,
      store,
      balanceOf,
      limits,
      now,
      begin: settlement.begin,
    }),
    sharingStore: sharing.store,
    sharings,
    returns,
    bills,
    faults,
    requests,
    timers,
    requirePlatformSerial: options.requirePlatformSerial ?? true,
    now: realNow,
  });
  const refunds = { store, settlement, limits };
  const kept = { deliveries, retries, timers, sender, nonces, faults, requests };
  return { deps, clock, refunds, sharing, bills, ...kept, routes };
}

type Parts = Awaited<ReturnType<typeof createParts>>;

function keyMethods(
  merchants: ReadonlyMap<string, Merchant>,
): Pick<Simulator, 'publicKeyOf' | 'rotateKey' | 'rotateCertificate'> {
  return {
    publicKeyOf: (merchantId) => {
      const key = merchantOf(merchants, merchantId).platformPublicKey();
      return key === null ? null : { id: key.serial, pem: key.publicKeyPem };
    },
    rotateKey: async (merchantId) => {
      const key = await merchantOf(merchants, merchantId).rotatePublicKey();
      return { id: key.serial, pem: key.publicKeyPem };
    },
    rotateCertificate: async (merchantId) => {
      const { serial, pem } = await merchantOf(merchants, merchantId).rotateCertificate();
      return { serial, pem };
    },
  };
}

function refundMethods({
  deps,
  refunds: { store, settlement, limits },
}: Parts): Pick<
  Simulator,
  'setRefundOutcome' | 'settleRefund' | 'setRefundRules' | 'refund' | 'refundsOf'
> {
  return {
    setRefundOutcome: settlement.setOutcome,
    settleRefund: settlement.settle,
    setRefundRules: limits.setRules,
    refund: (outRefundNo) => {
      const refund = store.findAnywhere(outRefundNo);
      return refund === null ? null : viewOfRefund(refund);
    },
    refundsOf: (outTradeNo) => {
      if (outTradeNo === undefined) return store.all().map(viewOfRefund);
      const payments = deps.transactions.findAnywhere(outTradeNo)?.payments ?? [];
      return payments.flatMap((payment) => store.of(payment).map(viewOfRefund));
    },
  };
}

function sharingMethods({
  deps,
  sharing,
}: Parts): Pick<
  Simulator,
  | 'setSharingOutcome'
  | 'settleSharing'
  | 'setReturnOutcome'
  | 'settleReturn'
  | 'setSharingRules'
  | 'sharingsOf'
  | 'returnsOf'
  | 'balanceOf'
> {
  const { store, settlement, returnSettlement, sharings, balanceOf } = sharing;
  const of = <T>(numbered: NumberedStore<T>, outTradeNo: string | undefined): readonly T[] => {
    if (outTradeNo === undefined) return numbered.all();
    const payments = deps.transactions.findAnywhere(outTradeNo)?.payments ?? [];
    return payments.flatMap((payment) => numbered.of(payment));
  };
  return {
    setSharingOutcome: settlement.setOutcome,
    settleSharing: settlement.settle,
    setReturnOutcome: returnSettlement.setOutcome,
    settleReturn: returnSettlement.settle,
    setSharingRules: sharings.setRules,
    sharingsOf: (outTradeNo) => of(store.sharings, outTradeNo).map(viewOfSharing),
    returnsOf: (outTradeNo) => of(store.returns, outTradeNo).map(viewOfReturn),
    balanceOf: (outTradeNo) => {
      const order = deps.transactions.findAnywhere(outTradeNo);
      const payment = order?.payments[0];
      return order && payment ? balanceOf({ order, payment }) : null;
    },
  };
}

function billMethods({
  deps,
  refunds: { store },
  bills,
}: Parts): Pick<
  Simulator,
  'refundElsewhere' | 'setBillRules' | 'addBillFault' | 'clearBillFaults'
> {
  const refundElsewhere = createElsewhereRefunds({ ...deps, store });
  return {
    refundElsewhere: (request) => viewOfRefund(refundElsewhere(request)),
    setBillRules: bills.setRules,
    addBillFault: bills.addFault,
    clearBillFaults: bills.clearFaults,
  };
}

function createSimulator(parts: Parts, server: Server, url: string, port: number): Simulator {
  const { deps, deliveries, retries, faults, requests } = parts;
  const { transactions, schedule } = deps;
  return {
    url,
    port,
    ...createPayments(deps),
    ...keyMethods(deps.merchants),
    ...refundMethods(parts),
    ...sharingMethods(parts),
    ...billMethods(parts),
    sendRaw: (request) => sendRaw(deps, request),
    setCallbackBehaviour: schedule.setBehaviour,
    setFault: faults.add,
    clearFaults: faults.clear,
    setClockSpeed: retries.setSpeed,
    advanceClock: parts.clock.advance,
    setRefuseCloseWithin: transactions.setRefuseCloseWithin,
    orders: () => transactions.all().map(viewOf),
    order: (outTradeNo) => {
      const order = transactions.findAnywhere(outTradeNo);
      return order === null ? null : viewOf(order);
    },
    requests: () => ({ counts: requests.counts(), statuses: requests.statuses() }),
    requestsOf: requests.of,
    contentsOf: requests.contents,
    deliveries: deliveries.list,
    pendingCallbacks: retries.pending,
    reset: () => {
      transactions.clear();
      parts.refunds.store.clear();
      parts.refunds.settlement.clear();
      parts.refunds.limits.clear();
      parts.sharing.store.clear();
      parts.sharing.settlement.clear();
      parts.sharing.returnSettlement.clear();
      parts.bills.clear();
      parts.clock.reset();
      schedule.clear();
      retries.clear();
      deliveries.clear();
      faults.clear();
      requests.clear();
      parts.nonces.clear();
    },
    close: async () => {
      parts.timers.stop();
      await Promise.all([closeServer(server), parts.sender.close()]);
    },
  };
}

/**
 * Starts a WeChat Pay v3 on this machine.
 * @throws RangeError for merchants that can't be WeChat's; the system's error for a taken port.
 */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  if (options.merchants.length === 0) throw new RangeError('the simulator needs a merchant');
  const parts = await createParts(options);
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use('/v3', parts.routes);
  app.use('/v3', onBodyError);
  const server = createServer(app);
  const host = options.host ?? DEFAULT_HOST;
  const port = await listen(server, options.port ?? 0, host);
  const simulator = createSimulator(parts, server, `http://${host}:${port}`, port);
  app.use('/_control', createControlRoutes(simulator));
  return simulator;
}

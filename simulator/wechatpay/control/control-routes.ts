// Serves the control API `/_control/…`, by which tests and the demo steer the simulator.
import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { z } from 'zod';
import { ControlRefusal } from '../http/reply';
import {
  behaviourSchema,
  billFaultSchema,
  billRulesSchema,
  clockSchema,
  closeRuleSchema,
  contentsQuery,
  elsewhereRefundSchema,
  faultSchema,
  notifySchema,
  paySchema,
  refundOutcomeSchema,
  refundRulesSchema,
  returnOutcomeSchema,
  rotationSchema,
  sendRawSchema,
  settleRefundSchema,
  settleReturnSchema,
  settleSharingSchema,
  sharingOutcomeSchema,
  sharingRulesSchema,
} from './control-schemas';
import type { Simulator } from './simulator';

const BODY_LIMIT = '256kb';
const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1']);
/** Names that differ between the wire (WeChat's names) and the methods (with units). */
const RENAMED: Readonly<Record<string, string>> = {
  total: 'totalFen',
  payer_total: 'payerTotalFen',
  mchid: 'merchantId',
  appid: 'appId',
};

const listQuery = z.object({ out_trade_no: z.string().optional() });

function camel(name: string): string {
  return RENAMED[name] ?? name.replace(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

/**
 * Turns snake_case keys to camelCase, one level and `tamper`; the content of `resource` stays as
 * it is.
 */
function readKeys(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]: [string, unknown]) => [
      camel(key),
      key === 'tamper' ? readKeys(inner) : inner,
    ]),
  );
}

/** Turns all keys to snake_case, at every level. */
function writeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(writeKeys);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]: [string, unknown]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      writeKeys(inner),
    ]),
  );
}

function action<T>(schema: z.ZodType<T>, run: (input: T) => unknown) {
  return async (req: Request, res: Response): Promise<void> => {
    const input = schema.parse(readKeys(req.body ?? {}));
    const result = await run(input);
    res.json(writeKeys(result ?? { done: true }));
  };
}

function onError(error: unknown, _req: Request, res: Response, next: NextFunction): void {
  if (res.headersSent) {
    next(error);
  } else if (error instanceof ControlRefusal) {
    res.status(error.status).json({ code: error.code, message: error.message });
  } else if (error instanceof z.ZodError) {
    res.status(400).json({ code: 'BAD_REQUEST', message: z.prettifyError(error) });
  } else {
    const message = error instanceof Error ? error.message : 'failed';
    res.status(500).json({ code: 'FAILED', message });
  }
}

function addReads(router: Router, simulator: Simulator): void {
  router.get('/orders', (_req, res) => {
    res.json(writeKeys(simulator.orders()));
  });
  router.get('/orders/:no', (req, res) => {
    const order = simulator.order(req.params.no);
    if (order === null) throw new ControlRefusal(404, 'ORDER_NOT_EXIST', 'no such order');
    res.json(writeKeys(order));
  });
  router.get('/refunds', (req, res) => {
    res.json(writeKeys(simulator.refundsOf(listQuery.parse(req.query).out_trade_no)));
  });
  router.get('/refunds/:no', (req, res) => {
    const refund = simulator.refund(req.params.no);
    if (refund === null) throw new ControlRefusal(404, 'RESOURCE_NOT_EXISTS', 'no such refund');
    res.json(writeKeys(refund));
  });
  router.get('/requests', (req, res) => {
    const { out_trade_no: outTradeNo } = listQuery.parse(req.query);
    const of = outTradeNo === undefined ? [] : simulator.requestsOf(outTradeNo);
    res.json(writeKeys({ ...simulator.requests(), of }));
  });
  router.get('/deliveries', (req, res) => {
    const { out_trade_no: outTradeNo } = listQuery.parse(req.query);
    const deliveries = simulator.deliveries(outTradeNo);
    res.json(writeKeys({ deliveries, pending: simulator.pendingCallbacks() }));
  });
}

function addSharingReads(router: Router, simulator: Simulator): void {
  router.get('/sharings', (req, res) => {
    res.json(writeKeys(simulator.sharingsOf(listQuery.parse(req.query).out_trade_no)));
  });
  router.get('/returns', (req, res) => {
    res.json(writeKeys(simulator.returnsOf(listQuery.parse(req.query).out_trade_no)));
  });
  router.get('/balances/:no', (req, res) => {
    const balance = simulator.balanceOf(req.params.no);
    if (balance === null) throw new ControlRefusal(404, 'ORDER_NOT_EXIST', 'no such payment');
    res.json(writeKeys(balance));
  });
  router.get('/contents', (req, res) => {
    res.json(simulator.contentsOf(contentsQuery.parse(req.query).of));
  });
}

function addBills(router: Router, simulator: Simulator): void {
  router.post('/elsewhere-refund', action(elsewhereRefundSchema, simulator.refundElsewhere));
  router.post('/bill-rules', action(billRulesSchema, simulator.setBillRules));
  router.post('/bill-faults', action(billFaultSchema, simulator.addBillFault));
  router.delete('/bill-faults', action(z.unknown(), simulator.clearBillFaults));
}

/** `/_control/…`: the simulator's methods over HTTP, for callers on this machine only. */
export function createControlRoutes(simulator: Simulator): Router {
  const router = express.Router();
  router.use((req, _res, next) => {
    if (!LOOPBACK.has(req.socket.remoteAddress ?? '')) {
      throw new ControlRefusal(403, 'LOOPBACK_ONLY', 'only from this machine');
    }
    next();
  });
  router.use(express.json({ type: () => true, limit: BODY_LIMIT }));
  router.post('/pay', action(paySchema, simulator.pay));
  router.post('/notify', action(notifySchema, simulator.notify));
  router.post('/send-raw', action(sendRawSchema, simulator.sendRaw));
  router.post(
    '/callbacks',
    action(behaviourSchema, (rule) =>
      simulator.setCallbackBehaviour(Object.keys(rule).length === 0 ? null : rule),
    ),
  );
  router.post('/refund-outcome', action(refundOutcomeSchema, simulator.setRefundOutcome));
  router.post('/refund-rules', action(refundRulesSchema, simulator.setRefundRules));
  router.post('/settle-refund', action(settleRefundSchema, simulator.settleRefund));
  router.post('/sharing-outcome', action(sharingOutcomeSchema, simulator.setSharingOutcome));
  router.post('/settle-sharing', action(settleSharingSchema, simulator.settleSharing));
  router.post('/return-outcome', action(returnOutcomeSchema, simulator.setReturnOutcome));
  router.post('/settle-return', action(settleReturnSchema, simulator.settleReturn));
  router.post('/sharing-rules', action(sharingRulesSchema, simulator.setSharingRules));
  router.post('/faults', action(faultSchema, simulator.setFault));
  router.delete('/faults', action(z.unknown(), simulator.clearFaults));
  router.post(
    '/clock',
    action(clockSchema, ({ speed, advanceMs }) => {
      if (speed !== undefined) simulator.setClockSpeed(speed);
      if (advanceMs !== undefined) simulator.advanceClock(advanceMs);
    }),
  );
  router.post(
    '/close-rule',
    action(closeRuleSchema, (rule) => simulator.setRefuseCloseWithin(rule.refuseWithinMs)),
  );
  router.post(
    '/rotate-key',
    action(rotationSchema, ({ merchantId }) => simulator.rotateKey(merchantId)),
  );
  router.post(
    '/rotate-certificate',
    action(rotationSchema, ({ merchantId }) => simulator.rotateCertificate(merchantId)),
  );
  router.post('/reset', action(z.unknown(), simulator.reset));
  addBills(router, simulator);
  addReads(router, simulator);
  addSharingReads(router, simulator);
  router.use(onError);
  return router;
}

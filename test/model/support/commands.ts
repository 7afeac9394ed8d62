// The commands of which a random sequence is made.
import fc from 'fast-check';
import type { RefundRequestResult } from '../../../database/refunds/request-refund';
import { actionsFor } from '../../../domain/interventions/reasons';
import type { Fault } from '../../../simulator/wechatpay/http/faults';
import { REFUND_ENDS, type RefundEnd } from '../../../simulator/wechatpay/refunds/refund-store';
import { readBooks } from './books';
import type { OrderDriver } from './order-driver';
import { sharingSteps } from './sharing-commands';
import { command, index, interruption, pick, type Asked, type Model, type Step } from './steps';

const asked: fc.Arbitrary<Asked> = fc.record({
  label: fc.integer({ min: 1, max: 6 }),
  thousandths: fc.constantFrom(1, 100, 250, 333, 500, 667, 1000),
  restock: fc.boolean(),
  revokeCodes: fc.boolean(),
});

/** Responses that get lost before or after WeChat did the work, and refusals. */
const fault = fc.record({
  operation: fc.constantFrom('refund', 'refund_query', 'abnormal_refund'),
  how: fc.constantFrom<Omit<Fault, 'operation'>>(
    { kind: 'cut' },
    { kind: 'cut_after' },
    { kind: 'unsigned' },
    { kind: 'forged' },
    { kind: 'html' },
    { kind: 'error', status: 500, code: 'SYSTEM_ERROR' },
    { kind: 'error', status: 429, code: 'FREQUENCY_LIMITED' },
    { kind: 'error', status: 403, code: 'NOT_ENOUGH' },
  ),
});

/**
 * Requests refunds, all at once, and compares the replies with the rest and with earlier requests.
 */
async function askAll(driver: OrderDriver, all: readonly Asked[], model: Model): Promise<void> {
  const before = await readBooks(driver);
  const payment = before.payments.find(({ status }) => status === 'applied');
  const left = (payment?.totalFen ?? 0) - (payment?.heldFen ?? 0);
  const fen = ({ thousandths }: Asked) =>
    Math.max(1, Math.floor((driver.totalFen * thousandths) / 1000));
  const results = await Promise.all(
    all.map(async (one) => {
      const { label, restock, revokeCodes } = one;
      const outRefundNo = `${driver.no}-${label}`;
      const request = { outRefundNo, amountFen: fen(one), reason: null, restock, revokeCodes };
      return { one, result: await driver.ask(request) };
    }),
  );
  const knownBefore = new Set(model.asked.keys());
  const reserved = results.filter(({ result }) => result.kind === 'reserved');
  for (const { one } of reserved) {
    expect(model.asked.has(one.label)).toBe(false);
    model.asked.set(one.label, one);
  }
  const reservedFen = reserved.reduce((sum, { one }) => sum + fen(one), 0);
  expect(reservedFen).toBeLessThanOrEqual(left);
  const refundable = ['paid', 'fulfilled', 'paid_late'].includes(before.status);
  for (const { one, result } of results) {
    const known = model.asked.get(one.label);
    const same = known !== undefined && isSame(known, one) && fen(known) === fen(one);
    const expected: RefundRequestResult['kind'][] = [];
    if (known !== undefined) expected.push(same ? 'repeat' : 'number_used');
    if (!knownBefore.has(one.label)) {
      if (refundable) expected.push(same ? 'reserved' : 'exceeds');
      else expected.push('not_refundable');
    }
    expect(expected).toContain(result.kind);
    if (result.kind === 'exceeds') expect(fen(one)).toBeGreaterThan(left - reservedFen);
  }
}

/** Of amounts that round to the same too. */
const isSame = (one: Asked, other: Asked) =>
  one.restock === other.restock && one.revokeCodes === other.revokeCodes;

/** The steps of a sequence; steps that move the order on come more often. */
export function steps(): fc.Arbitrary<Step>[] {
  const pay = command('the user pays', fc.constant(null), async (driver) => {
    if ((driver.world.simulator.order(driver.no)?.payments.length ?? 0) < 2) await driver.pay();
  });
  const close = command('the order is closed', fc.constant(null), (driver) => driver.close());
  const deliver = command(
    'callbacks come',
    fc.array(index, { minLength: 1, maxLength: 4 }),
    async (driver, given) => {
      const count = driver.letters().length;
      if (count > 0) await Promise.all(given.map((at) => driver.deliver(at % count)));
    },
  );
  const apply = command('the run looks', fc.constant(null), (driver) => driver.apply());
  const effects = command('effects run', fc.boolean(), async (driver, withCodes) => {
    if (withCodes) await driver.addCodes();
    await driver.runEffects();
  });
  const ask = command('asked for', fc.array(asked, { minLength: 1, maxLength: 4 }), askAll);
  const work = command(
    'attempts',
    fc.record({
      passMs: fc.constantFrom(0, 2_000, 3_600_000),
      attempts: fc.array(fc.record({ at: index, interruption }), { minLength: 1, maxLength: 3 }),
      faults: fc.array(fault, { maxLength: 2 }),
    }),
    async (driver, given) => {
      driver.world.pass(given.passMs);
      for (const { operation, how } of given.faults) {
        driver.world.simulator.setFault({ operation, ...how });
      }
      const refunds = await driver.refunds();
      await Promise.all(
        given.attempts.map(async ({ at, interruption: how }) => {
          const refund = pick(refunds, at);
          if (refund) await driver.attempt(refund.number, how);
        }),
      );
    },
  );
  const goOn = command('what hung goes on', fc.constant(null), (driver) => driver.goOn());
  const settle = command(
    'WeChat ends',
    fc.record({
      at: index,
      as: fc.constantFrom<RefundEnd>('SUCCESS', ...REFUND_ENDS),
      callbacks: fc.nat({ max: 1 }),
    }),
    async (driver, { at, as, callbacks }) => {
      const refund = pick(driver.world.simulator.refundsOf(driver.no), at);
      if (!refund) return;
      const { outRefundNo, status } = refund;
      // The end of a refund is reported once more, under another id.
      const hasEnded = status === 'SUCCESS' || status === 'CLOSED';
      await driver.settle(outRefundNo, hasEnded ? status : as, callbacks);
    },
  );
  const answer = command(
    'a person answers',
    fc.record({ question: index, action: index }),
    async (driver, given) => {
      const question = pick(await driver.interventions(), given.question);
      const action = question && pick(actionsFor(question.reason), given.action);
      if (question && action) await driver.resolve(question.id, action);
    },
  );
  return [
    ...[pay, close, goOn, effects, effects, ask, ask],
    ...[deliver, deliver, deliver, apply, apply, apply],
    ...[work, work, work, work, settle, settle, settle, answer, answer],
    ...sharingSteps(),
  ];
}

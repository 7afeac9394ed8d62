// The commands of a random sequence that share a payment, and make receivers fail.
import fc from 'fast-check';
import type { Fault } from '../../../simulator/wechatpay/http/faults';
import type { OrderDriver } from './order-driver';
import { command, interruption, pick, type Step } from './steps';
import { createSharingDriver, RECEIVERS, type SharingDriver } from './sharing-driver';

const thousandths = fc.constantFrom(1, 50, 100, 150, 290);

/** Responses that get lost before or after WeChat did the work, and refusals. */
const fault = fc.record({
  operation: fc.constantFrom(
    'share',
    'share_query',
    'receiver_add',
    'unfreeze',
    'return',
    'return_query',
  ),
  how: fc.constantFrom<Omit<Fault, 'operation'>>(
    { kind: 'cut' },
    { kind: 'cut_after' },
    { kind: 'unsigned' },
    { kind: 'error', status: 500, code: 'SYSTEM_ERROR' },
    { kind: 'error', status: 429, code: 'FREQUENCY_LIMITED' },
  ),
});

/** A command on an order whose payment can be shared; it does nothing to the others. */
const shares = <T>(
  name: string,
  given: fc.Arbitrary<T>,
  act: (sharing: SharingDriver, given: T, driver: OrderDriver) => Promise<void>,
): fc.Arbitrary<Step> =>
  command(name, given, async (driver, one) => {
    if (driver.shape.forSharing) await act(createSharingDriver(driver), one, driver);
  });

/** The steps that share; those that move a sharing on come more often. */
export function sharingSteps(): fc.Arbitrary<Step>[] {
  const ask = shares(
    'shares',
    fc.record({
      label: fc.integer({ min: 1, max: 3 }),
      parts: fc.array(thousandths, { maxLength: RECEIVERS.length }),
      unfreezeRest: fc.boolean(),
    }),
    async (sharing, { label, parts, unfreezeRest }, { totalFen }) => {
      if (parts.length === 0 && !unfreezeRest) return;
      const amounts = parts.map((part) => Math.max(1, Math.floor((totalFen * part) / 1000)));
      await sharing.share(label, amounts, unfreezeRest);
    },
  );
  const work = shares(
    'sharing attempts',
    fc.record({
      passMs: fc.constantFrom(0, 120_000, 3_600_000),
      attempts: fc.array(fc.record({ at: fc.nat({ max: 30 }), interruption }), {
        minLength: 1,
        maxLength: 3,
      }),
      faults: fc.array(fault, { maxLength: 2 }),
    }),
    async (sharing, { passMs, attempts, faults }, { world }) => {
      world.pass(passMs);
      for (const { operation, how } of faults) world.simulator.setFault({ operation, ...how });
      const open = await sharing.open();
      await Promise.all(
        attempts.map(async ({ at, interruption: one }) => {
          const picked = pick(open, at);
          // A sharing's process dies; those that hang are played with refunds.
          const dies = one === null ? null : ({ ...one, kind: 'dies' } as const);
          if (picked) await sharing.attempt(picked.number, dies);
        }),
      );
    },
  );
  const settle = shares(
    'WeChat ends shares',
    fc.record({
      result: fc.constantFrom('SUCCESS' as const, 'SUCCESS' as const, 'CLOSED' as const),
      account: fc.option(fc.constantFrom(...RECEIVERS)),
    }),
    async (sharing, { result, account }) => {
      await sharing.settle(result, account ?? undefined);
    },
  );
  const fail = shares('a take-back will fail', fc.constant(null), (sharing) => {
    sharing.failNextReturn();
    return Promise.resolve();
  });
  return [ask, ask, work, work, work, settle, settle, fail];
}

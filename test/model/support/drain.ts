// Brings an order to its end on a calm day, and checks the sums.
import type { InterventionAction } from '../../../domain/interventions/reasons';
import { checkBooks, checkEnd, checkPatrol } from './books';
import type { OrderDriver } from './order-driver';
import { createSharingDriver } from './sharing-driver';

/**
 * The actions that operators choose at the end. An intervention with another reason is a defect.
 */
const LAST_ANSWERS: Readonly<Record<string, InterventionAction>> = {
  refund_failed: 'retry',
  surplus_payment: 'retry',
  refund_closed: 'dismiss',
  refund_abnormal: 'to_bank_card',
  sharing_failed: 'dismiss',
  return_failed: 'retry',
};
const MAX_ROUNDS = 30;
const HOUR_MS = 3_600_000;

/** Carries on until nothing is due, as on a calm day; then checks the sums. */
export async function drain(driver: OrderDriver): Promise<void> {
  const { world, no } = driver;
  const sharing = createSharingDriver(driver);
  world.simulator.clearFaults();
  world.simulator.setReturnOutcome({ result: 'SUCCESS' });
  await driver.goOn();
  await checkBooks(driver);
  await checkPatrol(driver);
  if (driver.shape.noCodesYet) await driver.addCodes();
  let delivered = 0;
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    for (; delivered < driver.letters().length; delivered += 1) await driver.deliver(delivered);
    await driver.apply();
    await driver.runEffects();
    const open = (await driver.refunds()).filter(isOpen);
    for (const { number } of open) {
      world.pass(HOUR_MS);
      await driver.attempt(number);
    }
    const sharings = await sharing.open();
    for (const { number } of sharings) {
      world.pass(HOUR_MS);
      await sharing.attempt(number);
    }
    const parts = await sharing.settle('SUCCESS');
    const atWechat = world.simulator.refundsOf(no);
    const unsettled = atWechat.filter(({ status }) => status === 'PROCESSING');
    for (const { outRefundNo } of unsettled) await driver.settle(outRefundNo, 'SUCCESS', round % 2);
    const questions = await driver.interventions();
    // A person who dismissed the intervention handles it at WeChat, which reports that.
    const dismissed = open.filter(
      ({ number, status }) =>
        status === 'abnormal' && !questions.some(({ subject }) => subject === number),
    );
    for (const { number } of dismissed) {
      const isClosed = world.simulator.refund(number)?.status === 'CLOSED';
      await driver.settle(number, isClosed ? 'CLOSED' : 'SUCCESS', 1);
    }
    for (const { id, reason, subject } of questions) {
      // Where a person let WeChat check the balance, too little of it may be left for ever.
      const isShort = reason === 'refund_failed' && round > 0 && round % 4 === 0;
      const action = isShort ? 'dismiss' : LAST_ANSWERS[reason];
      if (action === undefined) throw new Error(`Nobody should be asked: ${reason} ${subject}`);
      await driver.resolve(id, action);
    }
    const view = await world.database.runs.load(no);
    const due = (view?.openNotices ?? 0) + (view?.effectsDue ?? 0);
    const isQuiet =
      open.length + sharings.length + parts + unsettled.length + questions.length + due === 0;
    if (isQuiet && delivered === driver.letters().length) {
      checkEnd(driver, await checkBooks(driver));
      await checkPatrol(driver);
      return;
    }
  }
  const left = [
    await driver.refunds(),
    await driver.interventions(),
    await world.database.runs.load(no),
  ];
  throw new Error(`Not at rest after ${MAX_ROUNDS} rounds: ${JSON.stringify(left)}`);
}

const isOpen = ({ status }: { status: string }) => status !== 'succeeded' && status !== 'closed';

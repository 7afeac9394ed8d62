// Scenario of an intervention: an effect fails until its retry limit, an operator retries it.
import type { PolicyReply } from '../replies';
import { refusePoints } from '../disturb-database';
import { SOON_MS, waitUntil } from '../wait-until';
import type { Scenario, Seen, World } from '../world';

/**
 * The lowered limit of attempts for points. It is not lower, because the second attempt may come
 * before a worker has read the change.
 */
const LOWERED_ATTEMPTS = 3;
/** The limit of attempts in a new database. */
const USUAL_ATTEMPTS = 6;

/** Lowers the limit of attempts for points. @returns the policy as it was before */
async function lowerPolicy({ desk }: World): Promise<PolicyReply> {
  const usual = await desk.policy('fulfilment.points');
  await desk.putPolicy('fulfilment.points', { ...usual, max_attempts: LOWERED_ATTEMPTS });
  return usual;
}

async function playSpentBudget(world: World): Promise<Seen> {
  const { shop, simulator, desk, oncepay } = world;
  const user = 'points-collector';
  const { out_trade_no: no } = await shop.order({ user, sku: 'postcard', unitFen: 1_300 });
  let repair: (() => Promise<void>) | null = await refusePoints(oncepay.databaseUrl, no);
  let usual: PolicyReply | null = null;
  try {
    await simulator.pay({ outTradeNo: no });
    await waitUntil(`the points of ${no} have failed once`, SOON_MS, async () =>
      (await shop.read(no)).effects.find(({ status }) => status === 'failed'),
    );
    usual = await lowerPolicy(world);
    const intervention = await desk.waitForIntervention(no, 'effect_failed');
    const { subject, evidence } = intervention;
    const code = evidence.code ?? 'no code';
    const { status } = await shop.read(no);
    await repair();
    repair = null;
    const resolved = await desk.resolve(intervention, 'retry');
    const order = await shop.waitFor(no, 'fulfilled');
    const attempts = `${evidence.attempts ?? 0} attempts, not ${usual.max_attempts}`;
    const opened = `still ${status}; intervention effect_failed: ${subject}, ${code}`;
    const points = `${await shop.points(user)} points`;
    return { seen: `${attempts}; ${opened}; retry ${resolved}: ${order.status}, ${points}` };
  } finally {
    if (usual !== null) await desk.putPolicy('fulfilment.points', usual);
    await repair?.();
  }
}

/** Failures that Oncepay can't repair alone. */
export const interventionScenarios: readonly Scenario[] = [
  {
    name: 'An effect fails until its lowered retry limit, then the operator retries it',
    expected:
      `${LOWERED_ATTEMPTS} attempts, not ${USUAL_ATTEMPTS}; ` +
      'still paid; intervention effect_failed: points, EFFECT_FAILED; ' +
      'retry 200 done: fulfilled, 13 points',
    play: playSpentBudget,
  },
];

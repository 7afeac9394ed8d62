import type { PolicyAnswer } from '../answers';
import { refusePoints } from '../trouble';
import { SOON_MS, until } from '../until';
import type { Scenario, Seen, World } from '../world';

/**
 * The most that points are tried, once the policy is lowered: not fewer, because the second try may
 * come before a worker has read the change.
 */
const LOWERED_ATTEMPTS = 3;
/** What a new database starts with. */
const USUAL_ATTEMPTS = 6;

/** @returns the policy of the points as it was before */
async function lowerPolicy({ desk }: World): Promise<PolicyAnswer> {
  const usual = await desk.policy('fulfilment.points');
  await desk.putPolicy('fulfilment.points', { ...usual, max_attempts: LOWERED_ATTEMPTS });
  return usual;
}

async function playSpentBudget(world: World): Promise<Seen> {
  const { shop, simulator, desk, oncepay } = world;
  const user = 'points-collector';
  const { out_trade_no: no } = await shop.order({ user, sku: 'postcard', unitFen: 1_300 });
  let mend: (() => Promise<void>) | null = await refusePoints(oncepay.databaseUrl, no);
  let usual: PolicyAnswer | null = null;
  try {
    await simulator.pay({ outTradeNo: no });
    await until(`the points of ${no} have failed once`, SOON_MS, async () =>
      (await shop.read(no)).effects.find(({ status }) => status === 'failed'),
    );
    usual = await lowerPolicy(world);
    const question = await desk.asked(no, 'effect_failed');
    const { subject, evidence } = question;
    const { status } = await shop.read(no);
    await mend();
    mend = null;
    const answer = await desk.answer(question, 'retry');
    const order = await shop.waitFor(no, 'fulfilled');
    const tries = `${evidence.attempts ?? 0} tries, not ${usual.max_attempts}`;
    const asked = `still ${status}; asked effect_failed: ${subject}, ${evidence.code ?? 'no code'}`;
    const points = `${await shop.points(user)} points`;
    return { seen: `${tries}; ${asked}; retry ${answer}: ${order.status}, ${points}` };
  } finally {
    if (usual !== null) await desk.putPolicy('fulfilment.points', usual);
    await mend?.();
  }
}

/** What Oncepay can't do alone. */
export const personScenarios: readonly Scenario[] = [
  {
    name: 'An effect keeps failing; its policy is lowered meanwhile; a person has it tried again',
    expected:
      `${LOWERED_ATTEMPTS} tries, not ${USUAL_ATTEMPTS}; ` +
      'still paid; asked effect_failed: points, EFFECT_FAILED; ' +
      'retry 200 done: fulfilled, 13 points',
    play: playSpentBudget,
  },
];

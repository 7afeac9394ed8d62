import { isDeepStrictEqual } from 'node:util';
import type { Delivery } from '../../simulator/wechatpay/callbacks/deliveries';
import type { SendRawRequest } from '../../simulator/wechatpay/control/raw-callbacks';
import { orderWorkflowId } from '../../domain/temporal/workflow-ids';
import { SOON_MS, until } from '../until';
import type { Scenario, Seen, World } from '../world';
import { wayOf } from './channels';

const COPIES = 20;

/** `20 × 204`, or what else there was. */
export function tally(deliveries: readonly Pick<Delivery, 'status'>[]): string {
  const counts = new Map<string, number>();
  for (const { status } of deliveries) {
    const answer = String(status ?? 'no answer');
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  }
  return [...counts].map(([answer, count]) => `${count} × ${answer}`).join(', ');
}

async function playTwentyAtOnce({ shop, simulator }: World): Promise<Seen> {
  await shop.putProduct('poster', { name: 'A poster', stock: 5 });
  const user = 'poster-buyer';
  const placed = await shop.order({ user, sku: 'poster', unitFen: 1_000 });
  const outTradeNo = placed.out_trade_no;
  await simulator.pay({ outTradeNo, callbacks: COPIES });
  const order = await shop.waitFor(outTradeNo, 'fulfilled');
  const { sold, stock } = await shop.product('poster');
  const points = await shop.points(user);
  const answers = tally(simulator.deliveries(outTradeNo));
  const kept = `${order.notices.length} notice kept`;
  const effects = `${sold} sold, ${stock ?? 0} left, ${points} points`;
  return { seen: `${answers}; ${kept}; ${effects}` };
}

async function run(world: World, outTradeNo: string): Promise<{ id: string; status: string }> {
  const described = await world.temporal.workflow.getHandle(orderWorkflowId(outTradeNo)).describe();
  return { id: described.runId, status: described.status.name };
}

async function playAfterTheEnd(world: World): Promise<Seen> {
  const { shop, simulator } = world;
  const placed = await shop.order({ user: 'patient', sku: 'postcard', unitFen: 700 });
  const outTradeNo = placed.out_trade_no;
  await simulator.pay({ outTradeNo });
  await shop.waitFor(outTradeNo, 'fulfilled');
  const before = await until(`the run of ${outTradeNo} has ended`, SOON_MS, async () => {
    const now = await run(world, outTradeNo);
    return now.status === 'COMPLETED' ? now : undefined;
  });
  const order = await shop.read(outTradeNo);
  const answers = tally(await simulator.notify({ outTradeNo }));
  // Callbacks are passed on in order: when one that came later is done, this one has been looked at.
  const later = await shop.order({ user: 'latecomer', sku: 'postcard', unitFen: 700 });
  await simulator.pay({ outTradeNo: later.out_trade_no });
  await shop.waitFor(later.out_trade_no, 'fulfilled');
  const same = isDeepStrictEqual(await shop.read(outTradeNo), order);
  const after = await run(world, outTradeNo);
  const points = await shop.points('patient');
  const state = `order ${same ? 'unchanged' : 'changed'}, ${points} points`;
  const newRun = after.id === before.id ? 'no new run' : 'a new run';
  return { seen: `${answers}; ${state}; ${newRun}` };
}

async function playBeforePrepay({ shop, simulator }: World): Promise<Seen> {
  const sku = 'early-bird';
  // WeChat takes the prepay, its answers get lost: the order stays `created`.
  simulator.setFault({ operation: 'prepay', kind: 'cut_after', times: 1_000 });
  try {
    const known = new Set(simulator.orders().map(({ outTradeNo }) => outTradeNo));
    const placing = shop.order({ user: 'early-bird', sku, unitFen: 900 });
    const outTradeNo = await Promise.race([
      until('the order is known to WeChat', SOON_MS, () =>
        simulator
          .orders()
          .map((order) => order.outTradeNo)
          .find((no) => !known.has(no)),
      ),
      placing.then((placed) => placed.out_trade_no),
    ]);
    const { status } = await shop.read(outTradeNo);
    const { callback } = await simulator.pay({ outTradeNo });
    const order = await shop.waitFor(outTradeNo, 'fulfilled');
    await placing;
    const answers = callback === null ? 'no callback' : tally([callback]);
    return { seen: `${answers} while ${status}; ${wayOf(order)}` };
  } finally {
    simulator.clearFaults();
  }
}

async function playLost({ shop, simulator }: World): Promise<Seen> {
  const user = 'lost-callback';
  const placed = await shop.order({ user, sku: 'postcard', unitFen: 1_400 });
  const outTradeNo = placed.out_trade_no;
  await simulator.pay({ outTradeNo, callbacks: 0 });
  const order = await shop.waitFor(outTradeNo, 'fulfilled');
  const cause = order.history.find(({ to }) => to === 'paid')?.cause ?? 'not paid';
  const sent = `${simulator.deliveries(outTradeNo).length} callbacks`;
  return { seen: `${sent}; ${cause}; ${order.status}, ${await shop.points(user)} points` };
}

const FORGERIES = [
  ['tampered', 401],
  ['bad_signature', 401],
  ['stale', 401],
  ['unknown_serial', 401],
  ['signtest', 401],
  ['undecryptable', 400],
  ['malformed', 400],
] as const satisfies readonly (readonly [SendRawRequest['kind'], number])[];

async function playForgeries({ shop, simulator }: World): Promise<Seen> {
  const placed = await shop.order({ user: 'target', sku: 'postcard', unitFen: 800 });
  const outTradeNo = placed.out_trade_no;
  const before = await shop.read(outTradeNo);
  const answers: string[] = [];
  for (const [kind] of FORGERIES) {
    const { status } = await simulator.sendRaw({ kind, outTradeNo });
    answers.push(`${kind} ${status ?? 'no answer'}`);
  }
  const after = await shop.read(outTradeNo);
  const same = isDeepStrictEqual(after, before) ? 'unchanged' : 'changed';
  await simulator.pay({ outTradeNo });
  const paid = await shop.waitFor(outTradeNo, 'fulfilled');
  const kept = `${paid.notices.length} notice kept`;
  return { seen: `${answers.join(', ')}; order ${same}; then paid: ${paid.status}, ${kept}` };
}

/** WeChat repeats itself, comes early, and others pretend to be WeChat. */
export const callbackScenarios: readonly Scenario[] = [
  {
    name: 'The same callback 20 times at once',
    expected: `${COPIES} × 204; 1 notice kept; 1 sold, 4 left, 10 points`,
    play: playTwentyAtOnce,
  },
  {
    name: 'The callback again, after the order’s workflow has ended',
    expected: '1 × 204; order unchanged, 7 points; no new run',
    play: playAfterTheEnd,
  },
  {
    name: 'A callback before WeChat’s answer to the prepay',
    expected: '1 × 204 while created; created → paid → fulfilled',
    play: playBeforePrepay,
  },
  {
    name: 'A callback that never comes: WeChat is asked',
    expected: '0 callbacks; payment_found_by_query; fulfilled, 14 points',
    takesTime: true,
    play: playLost,
  },
  {
    name: 'Forged, stale and broken callbacks',
    expected:
      `${FORGERIES.map((pair) => pair.join(' ')).join(', ')}; ` +
      'order unchanged; then paid: fulfilled, 1 notice kept',
    play: playForgeries,
  },
];

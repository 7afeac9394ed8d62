// Scenarios of callbacks: repeated, early, late, lost and forged ones.
import { isDeepStrictEqual } from 'node:util';
import type { Delivery } from '../../simulator/wechatpay/callbacks/deliveries';
import type { SendRawRequest } from '../../simulator/wechatpay/control/raw-callbacks';
import { orderWorkflowId } from '../../domain/temporal/workflow-ids';
import { SOON_MS, waitUntil } from '../wait-until';
import type { Scenario, Seen, World } from '../world';
import { statusPath } from './channels';

const COPIES = 20;

/** Counts the replies by status, such as `20 × 204`. */
export function countReplies(deliveries: readonly Pick<Delivery, 'status'>[]): string {
  const counts = new Map<string, number>();
  for (const { status } of deliveries) {
    const reply = String(status ?? 'no reply');
    counts.set(reply, (counts.get(reply) ?? 0) + 1);
  }
  return [...counts].map(([reply, count]) => `${count} × ${reply}`).join(', ');
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
  const replies = countReplies(simulator.deliveries(outTradeNo));
  const stored = `${order.notices.length} notice stored`;
  const effects = `${sold} sold, ${stock ?? 0} left, ${points} points`;
  return { seen: `${replies}; ${stored}; ${effects}` };
}

async function describeRun(
  world: World,
  outTradeNo: string,
): Promise<{ id: string; status: string }> {
  const described = await world.temporal.workflow.getHandle(orderWorkflowId(outTradeNo)).describe();
  return { id: described.runId, status: described.status.name };
}

async function playAfterTheEnd(world: World): Promise<Seen> {
  const { shop, simulator } = world;
  const placed = await shop.order({ user: 'patient', sku: 'postcard', unitFen: 700 });
  const outTradeNo = placed.out_trade_no;
  await simulator.pay({ outTradeNo });
  await shop.waitFor(outTradeNo, 'fulfilled');
  const before = await waitUntil(`the run of ${outTradeNo} has ended`, SOON_MS, async () => {
    const now = await describeRun(world, outTradeNo);
    return now.status === 'COMPLETED' ? now : undefined;
  });
  const order = await shop.read(outTradeNo);
  const replies = countReplies(await simulator.notify({ outTradeNo }));
  // Oncepay processes callbacks in their order: when a later one is done, this one is done too.
  const later = await shop.order({ user: 'latecomer', sku: 'postcard', unitFen: 700 });
  await simulator.pay({ outTradeNo: later.out_trade_no });
  await shop.waitFor(later.out_trade_no, 'fulfilled');
  const same = isDeepStrictEqual(await shop.read(outTradeNo), order);
  const after = await describeRun(world, outTradeNo);
  const points = await shop.points('patient');
  const state = `order ${same ? 'unchanged' : 'changed'}, ${points} points`;
  const newRun = after.id === before.id ? 'no new run' : 'a new run';
  return { seen: `${replies}; ${state}; ${newRun}` };
}

async function playBeforePrepay({ shop, simulator }: World): Promise<Seen> {
  const sku = 'early-bird';
  // WeChat accepts the prepay, but its responses get lost: the order stays `created`.
  simulator.setFault({ operation: 'prepay', kind: 'cut_after', times: 1_000 });
  try {
    const known = new Set(simulator.orders().map(({ outTradeNo }) => outTradeNo));
    const placing = shop.order({ user: 'early-bird', sku, unitFen: 900 });
    const outTradeNo = await Promise.race([
      waitUntil('the order is known to WeChat', SOON_MS, () =>
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
    const replies = callback === null ? 'no callback' : countReplies([callback]);
    return { seen: `${replies} while ${status}; ${statusPath(order)}` };
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
  const replies: string[] = [];
  for (const [kind] of FORGERIES) {
    const { status } = await simulator.sendRaw({ kind, outTradeNo });
    replies.push(`${kind} ${status ?? 'no reply'}`);
  }
  const after = await shop.read(outTradeNo);
  const same = isDeepStrictEqual(after, before) ? 'unchanged' : 'changed';
  await simulator.pay({ outTradeNo });
  const paid = await shop.waitFor(outTradeNo, 'fulfilled');
  const stored = `${paid.notices.length} notice stored`;
  return { seen: `${replies.join(', ')}; order ${same}; then paid: ${paid.status}, ${stored}` };
}

/** WeChat repeats callbacks or sends them early, and others pretend to be WeChat. */
export const callbackScenarios: readonly Scenario[] = [
  {
    name: 'WeChat sends the same callback 20 times at once',
    expected: `${COPIES} × 204; 1 notice stored; 1 sold, 4 left, 10 points`,
    play: playTwentyAtOnce,
  },
  {
    name: 'WeChat repeats the callback after the order’s workflow has ended',
    expected: '1 × 204; order unchanged, 7 points; no new run',
    play: playAfterTheEnd,
  },
  {
    name: 'WeChat’s callback comes before its response to the prepay',
    expected: '1 × 204 while created; created → paid → fulfilled',
    play: playBeforePrepay,
  },
  {
    name: 'The callback is lost, so Oncepay queries WeChat',
    expected: '0 callbacks; payment_found_by_query; fulfilled, 14 points',
    takesTime: true,
    play: playLost,
  },
  {
    name: 'Somebody sends forged, stale and broken callbacks',
    expected:
      `${FORGERIES.map((pair) => pair.join(' ')).join(', ')}; ` +
      'order unchanged; then paid: fulfilled, 1 notice stored',
    play: playForgeries,
  },
];

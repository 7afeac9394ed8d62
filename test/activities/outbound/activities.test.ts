// Which deliveries one attempt sends, and what it leaves for the next one.
import { createOutboundActivities } from '../../../activities/outbound/activities';
import { LAST_SEND_MS } from '../../../domain/outbound/delivery-times';
import { OperationFailures } from '../../../activities/retries/failures';

type Deps = Parameters<typeof createOutboundActivities>[0];
type Delivery = Parameters<Deps['ports']['webhook']['send']>[0];

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');

const delivery = (id: string, dueInMs: number, kind: Delivery['kind'] = 'webhook') =>
  ({
    id,
    kind,
    event: 'order.paid',
    attempts: 0,
    nextAttemptAt: new Date(NOW_MS + dueInMs),
  }) as unknown as Delivery;

interface Turns {
  /** The first records that fail, because the database is away. */
  readonly failingRecords?: number;
  /** How long a send takes. */
  readonly sendMs?: number;
}

/** The activity over these deliveries, with receivers that refuse those of these ids. */
function outbound(
  pending: readonly Delivery[],
  refused: readonly string[] = [],
  { failingRecords = 0, sendMs = 0 }: Turns = {},
) {
  const clock = { nowMs: NOW_MS };
  let failing = failingRecords;
  const sent: string[] = [];
  const order: string[] = [];
  const done: string[] = [];
  const rounds: (number | null)[] = [];
  const send = ({ id }: Delivery) => {
    sent.push(id);
    order.push(`sent ${id}`);
    clock.nowMs += sendMs;
    return Promise.resolve(refused.includes(id) ? 'it answered 500' : null);
  };
  const deliveries = {
    pending: () => Promise.resolve(pending),
    done: (taken: readonly Delivery[]) => {
      failing -= 1;
      if (failing >= 0) return Promise.reject(new Error('Connection terminated unexpectedly'));
      order.push(...taken.map(({ id }) => `done ${id}`));
      return Promise.resolve(done.push(...taken.map(({ id }) => id)));
    },
    finishRound: (_no: string, atMs: number | null) => Promise.resolve(rounds.push(atMs)),
  };
  const activities = createOutboundActivities({
    database: { deliveries } as unknown as Deps['database'],
    ports: { webhook: { send }, message: { send } },
    now: () => clock.nowMs,
  });
  return { deliver: () => activities.deliver('no'), sent, done, rounds, order };
}

test('deliveries that are due are sent, recorded as done, and nothing is left to do', async () => {
  const one = outbound([delivery('a', 0), delivery('b', 0, 'message')]);
  await one.deliver();
  expect([one.sent, one.done, one.rounds]).toEqual([['a', 'b'], ['a', 'b'], [null]]);
});

test('a delivery before its time waits: the attempt ends with the next time', async () => {
  const one = outbound([delivery('a', 0), delivery('b', 30_000)]);
  await expect(one.deliver()).rejects.toMatchObject({ nextRetryDelay: 30_000 });
  expect([one.sent, one.rounds]).toEqual([['a'], [NOW_MS + 30_000]]);
});

test('one attempt sends at most three, the next one goes on at once', async () => {
  const one = outbound(['a', 'b', 'c', 'd'].map((id) => delivery(id, 0)));
  await expect(one.deliver()).rejects.toMatchObject({ nextRetryDelay: 1 });
  expect(one.sent).toEqual(['a', 'b', 'c']);
});

test('a delivery that fails does not hold back the others, and is reported', async () => {
  const one = outbound([delivery('a', 0), delivery('b', 0)], ['a']);
  const error: unknown = await one.deliver().catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(OperationFailures);
  expect(error).toMatchObject({
    failures: [{ operation: 'notification.webhook', subject: 'webhook:a', attempts: 1 }],
  });
  expect([one.sent, one.done]).toEqual([['a', 'b'], ['b']]);
});

test('the database is away as a delivery is accepted: it is recorded, and sent once', async () => {
  const one = outbound([delivery('a', 0)], [], { failingRecords: 2 });
  await one.deliver();
  expect([one.sent, one.done]).toEqual([['a'], ['a']]);
});

test('an accepted delivery is recorded before the next one is sent', async () => {
  const one = outbound([delivery('a', 0), delivery('b', 0)], [], { failingRecords: 1 });
  await one.deliver();
  expect(one.order).toEqual(['sent a', 'done a', 'sent b', 'done b']);
});

test('an attempt that has used up its time leaves the rest to the next one', async () => {
  const due = ['a', 'b', 'c'].map((id) => delivery(id, 0));
  const one = outbound(due, [], { sendMs: LAST_SEND_MS + 1 });
  await expect(one.deliver()).rejects.toMatchObject({ nextRetryDelay: 1 });
  expect([one.sent, one.done]).toEqual([['a'], ['a']]);
});

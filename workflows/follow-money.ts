// The common run of refunds and profit sharings: one activity until WeChat has decided.
// Sandbox: deterministic only.
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { noticeSignal } from './messages';
import { isBudgetSpent } from './call-activities';

interface Settlement<S> {
  standing: S | null;
  failure: { readonly error: unknown } | null;
}

/**
 * Follows money until WeChat has decided or a person is needed. One activity does all the work: its
 * retries add no events, however many days they take (P9). When a signal comes meanwhile, the run
 * looks once by itself. After a person has resolved an intervention a new run starts (P5).
 * @param look reads how the money stands now; `under_way` leaves it to the activity
 */
export async function followMoney<S extends string>(
  settle: () => Promise<S>,
  look: () => Promise<S>,
): Promise<S | 'person_needed'> {
  const signal = { received: false };
  setHandler(noticeSignal, () => {
    signal.received = true;
  });
  // The activity reads the row anyway, so the signal that came with the start adds nothing.
  signal.received = false;
  const settlement = start(settle);
  for (;;) {
    await condition(
      () => signal.received || settlement.standing !== null || settlement.failure !== null,
    );
    const { standing, failure } = settlement;
    const ended = failure === null ? standing : standingAfterFailure(failure.error);
    if (ended !== null) return show(ended);
    // A callback may have settled it. The activity pauses, and would see that much later.
    signal.received = false;
    const seen = await look();
    if (seen !== 'under_way') return show(seen);
  }
}

function start<S>(settle: () => Promise<S>): Settlement<S> {
  const settlement: Settlement<S> = { standing: null, failure: null };
  settle().then(
    (standing) => {
      settlement.standing = standing;
    },
    (error: unknown) => {
      settlement.failure = { error };
    },
  );
  return settlement;
}

/** A spent budget has opened an intervention; any other error ends the run as failed. */
function standingAfterFailure(error: unknown): 'person_needed' {
  if (isBudgetSpent(error)) return 'person_needed';
  throw error;
}

function show<S extends string>(standing: S): S {
  setCurrentDetails(`**${standing}**`);
  return standing;
}

// Sandbox: deterministic only.
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { isBudgetSpent } from './flights';
import { noticeSignal } from './messages';

interface Landed<S> {
  standing: S | null;
  failure: { readonly error: unknown } | null;
}

/**
 * Follows money until it has arrived or a person is needed. One activity does all of it: its retries add
 * no events, however many days that takes (P9). Told meanwhile, the run looks once beside it; whoever
 * answers a person's question starts a new run (P5).
 * @param look asks how it stands now; `under_way` leaves it to the activity
 */
export async function followMoney<S extends string>(
  settle: () => Promise<S>,
  look: () => Promise<S>,
): Promise<S | 'person_needed'> {
  const heard = { told: false };
  setHandler(noticeSignal, () => {
    heard.told = true;
  });
  // The signal that came with the start says nothing that the activity does not read.
  heard.told = false;
  const landed = start(settle);
  for (;;) {
    await condition(() => heard.told || landed.standing !== null || landed.failure !== null);
    const standing = landed.failure === null ? landed.standing : failedAs(landed.failure.error);
    if (standing !== null) return show(standing);
    // A callback may have settled it: the activity, in its pause, would hear of that much later.
    heard.told = false;
    const seen = await look();
    if (seen !== 'under_way') return show(seen);
  }
}

function start<S>(settle: () => Promise<S>): Landed<S> {
  const landed: Landed<S> = { standing: null, failure: null };
  settle().then(
    (standing) => {
      landed.standing = standing;
    },
    (error: unknown) => {
      landed.failure = { error };
    },
  );
  return landed;
}

/** A spent budget has asked a person; anything else ends the run as failed. */
function failedAs(error: unknown): 'person_needed' {
  if (isBudgetSpent(error)) return 'person_needed';
  throw error;
}

function show<S extends string>(standing: S): S {
  setCurrentDetails(`**${standing}**`);
  return standing;
}

// Decides what one person may move alone, and what one machine may refund.
// Sandbox: deterministic only.
import type { effectiveLimits } from '../settings/runtime-settings';

/** The limits in force. */
export interface MoneyLimits {
  /** The most that one person moves alone at once, in fen. */
  readonly personFen: number;
  /** The most that one person moves alone in 24 hours, in fen. */
  readonly personDayFen: number;
  /** The largest refund that a merchant key may request, in fen; 0 is no limit. */
  readonly machineFen: number;
  /** The most that a client refunds with merchant keys in 24 hours, in fen; 0 is no limit. */
  readonly machineDayFen: number;
}

/** The limits among the settings in force. */
export function limitsAmong(settings: ReturnType<typeof effectiveLimits>): MoneyLimits {
  return {
    personFen: settings.two_person_fen,
    personDayFen: settings.two_person_day_fen,
    machineFen: settings.merchant_refund_max_fen,
    machineDayFen: settings.merchant_refund_day_fen,
  };
}

/** The time over which movements are added up. */
export const MOVED_WITHIN_MS = 24 * 3_600_000;

/** A proposal that nobody approves within this time expires. */
export const PROPOSAL_LIFE_MS = 24 * 3_600_000;

/** A movement of money that a person requests. */
export interface Movement {
  /** Fen, at most 0 where nothing leaves; null when it is unknown: then two persons are needed. */
  readonly amountFen: number | null;
  /** A person typed in where the money goes, or the request widens what may move. */
  readonly alwaysTwo: boolean;
  /** All that this person moved alone in the last 24 hours, in fen. */
  readonly movedFen: number;
}

/** True when a second person has to agree to a movement. */
export function needsSecondPerson(
  { amountFen, alwaysTwo, movedFen }: Movement,
  { personFen, personDayFen }: Pick<MoneyLimits, 'personFen' | 'personDayFen'>,
): boolean {
  if (alwaysTwo || amountFen === null) return true;
  if (amountFen <= 0) return false;
  return amountFen > personFen || movedFen + amountFen > personDayFen;
}

/**
 * Compares a machine's refund with its bounds.
 * @param refundedFen all that its client refunded in the last 24 hours, in fen
 * @returns null when the refund is within them, else the fen that it may still refund
 */
export function leftForMachine(
  amountFen: number,
  refundedFen: number,
  { machineFen, machineDayFen }: Pick<MoneyLimits, 'machineFen' | 'machineDayFen'>,
): number | null {
  const ofDayFen = machineDayFen === 0 ? Infinity : Math.max(0, machineDayFen - refundedFen);
  const leftFen = Math.min(machineFen === 0 ? Infinity : machineFen, ofDayFen);
  return amountFen <= leftFen ? null : leftFen;
}

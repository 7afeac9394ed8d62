// The next step of a numbered request's run: wait, send or query.
import type { TxScope } from '../core/tx-scope';

/**
 * A numbered request is one that WeChat knows by a number of ours: a refund, a sharing, a return of
 * shares. Its row decides at the start of each attempt what the run does.
 *
 * @typeParam Stored all that goes into the request, read from the row
 */
export type NumberedTurn<Stored> =
  /** The run comes back after `delayMs`. */
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** The run sends the request; the attempt is recorded. */
  | { readonly kind: 'send'; readonly attemptId: string; readonly request: Stored }
  /** The run queries WeChat first: an attempt may have been taken, or WeChat works on it. */
  | {
      readonly kind: 'query';
      readonly request: Stored;
      /** When WeChat first reported that it has the request, Unix ms; null before that. */
      readonly acceptedAtMs: number | null;
      /**
       * WeChat has never reported this number: when it doesn't find it, the request is sent again.
       */
      readonly mayBeAbsent: boolean;
    };

/** Whether a request that WeChat doesn't find is sent again now. */
export type StartedAgain =
  | { readonly kind: 'send'; readonly attemptId: string }
  | { readonly kind: 'wait'; readonly delayMs: number };

/** The transaction that decides on a turn, and how long an attempt that it starts may live. */
export interface TurnScope extends TxScope {
  /** After this nothing of the attempt can still be under way. */
  readonly attemptLifeMs: number;
}

// The open transaction and the time that its rows are written with, handed on as one value.
import type { Tx } from './context';

/** What a function needs that writes in the transaction of its caller. A `Scope` is one, too. */
export interface TxScope {
  readonly tx: Tx;
  readonly now: Date;
}

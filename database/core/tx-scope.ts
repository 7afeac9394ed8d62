// The open transaction and the time that its rows are written with, handed on as one value.
import type { Tx } from './context';

/** For functions that write in the transaction of their caller. A `Scope` is one, too. */
export interface TxScope {
  readonly tx: Tx;
  readonly now: Date;
}

// The times of an attempt to send deliveries: none may outlive the attempt that it is a part of.
// Sandbox: deterministic only.

/** Deliveries of a kind that one attempt sends, one after the other. */
export const MAX_PER_ATTEMPT = 3;

/**
 * An attempt that is still at work when its own time ends is sent a second time beside it, under
 * the same id. So all parts together stay below `attempt`; test/domain/outbound checks it.
 */
export const DELIVERY_TIMES_MS = {
  /** A receiver replies within this: a shop should reply first, then work. */
  receiver: 10_000,
  /** One statement: it waits for a connection, then for its result. */
  statement: 6_000,
  /** How long the record of an accepted delivery is tried again while the database is away. */
  record: 20_000,
  /** The next attempt begins this long after a worker has died. */
  heartbeat: 30_000,
  attempt: 120_000,
} as const;

/** An attempt begins no send after this: what follows the send still has to fit. */
export const LAST_SEND_MS =
  DELIVERY_TIMES_MS.attempt -
  DELIVERY_TIMES_MS.receiver -
  DELIVERY_TIMES_MS.record -
  // The last try of the record, the round's end and its view, the failures' budgets.
  5 * DELIVERY_TIMES_MS.statement;

/**
 * What the patrol looks for. The names are public: they stand in its reports, and those of broken
 * invariants in the subjects of interventions.
 */
export const PATROL_KINDS = {
  /** WeChat's word waits for its verdict: its run is told of it. */
  notice_without_verdict: 'inbox',
  /** `due_at` has passed: the run is woken; if that changes nothing, a person is asked (`stuck`). */
  order_overdue: 'overdue',
  refund_overdue: 'overdue',
  sharing_overdue: 'overdue',
  /** Something to tell is not even tried: the run is woken, then a person is asked. */
  delivery_overdue: 'overdue',
  /** An open order without `due_at`: it gets one, and with it everybody who looks for such orders. */
  order_created_unattended: 'overdue',
  /** A run that a person was asked about goes on by itself: the question is ended. */
  stuck_moved_on: 'overdue',
  /** What was held or given back of a transaction is not what its refunds say. */
  transaction_overdrawn: 'invariants',
  /** The status, or what the order says is back, is not what its transaction and refunds say. */
  status_without_transaction: 'invariants',
  /** The effects say something else than the order's status, the points' entries or the refunds. */
  effects_disagree: 'invariants',
  /** A balance is not the sum of its entries, or more codes went out than were ordered. */
  effect_twice: 'invariants',
  /** A product's `reserved` is not the sum of its reservations. */
  stock_disagrees: 'invariants',
  /** An order that is over still holds stock: given back where the counts agree and nothing left. */
  reservation_leaked: 'invariants',
  /** Raw callback bodies past their time; the row, its id and its verdict stay. */
  callback_body_purged: 'purge',
  idempotency_key_purged: 'purge',
  fingerprint_purged: 'purge',
  delivery_log_purged: 'purge',
  retry_budget_purged: 'purge',
  patrol_report_purged: 'purge',
} as const satisfies Record<string, PatrolSection>;

/** In this order; one that fails doesn't stop the next. */
export const PATROL_SECTIONS = ['inbox', 'overdue', 'invariants', 'purge'] as const;
export type PatrolSection = (typeof PATROL_SECTIONS)[number];

export type PatrolKind = keyof typeof PATROL_KINDS;
export const PATROL_KIND_NAMES = Object.keys(PATROL_KINDS) as [PatrolKind, ...PatrolKind[]];
type KindOf<S extends PatrolSection> = {
  [K in PatrolKind]: (typeof PATROL_KINDS)[K] extends S ? K : never;
}[PatrolKind];
export type InvariantKind = KindOf<'invariants'>;
export type PurgeKind = KindOf<'purge'>;

/** What one patrol found of one kind: `found` is the sum of the three others. */
export interface PatrolFinding {
  readonly kind: PatrolKind;
  /** Counted up to a bound, see the section. */
  readonly found: number;
  /** Told, repaired or removed by this patrol. */
  readonly healed: number;
  /** Questions for a person that this patrol opened. */
  readonly opened: number;
  /** Asked about already, dismissed, or left to the next patrol. */
  readonly left: number;
  /** Numbers to look at first. */
  readonly sample: readonly string[];
}

const MAX_SAMPLE = 10;

/** A finding from its parts: what was neither healed nor opened is left. */
export function finding(
  kind: PatrolKind,
  keys: readonly string[],
  done: { healed?: number; opened?: number },
): PatrolFinding {
  const healed = done.healed ?? 0;
  const opened = done.opened ?? 0;
  const found = Math.max(keys.length, healed + opened);
  const sample = [...new Set(keys)].slice(0, MAX_SAMPLE);
  return { kind, found, healed, opened, left: found - healed - opened, sample };
}

/** How far the patrol has read; each one goes on where the last one stopped. */
export interface PatrolPosition {
  /** Id of the last row of the status history whose order was checked, as decimal text. */
  readonly history: string;
  /** Number of the last order of the slow pass over all of them; empty at its start. */
  readonly order: string;
}

/** What a patrol is given at its start. */
export interface PatrolStart {
  readonly id: string;
  /** null before the first one. */
  readonly position: PatrolPosition | null;
  /** Unix ms: what changed since then was not looked at yet. */
  readonly sinceMs: number;
}

/** What a patrol leaves. */
export interface PatrolReport {
  readonly findings: readonly PatrolFinding[];
  readonly failedSections: readonly PatrolSection[];
  readonly position: PatrolPosition | null;
}

/**
 * More rows than this at once are no stuck runs but an outage: nobody is helped by as many questions,
 * so none is opened and one alarm says how many there are.
 */
export const MAX_STUCK = 50;

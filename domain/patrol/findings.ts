// The kinds of findings that the patrol looks for, and the shape of its report.
// Sandbox: deterministic only.

/**
 * The kinds of findings of the patrol. The names are public: they are in its reports, and those of
 * broken invariants in the subjects of interventions.
 */
export const PATROL_KINDS = {
  /** A notice of WeChat waits for its verdict: the patrol wakes its run. */
  notice_without_verdict: 'inbox',
  /** `due_at` has passed: the patrol wakes the run. If nothing changes, it opens `stuck`. */
  order_overdue: 'overdue',
  refund_overdue: 'overdue',
  sharing_overdue: 'overdue',
  /** A delivery is due, but not tried: the patrol wakes the run, then opens an intervention. */
  delivery_overdue: 'overdue',
  /** An open order without `due_at`: it gets one, so that sweep and patrol find it. */
  order_created_unattended: 'overdue',
  /** A run with an open `stuck` goes on by itself: the patrol ends the intervention. */
  stuck_moved_on: 'overdue',
  /** A day's bill was ready 24 hours ago and is not reconciled: an intervention is opened. */
  reconciliation_missing: 'overdue',
  /** The held or refunded amounts of a transaction differ from those of its refunds. */
  transaction_overdrawn: 'invariants',
  /** The order's status or refunded amount differs from its transaction and refunds. */
  status_without_transaction: 'invariants',
  /** The effects differ from the order's status, its points entries or its refunds. */
  effects_disagree: 'invariants',
  /** A balance differs from the sum of its entries, or an order has more codes than it ordered. */
  effect_twice: 'invariants',
  /** A product's `reserved` differs from the sum of its reservations. */
  stock_disagrees: 'invariants',
  /** The counted sales of a day or a product differ from the effects of the orders. */
  sales_disagree: 'invariants',
  /** An ended order still reserves stock. The patrol releases it when the counts agree. */
  reservation_leaked: 'invariants',
  /** Raw callback bodies past their time are deleted; the row, its id and its verdict stay. */
  callback_body_purged: 'purge',
  idempotency_key_purged: 'purge',
  fingerprint_purged: 'purge',
  delivery_log_purged: 'purge',
  retry_budget_purged: 'purge',
  patrol_report_purged: 'purge',
  bill_line_purged: 'purge',
  statistics_purged: 'purge',
} as const satisfies Record<string, PatrolSection>;

/** The sections in their order. A section that fails doesn't stop the next. */
export const PATROL_SECTIONS = ['inbox', 'overdue', 'invariants', 'purge'] as const;
export type PatrolSection = (typeof PATROL_SECTIONS)[number];

export type PatrolKind = keyof typeof PATROL_KINDS;
export const PATROL_KIND_NAMES = Object.keys(PATROL_KINDS) as [PatrolKind, ...PatrolKind[]];
type KindOf<S extends PatrolSection> = {
  [K in PatrolKind]: (typeof PATROL_KINDS)[K] extends S ? K : never;
}[PatrolKind];
export type InvariantKind = KindOf<'invariants'>;
export type PurgeKind = KindOf<'purge'>;

/** The findings of one kind in one patrol. `found` is the sum of the three other counts. */
export interface PatrolFinding {
  readonly kind: PatrolKind;
  /** Counted up to a bound, see the section. */
  readonly found: number;
  /** Woken, repaired or deleted by this patrol. */
  readonly healed: number;
  /** Interventions that this patrol opened. */
  readonly opened: number;
  /** Has an intervention already, was dismissed, or is left to the next patrol. */
  readonly left: number;
  /** Some of the numbers, for a person to begin with. */
  readonly sample: readonly string[];
}

const MAX_SAMPLE = 10;

/** Makes a finding. Everything that was neither healed nor opened counts as left. */
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

/** How far the patrol has read. Each patrol goes on where the last one stopped. */
export interface PatrolPosition {
  /** Id of the last row of the status history whose order was checked, as decimal text. */
  readonly history: string;
  /** Number of the last order of the slow pass over all of them; empty at its start. */
  readonly order: string;
  /** Left out by versions that did not compare sales. */
  readonly sales?: SalesPosition;
}

/** How far the slow pass over the counted sales has come. */
export interface SalesPosition {
  /** The day compared last, `yyyymmdd` in Shanghai, from the newest back; empty at its start. */
  readonly day: string;
  /** The product compared last; empty at its start. */
  readonly sku: string;
}

/** The state from which a patrol starts. */
export interface PatrolStart {
  readonly id: string;
  /** null before the first patrol. */
  readonly position: PatrolPosition | null;
  /** Unix time in ms. Later changes have not been checked yet. */
  readonly sinceMs: number;
}

/** The result of a patrol. */
export interface PatrolReport {
  readonly findings: readonly PatrolFinding[];
  readonly failedSections: readonly PatrolSection[];
  readonly position: PatrolPosition | null;
}

/**
 * More stuck runs than this at once mean an outage. So many interventions would help nobody, so the
 * patrol opens none, and one alert says how many there are.
 */
export const MAX_STUCK = 50;

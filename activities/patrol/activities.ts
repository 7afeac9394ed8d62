// The sections of the patrol, one activity each.
import type { Database } from '../../database/database';
import type { OverdueKind, OverdueRow } from '../../database/patrol/find-overdue-rows';
import { PURGE_BATCH, PURGE_KINDS } from '../../database/patrol/purge-rows';
import type { DependencyName, DependencyState } from '../../domain/retries/dependencies';
import { finding, MAX_STUCK, type PatrolFinding } from '../../domain/patrol/findings';
import {
  orderWorkflowId,
  refundWorkflowId,
  sharingWorkflowId,
} from '../../domain/temporal/workflow-ids';
import type { PatrolActivities, PatrolReportActivities } from '../../workflows/patrol-contract';
import type { RunDescription } from './run-descriptions';
import type { Runs } from '../runs/wake-runs';

export interface PatrolActivityDeps {
  readonly database: Pick<Database, 'patrol' | 'settings'>;
  readonly runs: Pick<Runs, 'wakeOrder' | 'wakeRefund' | 'wakeSharing'>;
  readonly describeRun: (workflowId: string) => Promise<RunDescription>;
  /** Records that a dependency is down or back; raises an alert when that has changed. */
  readonly outage: (name: DependencyName, state: DependencyState, facts: object) => Promise<void>;
  /** False when days are only reconciled by hand: then none is missing. */
  readonly isReconciling: boolean;
  readonly now: () => number;
}

/** The hint in the history of a run that the patrol woke. */
const HINT = 'patrol';
/** A section starts no new work after this; its timeout is 90 s. */
const SECTION_MS = 60_000;
/** Runs that are woken at the same time. */
const CONCURRENCY = 8;
/** Batches of one kind in one patrol; together 10,000 rows. */
const MAX_PURGE_BATCHES = 20;

const OVERDUE_KINDS = [
  'order_overdue',
  'refund_overdue',
  'sharing_overdue',
  'delivery_overdue',
] as const;

/** Makes the patrol's activities. */
export function createPatrolActivities(deps: PatrolActivityDeps) {
  const { patrol } = deps.database;
  const { now } = deps;
  return {
    async beginPatrol(id) {
      // A patrol runs, so Temporal is up. The process that recorded its outage may be gone.
      await deps.outage('temporal', 'up', {});
      return patrol.begin(id, now());
    },
    finishPatrol: (id, report) => patrol.finish(id, report, now()),

    async patrolInbox() {
      const deadlineMs = now() + SECTION_MS;
      const { keys, toWake } = await patrol.notices.find(now());
      const woken = await wakeEach(deps, deadlineMs, toWake, (one) =>
        deps.runs.wakeOrder(one.outTradeNo, one.id),
      );
      const numbers = woken.map(({ outTradeNo }) => outTradeNo);
      await patrol.notices.recordWoken(numbers, now());
      const healed = keys.filter((key) => numbers.includes(key)).length;
      return found(finding('notice_without_verdict', keys, { healed }));
    },

    async patrolOverdue() {
      const deadlineMs = now() + SECTION_MS;
      const attended = await patrol.overdue.makeUnattendedDue(now());
      const moved = await patrol.overdue.endMoved(now());
      // A run waits for the resolution of an open intervention. Woken, it sees that none is open.
      await wakeEach(deps, deadlineMs, moved, (no) => deps.runs.wakeOrder(no, HINT));
      const rounds = await Promise.all(
        OVERDUE_KINDS.map(async (kind) => ({ kind, ...(await patrol.overdue.find(kind, now())) })),
      );
      const mayOpen = await mayOpenInterventions(
        deps,
        rounds.map(({ kind, stuck }) => ({ kind, stuck: stuck.length })),
      );
      const findings = [
        finding('order_created_unattended', attended, { healed: attended.length }),
        finding('stuck_moved_on', moved, { healed: moved.length }),
      ];
      for (const { kind, keys, toWake, stuck } of rounds) {
        const woken = await wakeEach(deps, deadlineMs, toWake, (one) => wake(deps, kind, one));
        await patrol.overdue.recordWoken(kind, woken, now());
        const opened = mayOpen ? await openStuck(deps, deadlineMs, kind, stuck) : 0;
        findings.push(finding(kind, keys, { healed: woken.length, opened }));
      }
      findings.push(await findMissingReconciliations(deps));
      return found(...findings);
    },

    async patrolInvariants(start) {
      const deadlineMs = now() + SECTION_MS;
      const { opened, ...result } = await patrol.invariants.check(start, deadlineMs, now);
      await showInterventions(deps, deadlineMs, opened);
      return result;
    },

    patrolPurge: () => purge(deps),
  } satisfies PatrolActivities & PatrolReportActivities;
}

/** Days that should be reconciled by now, each with its intervention. */
async function findMissingReconciliations({
  database,
  isReconciling,
  now,
}: PatrolActivityDeps): Promise<PatrolFinding> {
  const none = { days: [], opened: [] };
  const missing = isReconciling ? await database.patrol.reconciliations.find(now()) : none;
  return finding('reconciliation_missing', missing.days, { opened: missing.opened.length });
}

/** The findings that a report lists. */
const found = (...findings: PatrolFinding[]) => findings.filter((one) => one.found > 0);

/**
 * Wakes runs, a few at a time. It stops when a whole group could not be woken: Temporal is away
 * then.
 * @returns those whose run was woken
 */
async function wakeEach<T>(
  { now }: PatrolActivityDeps,
  deadlineMs: number,
  all: readonly T[],
  wakeOne: (one: T) => Promise<void>,
): Promise<T[]> {
  const woken: T[] = [];
  for (let from = 0; from < all.length && now() < deadlineMs; from += CONCURRENCY) {
    const some = all.slice(from, from + CONCURRENCY);
    const results = await Promise.allSettled(some.map(wakeOne));
    const reached = some.filter((_, index) => results[index]?.status === 'fulfilled');
    if (reached.length === 0) break;
    woken.push(...reached);
  }
  return woken;
}

function wake({ runs }: PatrolActivityDeps, kind: OverdueKind, row: OverdueRow): Promise<void> {
  switch (kind) {
    case 'refund_overdue':
      return runs.wakeRefund(row.key);
    case 'sharing_overdue':
      return runs.wakeSharing(row.key);
    case 'order_overdue':
    case 'delivery_overdue':
      return runs.wakeOrder(row.outTradeNo, HINT);
  }
}

/**
 * False while a dependency is down, and when more rows are stuck than people can look at: the alert
 * of the outage takes the place of the interventions. After such an outage the first patrol opens
 * none either: the last of the waiting runs go on within its interval.
 */
async function mayOpenInterventions(
  { database, outage, now }: PatrolActivityDeps,
  counts: readonly { kind: OverdueKind; stuck: number }[],
): Promise<boolean> {
  const total = counts.reduce((sum, { stuck }) => sum + stuck, 0);
  if (await database.patrol.overdue.dependencyDown(now())) return false;
  const wereTooMany = await database.patrol.overdue.wereTooMany();
  const tooMany = total > MAX_STUCK;
  // Each count ends one above the limit.
  const facts = Object.fromEntries(counts.map(({ kind, stuck }) => [kind, stuck]));
  await outage('workers_overdue', tooMany ? 'down' : 'up', facts);
  return !tooMany && !wereTooMany;
}

/** Deletes the rows that are past the time their setting keeps them, some batches of each kind. */
async function purge({ database, now }: PatrolActivityDeps): Promise<readonly PatrolFinding[]> {
  const deadlineMs = now() + SECTION_MS;
  const findings: PatrolFinding[] = [];
  const settings = await database.settings.read();
  for (const kind of PURGE_KINDS) {
    let purged = 0;
    for (let n = 0; n < MAX_PURGE_BATCHES && now() < deadlineMs; n += 1) {
      const rows = await database.patrol.purge.batch(kind, settings, now());
      purged += rows;
      if (rows < PURGE_BATCH) break;
    }
    findings.push(finding(kind, [], { healed: purged }));
  }
  return found(...findings);
}

/** Wakes the runs of orders with new interventions, so that Web UI shows them. */
async function showInterventions(
  deps: PatrolActivityDeps,
  deadlineMs: number,
  interventions: readonly { readonly outTradeNo: string; readonly ours: boolean }[],
): Promise<void> {
  const numbers = new Set(interventions.filter(({ ours }) => ours).map((one) => one.outTradeNo));
  await wakeEach(deps, deadlineMs, [...numbers], (no) => deps.runs.wakeOrder(no, HINT));
}

function runOf(kind: OverdueKind, row: OverdueRow): string {
  if (kind === 'refund_overdue') return refundWorkflowId(row.key);
  if (kind === 'sharing_overdue') return sharingWorkflowId(row.key);
  return orderWorkflowId(row.outTradeNo);
}

async function openStuck(
  deps: PatrolActivityDeps,
  deadlineMs: number,
  kind: OverdueKind,
  rows: readonly OverdueRow[],
): Promise<number> {
  const { database, describeRun, now } = deps;
  const opened: OverdueRow[] = [];
  for (const row of rows) {
    if (now() > deadlineMs) break;
    const id = runOf(kind, row);
    const run = { workflow_id: id, ...(await describeRun(id)) };
    if (await database.patrol.overdue.openStuck(kind, row, run, now())) opened.push(row);
  }
  await showInterventions(deps, deadlineMs, opened);
  return opened.length;
}

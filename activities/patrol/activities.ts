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
  /** Says once that something is down, and once that it is back. */
  readonly outage: (name: DependencyName, state: DependencyState, facts: object) => Promise<void>;
  readonly now: () => number;
}

/** What the history of a woken run shows as the reason. */
const HINT = 'patrol';
/** A section starts nothing new after this; the workflow gives it 90 s. */
const SECTION_MS = 60_000;
/** Runs told at once. */
const CONCURRENCY = 8;
/** Batches of one kind in one patrol: 10,000 rows. */
const MAX_PURGE_BATCHES = 20;

const OVERDUE_KINDS = [
  'order_overdue',
  'refund_overdue',
  'sharing_overdue',
  'delivery_overdue',
] as const;

/** The sections of the patrol, one activity each. */
export function createPatrolActivities(deps: PatrolActivityDeps) {
  const { patrol } = deps.database;
  const { now } = deps;
  return {
    async beginPatrol(id) {
      // A patrol runs: whoever said that Temporal is down may be gone.
      await deps.outage('temporal', 'up', {});
      return patrol.begin(id, now());
    },
    finishPatrol: (id, report) => patrol.finish(id, report, now()),

    async patrolInbox() {
      const deadlineMs = now() + SECTION_MS;
      const { keys, toWake: toTell } = await patrol.notices.find(now());
      const told = await wakeEach(deps, deadlineMs, toTell, (one) =>
        deps.runs.wakeOrder(one.outTradeNo, one.id),
      );
      const numbers = told.map(({ outTradeNo }) => outTradeNo);
      await patrol.notices.recordWoken(numbers, now());
      const healed = keys.filter((key) => numbers.includes(key)).length;
      return found(finding('notice_without_verdict', keys, { healed }));
    },

    async patrolOverdue() {
      const deadlineMs = now() + SECTION_MS;
      const attended = await patrol.overdue.makeUnattendedDue(now());
      const moved = await patrol.overdue.endMoved(now());
      // A run with an open question waits for its answer; told, it sees that there is none to wait for.
      await wakeEach(deps, deadlineMs, moved, (no) => deps.runs.wakeOrder(no, HINT));
      const rounds = await Promise.all(
        OVERDUE_KINDS.map(async (kind) => ({ kind, ...(await patrol.overdue.find(kind, now())) })),
      );
      const asks = await mayOpenIntervention(
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
        const opened = asks ? await openStuck(deps, deadlineMs, kind, stuck) : 0;
        findings.push(finding(kind, keys, { healed: woken.length, opened }));
      }
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

/** A report tells of what there was. */
const found = (...findings: PatrolFinding[]) => findings.filter((one) => one.found > 0);

/**
 * Tells runs, a few at a time; ends where none of a handful could be told, since Temporal is away then.
 * @returns those that were told
 */
async function wakeEach<T>(
  { now }: PatrolActivityDeps,
  deadlineMs: number,
  all: readonly T[],
  tell: (one: T) => Promise<void>,
): Promise<T[]> {
  const told: T[] = [];
  for (let from = 0; from < all.length && now() < deadlineMs; from += CONCURRENCY) {
    const some = all.slice(from, from + CONCURRENCY);
    const results = await Promise.allSettled(some.map(tell));
    const reached = some.filter((_, index) => results[index]?.status === 'fulfilled');
    if (reached.length === 0) break;
    told.push(...reached);
  }
  return told;
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

/** Asking makes no sense while something is down, nor about more rows than people can answer. */
async function mayOpenIntervention(
  { database, outage, now }: PatrolActivityDeps,
  counts: readonly { kind: OverdueKind; stuck: number }[],
): Promise<boolean> {
  const total = counts.reduce((sum, { stuck }) => sum + stuck, 0);
  if (await database.patrol.overdue.dependencyDown(now())) return false;
  const tooMany = total > MAX_STUCK;
  // Each count ends one above the limit.
  const facts = Object.fromEntries(counts.map(({ kind, stuck }) => [kind, stuck]));
  await outage('workers_overdue', tooMany ? 'down' : 'up', facts);
  return !tooMany;
}

/** Removes what its settings keep no longer, some batches of each kind. */
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

/** Tells the orders' runs of new questions, so that Web UI shows them too; the rows don't need it. */
async function showInterventions(
  deps: PatrolActivityDeps,
  deadlineMs: number,
  questions: readonly { readonly outTradeNo: string; readonly ours: boolean }[],
): Promise<void> {
  const numbers = new Set(questions.filter(({ ours }) => ours).map((one) => one.outTradeNo));
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

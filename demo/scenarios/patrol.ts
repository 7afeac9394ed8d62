// Scenario of the patrol: it runs on its schedule and finds no broken invariant.
import { PATROL_KINDS } from '../../domain/patrol/findings';
import type { PatrolReply } from '../replies';
import { RECOVERY_MS, waitUntil } from '../wait-until';
import type { Scenario, Seen, World } from '../world';

type Finding = PatrolReply['findings'][number];

function sum(findings: readonly Finding[], count: (finding: Finding) => number): number {
  return findings.reduce((total, finding) => total + count(finding), 0);
}

async function playPatrol({ desk }: World): Promise<Seen> {
  const since = Date.now();
  let last = 'none yet';
  const report = await waitUntil('a finished patrol run', RECOVERY_MS, async () => {
    const [newest] = await desk.patrols();
    if (newest === undefined) return undefined;
    last = `${newest.status}, started at ${newest.started_at}`;
    const isOver = newest.status !== 'running' && Date.parse(newest.started_at) >= since;
    return isOver ? newest : undefined;
  }).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message} (the last run: ${last})`);
  });
  const { status, findings, failed_sections: failed } = report;
  const broken = findings.filter(({ kind }) => PATROL_KINDS[kind] === 'invariants');
  const invariants = `${sum(broken, ({ found }) => found)} broken invariants`;
  const opened = `${sum(findings, ({ opened }) => opened)} interventions opened`;
  const all = findings.map(({ kind, found, healed }) => `${kind} ${found}, healed ${healed}`);
  return {
    seen: `${status}, ${failed.length} sections failed; ${invariants}; ${opened}`,
    note: `found ${all.length === 0 ? 'nothing' : all.join('; ')}`,
  };
}

/** The patrol, which checks all orders again and again. */
export const patrolScenarios: readonly Scenario[] = [
  {
    name: 'The patrol runs on its schedule',
    expected: 'done, 0 sections failed; 0 broken invariants; 0 interventions opened',
    play: playPatrol,
  },
];

import { PATROL_KINDS } from '../../domain/patrol/findings';
import type { PatrolAnswer } from '../answers';
import { RECOVERY_MS, until } from '../until';
import type { Scenario, Seen, World } from '../world';

type Finding = PatrolAnswer['findings'][number];

function sum(findings: readonly Finding[], count: (finding: Finding) => number): number {
  return findings.reduce((total, finding) => total + count(finding), 0);
}

async function playPatrol({ desk }: World): Promise<Seen> {
  const since = Date.now();
  let last = 'none yet';
  const report = await until('a patrol that came by itself', RECOVERY_MS, async () => {
    const [newest] = await desk.patrols();
    if (newest === undefined) return undefined;
    last = `${newest.status}, started at ${newest.started_at}`;
    const isOver = newest.status !== 'running' && Date.parse(newest.started_at) >= since;
    return isOver ? newest : undefined;
  }).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message} (the last one: ${last})`);
  });
  const { status, findings, failed_sections: failed } = report;
  const broken = findings.filter(({ kind }) => PATROL_KINDS[kind] === 'invariants');
  const books = `${sum(broken, ({ found }) => found)} faults in the books`;
  const asked = `${sum(findings, ({ opened }) => opened)} questions opened`;
  const all = findings.map(({ kind, found, healed }) => `${kind} ${found}, healed ${healed}`);
  return {
    seen: `${status}, ${failed.length} sections failed; ${books}; ${asked}`,
    note: `found ${all.length === 0 ? 'nothing' : all.join('; ')}`,
  };
}

/** Whoever looks after everything, again and again. */
export const patrolScenarios: readonly Scenario[] = [
  {
    name: 'The patrol comes by itself',
    expected: 'done, 0 sections failed; 0 faults in the books; 0 questions opened',
    play: playPatrol,
  },
];

import { PATROL_KINDS } from '../../domain/patrol';
import type { PatrolAnswer } from '../answers';
import { RECOVERY_MS, until } from '../until';
import type { Scenario, Seen, World } from '../world';

type Finding = PatrolAnswer['findings'][number];

function sum(findings: readonly Finding[], count: (finding: Finding) => number): number {
  return findings.reduce((total, finding) => total + count(finding), 0);
}

async function playPatrol({ desk }: World): Promise<Seen> {
  const since = Date.now();
  const report = await until('a patrol that came by itself', RECOVERY_MS, async () => {
    const last = (await desk.patrols()).find(({ status }) => status !== 'running');
    return last !== undefined && Date.parse(last.started_at) >= since ? last : undefined;
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
    name: 'The patrol, after all of this',
    expected: 'done, 0 sections failed; 0 faults in the books; 0 questions opened',
    play: playPatrol,
  },
];

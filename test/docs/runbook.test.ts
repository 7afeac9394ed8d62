// Holds the operators' pages to the code: reasons, actions, findings, policies, settings, metrics.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../config/paths';
import { ENVIRONMENT_NAMES } from '../../config/settings';
import { INTERVENTION_REASONS, INTERVENTIONS } from '../../domain/interventions/reasons';
import { PATROL_KINDS } from '../../domain/patrol/findings';
import { RETRY_OPERATIONS } from '../../domain/retries/retry-policy';
import { RUNTIME_SETTING_NAMES } from '../../domain/settings/runtime-settings';
import { refundWorkflowId, sharingWorkflowId } from '../../domain/temporal/workflow-ids';
import { chaptersOf, readPage, rowsOf, shellOf } from './support/pages';

const OPERATE = 'docs/operate';
const REASONS = `${OPERATE}/reasons`;
const page = (name: string) => readPage(`${OPERATE}/${name}.md`);

const REASON_CHAPTERS = [
  'What happened',
  'Is money at risk?',
  'What to look at',
  'What to do',
] as const;
/** Each stands once in an action's section, in this order. */
const ACTION_POINTS = ['What it does', 'Choose it when', 'Do not choose it when'] as const;
/** `resolve "$ID" <action> "<note>"`, and the parameters of `to_user`. */
const RESOLVE = /^resolve "\$ID" ([a-z_]+) "[^"`]+"( '\{.*\}')?$/;
/** `| finding | section | means | the patrol | you |` */
const FINDING = /^\| `([a-z_]+)` \| `([a-z]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/;
/** Reads `[reason](page)` in the index. */
const INDEXED = /^\| \[`([a-z_]+)`\]\(reasons\/([a-z_]+)\.md\) \| [^|]+ \| [^|]+ \|$/;

/** The heading of an action's section, when its points and its command are those of the action. */
function actionOf([heading, lines]: [string, string[]]): string {
  const action = heading.replaceAll('`', '');
  const text = lines.join('\n');
  const points = [...text.matchAll(/^- \*\*([^*]+):\*\* \S/gm)].map(([, point = '']) => point);
  const known = points.filter((point) => point !== 'If the api refuses');
  if (known.join() !== ACTION_POINTS.join()) {
    throw new Error(`${action} has not the points ${ACTION_POINTS.join(', ')}: ${known.join()}`);
  }
  const commands = shellOf(text).trim().split('\n');
  const [, commanded] = RESOLVE.exec(commands[0] ?? '') ?? [];
  if (commands.length !== 1 || commanded !== action) {
    throw new Error(`${action} has not one command that resolves with it: ${commands.join('; ')}`);
  }
  return action;
}

/** The actions of a reason's page, in order. */
function actionsOn(text: string): string[] {
  const [, whatToDo = []] = chaptersOf(text, '##').find(([name]) => name === 'What to do') ?? [];
  return chaptersOf(whatToDo.join('\n'), '###').map(actionOf);
}

/** The source text of the folders that count, log and collect evidence. */
const code = sources();

function sources(): string {
  return ['activities', 'api', 'database', 'domain', 'workers']
    .flatMap((folder) => {
      const path = join(packageRoot(), folder);
      return readdirSync(path, { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => readFileSync(join(path, name), 'utf8'));
    })
    .join('\n');
}

const chapter = (name: string, heading: string): string[] => {
  const found = chaptersOf(page(name), '##').find(([one]) => one === heading);
  if (!found) throw new Error(`${name}.md has no chapter ${heading}`);
  return found[1];
};

test('docs/operate/reasons has one page for each reason and no other file', () => {
  const files = readdirSync(join(packageRoot(), REASONS));
  expect(files.toSorted()).toEqual(INTERVENTION_REASONS.map((reason) => `${reason}.md`).sort());
});

test('the runbook lists each reason with its page, in the order of the code', () => {
  const indexed = rowsOf(chapter('runbook', 'Which reason, which page'), INDEXED);
  expect(indexed).toEqual(INTERVENTION_REASONS.map((reason) => [reason, reason]));
});

describe.each(Object.entries(INTERVENTIONS))('the page of %s', (reason, actions) => {
  const text = readPage(`${REASONS}/${reason}.md`);

  test(`${reason}: the page has its title and the four chapters, none of them empty`, () => {
    expect(text.split('\n')[0]).toBe(`# \`${reason}\``);
    expect(chaptersOf(text, '##').map(([heading]) => heading)).toEqual([...REASON_CHAPTERS]);
    const empty = chaptersOf(text, '##').filter(([, lines]) => lines.join('').trim() === '');
    expect(empty).toEqual([]);
  });

  test(`${reason}: the page has each action, in order, with its points and its command`, () => {
    expect(actionsOn(text)).toEqual([...actions]);
  });

  test(`${reason}: every field of evidence that the page names is in the code`, () => {
    const [, lookAt = []] =
      chaptersOf(text, '##').find(([heading]) => heading === 'What to look at') ?? [];
    const fields = lookAt
      .join('\n')
      .split(/\n(?=- )/)
      .flatMap(
        (item) => /^- ((?:`[a-z_]+`(?:, | and )?)+)/.exec(item)?.[1]?.match(/[a-z_]+/g) ?? [],
      )
      .filter((name) => name !== 'and');
    const missing = fields.filter((name) => !new RegExp(`\\b${name}\\b['"]?\\s*[:,}]`).test(code));
    expect(missing).toEqual([]);
  });
});

test('patrol-reports.md has a row for each kind of finding of the patrol, with its section', () => {
  const documented = rowsOf(chapter('patrol-reports', 'What it finds'), FINDING);
  expect(documented.map(([kind, section]) => [kind, section])).toEqual(
    Object.entries(PATROL_KINDS),
  );
});

test('retry-policies.md has a row for each operation that is retried', () => {
  const rows = rowsOf(chapter('retry-policies', 'The operations'), /^\| `([a-z_.]+)` \| [^|]+ \|$/);
  expect(rows.flat()).toEqual([...RETRY_OPERATIONS]);
});

test('runtime-settings.md has a row for each setting, with the variable that it replaces', () => {
  const form = /^\| `([a-z_]+)` \| (?:`([A-Z_]+)`|–) \| `[^`]+` \| [^|]+ \|$/;
  const documented = rowsOf(chapter('runtime-settings', 'The settings'), form);
  expect(documented.map(([name]) => name)).toEqual([...RUNTIME_SETTING_NAMES]);
  const variables = RUNTIME_SETTING_NAMES.map((name) => `ONCEPAY_${name.toUpperCase()}`);
  expect(documented.map(([, variable]) => variable)).toEqual(
    variables.map((name) => (ENVIRONMENT_NAMES.includes(name) ? name : undefined)),
  );
});

test('money-by-hand.md names the runs of refunds and sharings as the code does', () => {
  for (const id of [refundWorkflowId, sharingWorkflowId]) {
    expect(page('money-by-hand')).toContain(`\`${id('<no>')}\``);
  }
});

test('every metric and every line of the log that the operators read of is in the code', () => {
  const form = /^\| `([a-z_.]+)` \|.+$/;
  const watched = ['Metrics', 'Log lines'].map((heading) =>
    rowsOf(chapter('monitoring', heading), form).flat(),
  );
  for (const names of watched) expect(names.length).toBeGreaterThan(0);
  const pages = readdirSync(join(packageRoot(), OPERATE), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => readPage(`${OPERATE}/${name}`))
    .join('\n');
  const metrics = pages.match(/oncepay_[a-z_]+/g) ?? [];
  const missing = [...new Set([...watched.flat(), ...metrics])].filter(
    (name) => !code.includes(`'${name}'`),
  );
  expect(missing).toEqual([]);
});

describe('a section of an action that is not complete is refused, not passed over', () => {
  const points = ACTION_POINTS.map((point) => `- **${point}:** x`).join('\n');
  const section = (body: string) => `## What to do\n\n### \`retry\`\n\n${body}\n`;
  const shell = (line: string) => `\n\n\`\`\`sh\n${line}\n\`\`\``;

  test.each([
    ['the command resolves with another action', points + shell('resolve "$ID" dismiss "x"')],
    ['there is no command', points],
    ['the note is missing', points + shell('resolve "$ID" retry')],
    [
      'no point says when not to choose it',
      '- **What it does:** x' + shell('resolve "$ID" retry "x"'),
    ],
  ])('%s', (_case, body) => {
    expect(() => actionsOn(section(body))).toThrow('retry has not');
  });

  test('a complete section gives its action', () => {
    expect(actionsOn(section(points + shell('resolve "$ID" retry "x"')))).toEqual(['retry']);
  });

  test('a row of a table that has another form is an error', () => {
    expect(() => rowsOf(['| `order_overdue | `x` |'], FINDING)).toThrow('not a row');
  });
});

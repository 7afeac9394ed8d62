import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../config/paths';
import { ENVIRONMENT_NAMES } from '../../config/settings';
import { INTERVENTIONS } from '../../domain/interventions/reasons';
import { PATROL_KINDS } from '../../domain/patrol/findings';
import { RETRY_OPERATIONS } from '../../domain/retries/retry-policy';
import { RUNTIME_SETTING_NAMES } from '../../domain/settings/runtime-settings';
import { refundWorkflowId, sharingWorkflowId } from '../../domain/temporal/workflow-ids';

/** `| action | when | step | what happens next |`; the step is the call with that action. */
const ACTION = /^\| `([a-z_]+)` \| ([^|]+) \| `answer "\$ID" \1 "[^"`]+"[^`]*` \| ([^|]+) \|$/;
/** `| finding | section | says | the patrol | you |` */
const FINDING = /^\| `([a-z_]+)` \| `([a-z]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/;
const REASON = /^[a-z_]+$/;

const page = readFileSync(join(packageRoot(), 'docs', 'runbook.md'), 'utf8');

/** The chapters of a page by their heading of that level, without its padding. */
function chapters(text: string, level: '##' | '###'): [heading: string, lines: string[]][] {
  const found: [string, string[]][] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith(`${level} `)) found.push([line.slice(level.length + 1), []]);
    else found.at(-1)?.[1].push(line.replace(/ +\|/g, ' |').replace(/\| +/g, '| '));
  }
  return found;
}

/** The rows of a chapter's tables; one of a name that can't be read is an error. */
function rows(lines: readonly string[], form: RegExp): string[][] {
  return lines
    .filter((line) => line.startsWith('| `'))
    .map((line) => {
      const match = form.exec(line);
      if (!match) throw new Error(`not a row of docs/runbook.md: ${line}`);
      return match.slice(1);
    });
}

function documentedReasons(text: string): [reason: string, actions: string[]][] {
  return chapters(text, '##')
    .filter(([heading]) => REASON.test(heading))
    .map(([reason, lines]) => [reason, rows(lines, ACTION).map(([action = '']) => action)]);
}

/** The source text of the folders that count and log. */
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

test('docs/runbook.md has a chapter for each reason, in order, with a row for each of its actions', () => {
  const table = Object.entries(INTERVENTIONS).map(([reason, actions]) => [reason, [...actions]]);
  expect(documentedReasons(page)).toEqual(table);
});

test('docs/runbook.md has a row for each kind of finding of the patrol, with its section', () => {
  const [, lines = []] =
    chapters(page, '###').find(([heading]) => heading === 'What it finds') ?? [];
  const end = lines.findIndex((line) => line.startsWith('## '));
  const documented = rows(lines.slice(0, end), FINDING).map(([kind, section]) => [kind, section]);
  expect(documented).toEqual(Object.entries(PATROL_KINDS));
});

const chapter = (heading: string): string[] =>
  chapters(page, '##').find(([found]) => found === heading)?.[1] ?? [];

test('docs/runbook.md has a row for each operation that is retried', () => {
  const documented = rows(chapter('Retry policies'), /^\| `([a-z_.]+)` \| [^|]+ \|$/).flat();
  expect(documented).toEqual([...RETRY_OPERATIONS]);
});

test('docs/runbook.md has a row for each setting, with the variable that it is in place of', () => {
  const form = /^\| `([a-z_]+)` \| (?:`([A-Z_]+)`|–) \| `[^`]+` \| [^|]+ \|$/;
  const documented = rows(chapter('Settings'), form);
  expect(documented.map(([name]) => name)).toEqual([...RUNTIME_SETTING_NAMES]);
  const variables = RUNTIME_SETTING_NAMES.map((name) => `ONCEPAY_${name.toUpperCase()}`);
  expect(documented.map(([, variable]) => variable)).toEqual(
    variables.map((name) => (ENVIRONMENT_NAMES.includes(name) ? name : undefined)),
  );
});

test('docs/runbook.md names the runs of refunds and sharings as they are', () => {
  const text = chapter('Money by hand').join('\n');
  for (const id of [refundWorkflowId, sharingWorkflowId])
    expect(text).toContain(`\`${id('<no>')}\``);
});

test('every metric and every line of the log that docs/runbook.md names is in the code', () => {
  const code = sources();
  const watched = rows(chapter('What to watch'), /^\| `([a-z_.]+)` \|.+$/).flat();
  const metrics = page.match(/oncepay_[a-z_]+/g) ?? [];
  expect(watched.length).toBeGreaterThan(0);
  const missing = [...new Set([...watched, ...metrics])].filter(
    (name) => !code.includes(`'${name}'`),
  );
  expect(missing).toEqual([]);
});

test.each([
  ['| `retry` | always | `answer "$ID" dismiss "x"` | nothing |'],
  ['| `retry` | always | nothing |'],
  ['| `retry | always | `answer "$ID" retry "x"` | nothing |'],
])('a row that can not be read is not passed over: %s', (row) => {
  expect(() => documentedReasons(`## stuck\n\n${row}\n`)).toThrow('not a row');
});

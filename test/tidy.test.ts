// Holds every file to the rules of style that ESLint and dependency-cruiser can't check.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { z } from 'zod';
import { packageRoot } from '../config/paths';

/** Rule S15 counts comments and strings too; Prettier leaves both as they are. */
const MAX_COLUMNS = 100;
/** Rule L4: a folder with more files than this has a room hidden in it. */
const MAX_FILES_IN_A_FOLDER = 14;
/** Folders that are lists by nature: a file for each decision, reason, recorded run or duty. */
const LISTS = [
  /^docs\/decisions$/,
  /^docs\/operate$/,
  /^docs\/operate\/reasons$/,
  /^test\/replay\/histories\//,
];

const root = packageRoot();
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const sources = tracked.filter((file) => /\.(ts|cjs|mjs)$/.test(file));
const product = sources.filter((file) => file.endsWith('.ts') && !file.startsWith('test/'));

/** The text of each comment of a file, without its marks, on one line. */
function commentsOf(file: string): string[] {
  const text = read(file);
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found = new Map<number, string>();
  const collect = (ranges: readonly ts.CommentRange[] | undefined) => {
    for (const { pos, end } of ranges ?? []) {
      const bare = text.slice(pos, end).replace(/^\/\*+|^\/\/|\*\/$/g, '');
      found.set(pos, bare.replace(/\s*\n\s*\*? ?/g, ' ').trim());
    }
  };
  const visit = (node: ts.Node): void => {
    collect(ts.getLeadingCommentRanges(text, node.getFullStart()));
    collect(ts.getTrailingCommentRanges(text, node.getEnd()));
    ts.forEachChild(node, visit);
  };
  visit(source);
  collect(ts.getLeadingCommentRanges(text, source.endOfFileToken.getFullStart()));
  return [...found.values()];
}

const sentencesOf = (comment: string): string[] => comment.split(/(?<=[.!?;:])\s+/);

test('no line is longer than 100 columns, comments and strings included', () => {
  const long = sources.flatMap((file) =>
    read(file)
      .split('\n')
      .map((line, index) => ({ line, place: `${file}:${index + 1}` }))
      .filter(({ line }) => Array.from(line).length > MAX_COLUMNS)
      .map(({ place }) => place),
  );
  expect(long).toEqual([]);
});

test('the first line of each source file says its purpose in a comment', () => {
  const without = sources.filter((file) => !/^(\/\/ \S|\/\*\*|#!)/.test(read(file)));
  expect(without).toEqual([]);
});

test('each file that the workflow sandbox loads says so on its second line', () => {
  const sandbox = sources.filter((file) => /^(workflows|domain)\//.test(file));
  const silent = sandbox.filter(
    (file) => !/^\/\/ Sandbox: /m.test(read(file).split('\n').slice(0, 2).join('\n')),
  );
  expect(silent).toEqual([]);
});

describe('plain English (W4): in a comment', () => {
  const everyComment = sources.flatMap((file) =>
    commentsOf(file).map((comment) => ({ file, comment })),
  );

  test('no sentence begins with What, Who, Whoever or One that: name the actor first', () => {
    const riddles = everyComment.flatMap(({ file, comment }) =>
      sentencesOf(comment)
        .filter((sentence) => /^(What|Who|Whom|Whoever|Whatever|One that)\b/.test(sentence))
        .map((sentence) => `${file}: ${sentence}`),
    );
    expect(riddles).toEqual([]);
  });

  test.each([
    ["WeChat's word", 'say what WeChat reports'],
    ['the word of WeChat', 'say what WeChat reports'],
    ['a person is asked', 'say that an intervention is opened'],
    ['asks a person', 'say that it opens an intervention'],
    ['asked a person', 'say that it opened an intervention'],
    ['is told of', 'name who reports it, or say that the run is woken'],
    ['are told of', 'name who reports it, or say that the run is woken'],
    ['gives up', 'say escalates (budget spent) or abandons (a person)'],
    ['given up', 'say escalated (budget spent) or abandoned (a person)'],
  ])('nobody writes "%s": %s', (words) => {
    const places = everyComment.filter(({ comment }) => comment.toLowerCase().includes(words));
    expect(places.map(({ file, comment }) => `${file}: ${comment}`)).toEqual([]);
  });
});

/** Parts of names that mean two things (W1, W2), with the words that mean one. */
const BANNED_PARTS: readonly (readonly [part: RegExp, instead: string])[] = [
  [/^(ask|asks|asked|asking)$/, 'query (WeChat) or open (an intervention)'],
  [/^(question|questions|questioned)$/, 'intervention'],
  [/^(answer|answers|answered|answering)$/, 'resolution, reply or response'],
  [/^(moot)$/, 'end'],
  [/^(heard|hear|told|tell|tells|news|said)$/, 'report, record or wake'],
  [/^(hint|hinted)$/, 'wake'],
  [/^(utils|helpers|common|misc)$/, 'the thing that is in it (L3)'],
];

/** `askAboutPayment` → ask, about, payment; `give-up.ts` → give, up. */
const partsOf = (name: string): string[] =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .split(/[^A-Za-z0-9]+/)
    .map((part) => part.toLowerCase());

const badPart = (name: string): string | undefined =>
  BANNED_PARTS.find(([pattern]) => partsOf(name).some((part) => pattern.test(part)))?.[1];

test('no file, folder or exported name of the product uses a word that means two things', () => {
  const names = product.flatMap((file) => {
    const source = ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true);
    const exported = source.statements.flatMap((statement) => {
      const isExported =
        ts.canHaveModifiers(statement) &&
        ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
      if (!isExported) return [];
      if (ts.isVariableStatement(statement)) {
        return statement.declarationList.declarations.map(({ name }) => name.getText());
      }
      const { name } = statement as { name?: ts.Identifier };
      return name ? [name.text] : [];
    });
    return [file.replace(/\.ts$/, ''), ...exported].map((name) => ({ file, name }));
  });
  const bad = names.flatMap(({ file, name }) => {
    const instead = badPart(name);
    return instead === undefined ? [] : [`${file}: ${name}: use ${instead}`];
  });
  expect([...new Set(bad)]).toEqual([]);
});

test('no folder of the tree hides a room: each has about a dozen files at most', () => {
  const count = new Map<string, number>();
  for (const file of tracked) count.set(dirname(file), (count.get(dirname(file)) ?? 0) + 1);
  const crowded = [...count]
    .filter(([folder]) => folder !== '.' && !LISTS.some((list) => list.test(folder)))
    .filter(([, files]) => files > MAX_FILES_IN_A_FOLDER)
    .map(([folder, files]) => `${folder}: ${files} files`);
  expect(crowded).toEqual([]);
});

test('no catch is silent: each names what is lost or counts what the sweep makes good', () => {
  const silent = product.filter((file) =>
    /\.catch\(\(\) => (undefined|\{\s*\})\)/.test(read(file)),
  );
  expect(silent).toEqual([]);
});

test('CHANGELOG.md has a dated heading for the version of package.json', () => {
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(read('package.json')));
  const headings = read('CHANGELOG.md').match(/^## .+$/gm) ?? [];
  const released = headings.filter((heading) => heading.includes(version));
  expect(released).toHaveLength(1);
  expect(released[0]).toMatch(/\d{4}-\d{2}-\d{2}/);
});

test('docs/decisions/README.md lists each decision once', () => {
  const pages = readdirSync(join(root, 'docs', 'decisions')).filter((name) => /^\d/.test(name));
  const index = read('docs/decisions/README.md');
  const listed = [...index.matchAll(/\]\((?:\.\/)?(\d{4}[\w-]*\.md)\)/g)].map(([, name]) => name);
  expect(listed.toSorted()).toEqual(pages.toSorted());
});

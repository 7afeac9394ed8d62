// Every link, every path and every npm command that the docs name exists.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { packageRoot } from '../../config/paths';

const root = packageRoot();
const NOT_OURS = ['node_modules', 'dist', 'generated', 'coverage', '.git', '.data'];

/** Every file below a folder, as paths from the root of the repository, without NOT_OURS. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return [relative(root, path)];
    return NOT_OURS.includes(entry.name) ? [] : filesBelow(path);
  });
}

const files = filesBelow(root);
const folders = [
  ...new Set(
    files.flatMap((file) => {
      const parts = file.split('/').slice(0, -1);
      return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
    }),
  ),
];
const topFolders = folders.filter((folder) => !folder.includes('/'));
const pages = files.filter((file) => file.endsWith('.md'));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

/** A page without its blocks of code: what stands there is no link and no heading. */
const withoutBlocks = (text: string) => text.replace(/^( *)```[^]*?^\1```/gm, '');

/** The anchors that GitHub gives the headings of a page. */
function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return [...withoutBlocks(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = '']) => {
    const name = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, '')
      .replaceAll(' ', '-');
    const count = seen.get(name) ?? 0;
    seen.set(name, count + 1);
    return count === 0 ? name : `${name}-${count}`;
  });
}

/** The targets of the links of a page, without those that lead out of the repository. */
function linksOf(text: string): string[] {
  const prose = withoutBlocks(text).replaceAll(/`[^`\n]*`/g, '');
  const targets = [...prose.matchAll(/\]\(<?([^)\s>]+)>?[^)]*\)/g)].map(
    ([, target = '']) => target,
  );
  const sources = [...prose.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, target = '']) => target);
  return [...targets, ...sources].filter((target) => !/^[a-z][a-z+.-]*:/i.test(target));
}

/** The problem of a link; nothing when it resolves. */
function brokenLink(page: string, target: string): string | null {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? join(root, page) : resolve(root, dirname(page), decodeURI(path));
  if (!existsSync(file)) return `${target}: no such file`;
  if (anchor === undefined) return null;
  if (statSync(file).isDirectory()) return `${target}: a folder has no anchors`;
  const anchors = anchorsOf(readFileSync(file, 'utf8'));
  return anchors.includes(decodeURI(anchor)) ? null : `${target}: no such heading`;
}

const spansOf = (text: string) =>
  [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);

const SOURCE_NAME = /^[\w.<>*/-]+\.(ts|mjs|cjs|md|sql|prisma|yml)$/;
const PATH = /^[\w.<>*/-]+$/;

/** True for a code span that claims to be a file or a folder of the repository. */
function isPathLike(span: string): boolean {
  if (!PATH.test(span)) return false;
  if (span.startsWith('dist/') || span.startsWith('node_modules/')) return false;
  const [first = ''] = span.split('/');
  return SOURCE_NAME.test(span) || (span.includes('/') && topFolders.includes(first));
}

/**
 * True when the path exists. `*` and `<name>` stand for any name; the extension may be left out; a
 * file may be named without the folders before it.
 */
function exists(span: string): boolean {
  const path = span.replace(/\/$/, '');
  const pattern = path
    .split(/(\*|<[^>]+>)/)
    .map((part) => (/^(\*|<.*>)$/.test(part) ? '[^/]+' : part.replaceAll(/[.]/g, '\\.')))
    .join('');
  const form = new RegExp(`(^|/)${pattern}(\\.ts)?$`);
  return [...files, ...folders].some((one) => form.test(one));
}

/** Made with the first of what it holds. */
const LATER = ['workflows/patches.ts'];

/**
 * The paths of a page that name nothing. A decision may name a file, without its folder, that it
 * removed.
 */
function unknownPaths(page: string, text: string): string[] {
  const isDecision = page.startsWith('docs/decisions/');
  return spansOf(text)
    .filter((span) => isPathLike(span) && (!isDecision || span.includes('/')))
    .filter((span) => !LATER.includes(span) && !exists(span));
}

const commands = new Set(
  Object.keys((JSON.parse(read('package.json')) as { scripts: Record<string, string> }).scripts),
);

test('there are pages to check', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'docs/operate/runbook.md']));
});

describe.each(pages)('%s', (page) => {
  const text = read(page);

  test(`${page}: every relative link leads to a file, and its anchor to a heading`, () => {
    const broken = linksOf(text).map((target) => brokenLink(page, target));
    expect(broken.filter((fault) => fault !== null)).toEqual([]);
  });

  test(`${page}: every code span that is a path names a file or folder of the repository`, () => {
    expect(unknownPaths(page, text)).toEqual([]);
  });

  test(`${page}: every npm command is a script of package.json`, () => {
    const named = [...text.matchAll(/\bnpm run (?:-s )?([a-z][a-z:-]*)/g)].map(
      ([, name = '']) => name,
    );
    expect(named.filter((name) => !commands.has(name))).toEqual([]);
  });
});

test('every page of docs/ that a source file names exists', () => {
  const sources = files
    .filter((file) => /\.(ts|mjs|cjs|prisma|yml)$/.test(file))
    // It names a page that does not exist.
    .filter((file) => file !== 'test/docs/links.test.ts');
  const broken = sources.flatMap((file) =>
    (read(file).match(/\bdocs\/[\w/.-]+\.md\b/g) ?? [])
      .filter((path) => !files.includes(path))
      .map((path) => `${file}: ${path}`),
  );
  expect(broken).toEqual([]);
});

/** The paths from the root that string literals of a source file name: programs, pages, … */
function pathsInStrings(text: string): string[] {
  const tops = new Set(
    files.filter((file) => file.includes('/')).map((file) => file.split('/')[0]),
  );
  return [
    ...text.matchAll(
      /['"`]((?:dist\/)?[a-z][\w.-]*\/[\w./-]+\.(?:[cm]?[jt]s|json|md|prisma))['"`]/g,
    ),
  ]
    .map(([, path = '']) => path)
    .filter((path) => tops.has(path.replace(/^dist\//, '').split('/')[0] ?? ''));
}

/** A file of the tree, or what the build or Prisma makes from one. */
function isMade(path: string): boolean {
  const source = path.replace(/^dist\//, '').replace(/\.js$/, '.ts');
  return files.includes(path) || files.includes(source) || source.startsWith('generated/');
}

test('every path of the tree that a source file names in a string exists', () => {
  const broken = files
    .filter((file) => /\.(ts|mjs|cjs)$/.test(file) && !file.startsWith('test/docs/'))
    .flatMap((file) =>
      pathsInStrings(read(file))
        .filter((path) => !isMade(path))
        .map((path) => `${file}: ${path}`),
    );
  expect(broken).toEqual([]);
});

describe('the checks find what is wrong', () => {
  test('a string that names a program that has moved is found', () => {
    const [moved, ...more] = pathsInStrings("const script = 'test/support/idle-process.cjs';");
    expect(more).toEqual([]);
    expect(isMade(moved ?? '')).toBe(false);
    expect(isMade('dist/cli/migrate.js')).toBe(true);
  });

  test('a link to a file that is not there, and to a heading that is not there, are broken', () => {
    expect(brokenLink('README.md', 'docs/none.md')).toContain('no such file');
    expect(brokenLink('README.md', 'docs/operate/runbook.md#none')).toContain('no such heading');
    expect(brokenLink('README.md', 'docs/operate/runbook.md#set-up-your-shell')).toBeNull();
  });

  test('a path with a typing error does not exist; one with a placeholder does', () => {
    expect(isPathLike('domain/mony.ts') && exists('domain/mony.ts')).toBe(false);
    expect(exists('test/replay/histories/<version>/')).toBe(true);
    expect(isPathLike('refund/<no>')).toBe(false);
  });

  test('equal headings of a page get numbers, signs are left out', () => {
    expect(anchorsOf('# `a_b`: c!\n## X\n## X\n```sh\n# no heading\n```\n')).toEqual([
      'a_b-c',
      'x',
      'x-1',
    ]);
  });
});

// Holds docs/understand/ to the code: the ladders, the layers, the principles, the tables.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { packageRoot } from '../../config/paths';
import { readPage } from './support/pages';

const ladders = z
  .record(z.string(), z.object({ files: z.array(z.string()), rungs: z.array(z.array(z.string())) }))
  .parse(jest.requireActual(join(packageRoot(), '.import-ladders.cjs')));
const architecture = readPage('docs/understand/architecture.md');

const LAYERS = ['activities', 'api', 'cli', 'config', 'database', 'domain', 'providers'];
const MORE_LAYERS = ['simulator', 'stack', 'workers', 'workflows', 'demo', 'bench', 'test'];

/** The text between the markers: a numbered list for each layer, the ground first. */
function renderLadders(): string {
  const layers = Object.entries(ladders).map(([layer, { files, rungs }]) => {
    const steps = rungs.map(
      (rung, index) => `${index + 1}. ${rung.map((room) => `\`${room}/\``).join(', ')}`,
    );
    const shared = files.map((name) => `\`${layer}/${name}.ts\``).join(', ');
    const note = shared === '' ? [] : [`Every room may import ${shared}.`, ''];
    return [`**\`${layer}/\`**`, '', ...note, ...steps].join('\n');
  });
  return `\n\n${layers.join('\n\n')}\n\n`;
}

test('architecture.md prints the ladders as .import-ladders.cjs has them', () => {
  const [, printed] = /<!-- ladders -->([^]*)<!-- \/ladders -->/.exec(architecture) ?? [];
  expect(printed).toBe(renderLadders());
});

test('the rooms of each ladder are the folders of its layer', () => {
  for (const [layer, { rungs }] of Object.entries(ladders)) {
    const folders = readdirSync(join(packageRoot(), layer), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect([layer, rungs.flat().sort()]).toEqual([layer, folders.sort()]);
  }
});

test('architecture.md has a row for each layer', () => {
  const [, section = ''] = /\n## The folders\n([^]*?)\n## /.exec(architecture) ?? [];
  const missing = [...LAYERS, ...MORE_LAYERS].filter((layer) => !section.includes(`\`${layer}/`));
  expect(missing).toEqual([]);
});

test('architecture.md explains each principle that a comment in the code cites', () => {
  const cited = [...LAYERS, ...MORE_LAYERS].flatMap((layer) => {
    const path = join(packageRoot(), layer);
    return readdirSync(path, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => readFileSync(join(path, name), 'utf8').match(/\/[/*].*|^\s*\*.*/gm) ?? [])
      .flatMap((comment) => comment.match(/\bP\d+\b/g) ?? []);
  });
  const explained = [...architecture.matchAll(/^\*\*(P\d+) /gm)].map(([, name = '']) => name);
  expect(explained).toEqual(Array.from({ length: explained.length }, (_, n) => `P${n + 1}`));
  expect([...new Set(cited)].filter((name) => !explained.includes(name))).toEqual([]);
});

test('tables.md has every table of the schema', () => {
  const page = readPage('docs/understand/tables.md');
  const schema = readPage('prisma/schema.prisma');
  const tables = [...schema.matchAll(/@@map\("([a-z_]+)"\)/g)].map(([, name = '']) => name);
  expect(tables.length).toBeGreaterThan(0);
  expect(tables.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});

test('tables.md names guards that the migrations make', () => {
  const page = readPage('docs/understand/tables.md');
  const [, guards = ''] = /\n## The guards\n([^]*?)\n## /.exec(page) ?? [];
  const names = [...guards.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, name = '']) => name);
  const sql = readdirSync(join(packageRoot(), 'prisma/migrations'), { recursive: true })
    .filter((name) => String(name).endsWith('.sql'))
    .map((name) => readPage(`prisma/migrations/${String(name)}`))
    .join('\n');
  expect(names.length).toBeGreaterThan(0);
  expect(names.filter((name) => !sql.includes(name))).toEqual([]);
});

// Holds the names of rooms, reasons and the API's resources to docs/glossary.md.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRequire } from 'node:module';
import { z } from 'zod';
import { packageRoot } from '../../config/paths';
import { INTERVENTION_REASONS } from '../../domain/interventions/reasons';

const root = packageRoot();
/** The layers with their rooms, as the import law has them. */
const ladders = z
  .record(z.string(), z.object({ rungs: z.array(z.array(z.string())) }))
  .parse(createRequire(__filename)(join(root, '.import-ladders.cjs')));
const page = readFileSync(join(root, 'docs', 'glossary.md'), 'utf8');

/** The cells of each row of the page's tables, without the two heading lines of each. */
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('|'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  .filter(([first = '']) => /^(\*\*|`)/.test(first));
const terms = rows.filter(([first = '']) => first.startsWith('**'));
const words = terms.map(([first = '']) => first.toLowerCase().replaceAll(/[*`]/g, '')).join(' ');
const has = (word: string): boolean => new RegExp(`(^|[^a-z])${word}($|[^a-z])`).test(words);

/** Names of rooms that are technical, and explained by the first lines of their files. */
const TECHNICAL = [
  'body',
  'core',
  'requests',
  'connections',
  'encryption',
  'migrations',
  'views',
  'http',
  'health',
  'wechat',
  'runs',
  'time',
  'keys',
  'control',
  'crypto',
  'fields',
  'transport',
  'calls',
  'processes',
  'postgres',
  'bare',
  'ground',
  'floods',
  'tenant',
  'events',
  'bitable',
  'chat',
  'page',
];

test('each term has a Chinese word and at most three sentences', () => {
  expect(terms.length).toBeGreaterThanOrEqual(25);
  const bad = terms.filter(([, chinese = '', meaning = '']) => {
    const sentences = meaning.split(/(?<=[.!?])\s+(?=[A-Z])/).length;
    return !/\p{Script=Han}/u.test(chinese) || sentences > 3 || meaning === '';
  });
  expect(bad.map(([term]) => term)).toEqual([]);
});

test('each room of each layer is named by a term of the glossary, or is technical', () => {
  const rooms = new Set(Object.values(ladders).flatMap(({ rungs }) => rungs.flat()));
  const unknown = [...rooms].filter((room) => {
    const singular = room.replace(/ies$/, 'y').replace(/s$/, '');
    return !TECHNICAL.includes(room) && !has(room) && !has(singular);
  });
  expect(unknown).toEqual([]);
});

test('each reason of an intervention is explained once, in the order of the table', () => {
  const reasons = rows.map(([first = '']) => /^`(\w+)`$/.exec(first)?.[1]).filter(Boolean);
  expect(reasons).toEqual(INTERVENTION_REASONS);
});

test('each resource of the API is a term of the glossary', () => {
  const files = readdirSync(join(root, 'api'), { recursive: true, encoding: 'utf8' });
  const paths = files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(root, 'api', file), 'utf8'))
    .flatMap((text) => [...text.matchAll(/path: '\/v1\/([a-z-]+)/g)].map(([, name = '']) => name));
  expect(paths.length).toBeGreaterThan(10);
  /** A user is the shop's; callback deliveries are the callback log's lines. */
  const explained = ['users', 'callback-deliveries'];
  const unknown = [...new Set(paths)].filter(
    (path) =>
      !explained.includes(path) &&
      !has(path.replaceAll('-', ' ').replace(/ies$/, 'y').replace(/s$/, '')),
  );
  expect(unknown).toEqual([]);
});

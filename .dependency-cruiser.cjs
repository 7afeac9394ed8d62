// The import law of docs/understand/architecture.md: what a layer or a room may NOT import.
const ladders = require('./.import-ladders.cjs');

const rooms = [
  'activities',
  'api',
  'bench',
  'cli',
  'config',
  'database',
  'demo',
  'domain',
  'providers',
  'simulator',
  'stack',
  'test',
  'workers',
  'workflows',
];
const only = (room, allowed) => ({
  name: `${room}-imports-only`,
  severity: 'error',
  comment: `${room}/ may import ${allowed.join(', ') || 'nothing'} (and itself).`,
  from: { path: `^${room}/` },
  to: {
    path: `^(${rooms.filter((r) => r !== room && !allowed.includes(r)).join('|')})/`,
  },
});
/** One rule a room: what it may not import of its own layer. */
const ladderRules = Object.entries(ladders).flatMap(([layer, { files, rungs }]) =>
  rungs.flatMap((rung, height) =>
    rung.map((room) => {
      const below = [...rungs.slice(0, height).flat(), room];
      const allowed = [...below.map((name) => `${name}/`), ...files.map((name) => `${name}\\.ts$`)];
      return {
        name: `${layer}-${room}-imports-only-what-is-below-it`,
        severity: 'error',
        comment: `${layer}/${room}/ may import ${below.join(', ')}; see .import-ladders.cjs.`,
        from: { path: `^${layer}/${room}/` },
        to: { path: `^${layer}/(?!${allowed.join('|')})` },
      };
    }),
  ),
);

/** A folder that no ladder names has no place: its files are refused. */
const roomsWithoutARung = Object.entries(ladders).map(([layer, { rungs }]) => ({
  name: `${layer}-has-no-room-outside-its-ladder`,
  severity: 'error',
  comment: `Give the new folder of ${layer}/ its rung in .import-ladders.cjs.`,
  from: { path: `^${layer}/(?!(${rungs.flat().join('|')})/)[^/]+/` },
  to: {},
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: { pathNot: '^generated/' },
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      severity: 'error',
      comment: 'Except for what `npm run build` makes: the checks run before it.',
      from: {},
      to: { couldNotResolve: true, pathNot: '(^|/)dist/' },
    },
    only('domain', []),
    only('config', ['domain']),
    only('workflows', ['domain']),
    only('database', ['domain']),
    only('providers', ['domain']),
    only('activities', ['domain', 'database', 'providers', 'workflows']),
    only('api', ['domain', 'config', 'database', 'providers', 'workflows']),
    only('cli', ['domain', 'config', 'database']),
    only('simulator', ['domain', 'config']),
    only('stack', []),
    only('workers', [
      'activities',
      'api',
      'config',
      'database',
      'domain',
      'providers',
      'workflows',
    ]),
    only('demo', ['domain', 'simulator', 'stack', 'config']),
    only('bench', rooms),
    ...ladderRules,
    ...roomsWithoutARung,
    {
      name: 'domain-is-pure',
      severity: 'error',
      from: { path: '^domain/' },
      to: { pathNot: '^domain/' },
    },
    {
      name: 'workflows-are-deterministic',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { pathNot: '^(workflows|domain)/|node_modules/@temporalio/(workflow|common)/' },
    },
    {
      name: 'workflow-code-never-reaches-further',
      severity: 'error',
      comment: 'Also transitively: nothing that a workflow imports may reach another room.',
      from: { path: '^workflows/' },
      to: { path: '^(?!workflows/|domain/|node_modules/)', reachable: true },
    },
    {
      name: 'activities-see-workflow-contracts-only',
      severity: 'error',
      from: { path: '^activities/' },
      to: { path: '^workflows/', pathNot: '^workflows/(activity|patrol)-contract\\.ts$' },
    },
    {
      name: 'api-sees-workflow-messages-only',
      severity: 'error',
      from: { path: '^api/' },
      to: { path: '^workflows/', pathNot: '^workflows/messages\\.ts$' },
    },
    {
      name: 'simulator-sees-stop-signals-of-config-only',
      severity: 'error',
      from: { path: '^simulator/' },
      to: { path: '^config/', pathNot: '^config/stop-signals\\.ts$' },
    },
    {
      name: 'prisma-stays-in-database',
      severity: 'error',
      from: { pathNot: '^(database|test|generated)/' },
      to: { path: '^generated/|@prisma/' },
    },
    {
      name: 'connections-are-opened-in-one-place',
      severity: 'error',
      comment: 'Only database/connections/ opens connections to PostgreSQL: use openPool there.',
      from: {
        path: '^(activities|api|cli|config|database|domain|providers|workers|workflows)/',
        pathNot: '^database/connections/',
      },
      to: {
        path: 'node_modules/(pg|pg-pool|@prisma/adapter-pg)/|node_modules/@types/pg/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'database-knows-no-temporal',
      severity: 'error',
      from: { path: '^(database|providers)/' },
      to: { path: '@temporalio/' },
    },
    {
      name: 'providers-know-no-prisma',
      severity: 'error',
      from: { path: '^providers/' },
      to: { path: '@prisma/|^generated/|node_modules/pg/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|\\.data)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.json'],
      // A package may export a part of it by a path of its own, like csv-stringify/sync.
      exportsFields: ['exports'],
      conditionNames: ['require', 'node', 'default'],
    },
  },
};

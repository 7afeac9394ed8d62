// The import law of docs/architecture.md. Each rule lists what a room may NOT reach.
const rooms = [
  'activities', 'api', 'bench', 'cli', 'config', 'database', 'demo', 'domain',
  'simulator', 'stack', 'test', 'wechatpay', 'workers', 'workflows',
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
/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolved', severity: 'error', from: {}, to: { couldNotResolve: true } },
    only('domain', []),
    only('config', ['domain']),
    only('workflows', ['domain']),
    only('database', ['domain']),
    only('wechatpay', ['domain']),
    only('activities', ['domain', 'database', 'wechatpay', 'workflows']),
    only('api', ['domain', 'config', 'database', 'wechatpay', 'workflows']),
    only('cli', ['domain', 'config', 'database']),
    only('simulator', ['domain']),
    only('stack', []),
    only('workers', ['activities', 'api', 'config', 'database', 'domain', 'wechatpay', 'workflows']),
    only('demo', ['domain', 'simulator', 'stack', 'config']),
    only('bench', rooms),
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
      to: { path: '^workflows/', pathNot: '^workflows/activity-contract\\.ts$' },
    },
    {
      name: 'api-sees-workflow-messages-only',
      severity: 'error',
      from: { path: '^api/' },
      to: { path: '^workflows/', pathNot: '^workflows/messages\\.ts$' },
    },
    {
      name: 'prisma-stays-in-database',
      severity: 'error',
      from: { pathNot: '^(database|test|generated)/' },
      to: { path: '^generated/|@prisma/' },
    },
    {
      name: 'database-knows-no-temporal',
      severity: 'error',
      from: { path: '^(database|wechatpay)/' },
      to: { path: '@temporalio/' },
    },
    {
      name: 'wechatpay-knows-no-prisma',
      severity: 'error',
      from: { path: '^wechatpay/' },
      to: { path: '@prisma/|^generated/|node_modules/pg/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|\\.data)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { extensions: ['.ts', '.js', '.json'] },
  },
};

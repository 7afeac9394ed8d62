// docker-compose.yml and Dockerfile: services, settings, secrets and rights.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ENVIRONMENT_NAMES } from '../config/settings';
import { STOP_GRACE_MS } from '../config/stop-signals';

const root = join(__dirname, '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');

const serviceSchema = z.object({
  image: z.string(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  restart: z.string(),
  read_only: z.boolean().optional(),
  cap_drop: z.array(z.string()).optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  ports: z.array(z.string()).default([]),
  healthcheck: z.object({ test: z.array(z.string()).min(2) }).optional(),
  stop_grace_period: z
    .string()
    .regex(/^\d+s$/)
    .optional(),
});
const compose = z
  .object({
    services: z.record(z.string(), serviceSchema),
    volumes: z.record(z.string(), z.unknown()),
    secrets: z.record(z.string(), z.object({ file: z.string() })),
  })
  .parse(parse(read('docker-compose.yml'), { merge: true }));
const { scripts } = z
  .object({ scripts: z.record(z.string(), z.string()) })
  .parse(JSON.parse(read('package.json')));

const services = Object.entries(compose.services);
const ours = services.filter(([, service]) => service.build !== undefined);
const OURS_THAT_STAY = ['api', 'callbacks', 'worker'] as const;

/**
 * The required settings (docs/operate/configuration.md). Optional ones may be set too; any other
 * name is a typing error.
 */
const REQUIRED = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'PORT',
  'WECHATPAY_APP_ID',
  'WECHATPAY_MERCHANT_ID',
  'WECHATPAY_MERCHANT_SERIAL',
  'WECHATPAY_MERCHANT_PRIVATE_KEY',
  'WECHATPAY_API_V3_KEY',
  'WECHATPAY_NOTIFY_URL',
  'ONCEPAY_API_KEYS',
  'ONCEPAY_ENCRYPTION_KEYS',
  'ONCEPAY_HASH_KEY',
];
const OPTIONAL = [
  'NODE_ENV',
  'TEMPORAL_NAMESPACE',
  'TEMPORAL_API_KEY',
  'WECHATPAY_BASE_URL',
  'ONCEPAY_ALLOW_BASE_URL',
  'ONCEPAY_HOST',
  'WECHATPAY_API_V3_KEY_PREVIOUS',
  'WECHATPAY_PUBLIC_KEY_ID',
  'WECHATPAY_PUBLIC_KEY',
  'ONCEPAY_WEBHOOK_URL',
  'ONCEPAY_WEBHOOK_SECRET',
  'ONCEPAY_CALLBACK_ALLOWED_IPS',
  'ONCEPAY_TWO_PERSON_FEN',
  'ONCEPAY_API_ROLES',
  'ONCEPAY_TASK_QUEUES',
  'ONCEPAY_BUILD_ID',
  'ONCEPAY_LOG_LEVEL',
  'ONCEPAY_PAYMENT_WINDOW',
  'ONCEPAY_QUERY_SCHEDULE',
  'ONCEPAY_REFUND_SPACING',
  'ONCEPAY_PATROL_INTERVAL',
  'ONCEPAY_RECONCILE_AT',
  'ONCEPAY_SHARING_RATIO',
  'ONCEPAY_SHARING_DELAY',
  'ONCEPAY_UNFREEZE_AFTER',
  'FEISHU_APP_ID',
  'FEISHU_APP_SECRET',
  'FEISHU_BITABLE_APP_TOKEN',
  'FEISHU_LOG_TABLE_ID',
  'FEISHU_RETRY_TABLE_ID',
  'FEISHU_BOT_WEBHOOK',
  'FEISHU_BASE_URL',
];
const SECRETS = [
  'DATABASE_URL',
  'WECHATPAY_MERCHANT_PRIVATE_KEY',
  'WECHATPAY_API_V3_KEY',
  'ONCEPAY_API_KEYS',
  'ONCEPAY_ENCRYPTION_KEYS',
  'ONCEPAY_HASH_KEY',
  'ONCEPAY_WEBHOOK_SECRET',
];

function service(name: string) {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`There is no service ${name}.`);
  return found;
}

function settings(name: string): string[] {
  return Object.keys(service(name).environment).map((key) => key.replace(/_FILE$/, ''));
}

test('each variable that Oncepay reads is in one of the two lists above', () => {
  const listed = [...REQUIRED, ...OPTIONAL];
  expect(ENVIRONMENT_NAMES.filter((name) => !listed.includes(name))).toEqual([]);
});

test('the compose file has the services of the production shape', () => {
  expect(Object.keys(compose.services).sort()).toEqual(
    ['api', 'callbacks', 'migrate', 'postgres', 'temporal', 'temporal-ui', 'worker'].sort(),
  );
});

test.each(services)(
  'the service %s names a version of its image, never the latest',
  (_, { image }) => {
    expect(image).toMatch(/^[\w./-]+:(\d+\.\d+|\$\{ONCEPAY_VERSION:-\d+\.\d+\.\d+\})/);
    expect(image).not.toContain('latest');
  },
);

test('the Dockerfile names versions of its base images and runs without root rights', () => {
  const bases = read('Dockerfile').match(/^FROM .+$/gm) ?? [];
  expect(bases.length).toBeGreaterThan(0);
  for (const base of bases) expect(base).toMatch(/^FROM node:20\.\d+\.\d+-bookworm-slim/);
  expect(read('Dockerfile')).toMatch(/^USER node$/m);
});

test.each(services.filter(([name]) => name !== 'migrate'))(
  'the service %s restarts and reports its health',
  (_, { healthcheck, restart }) => {
    expect(restart).toBe('unless-stopped');
    expect(healthcheck?.test[0]).toMatch(/^CMD(-SHELL)?$/);
  },
);

test.each(services)(
  'the service %s waits for services that exist, in a state they reach',
  (_, waiting) => {
    for (const [name, { condition }] of Object.entries(waiting.depends_on)) {
      const stays = service(name).healthcheck !== undefined;
      expect(condition).toBe(stays ? 'service_healthy' : 'service_completed_successfully');
    }
  },
);

test.each(['api', 'callbacks'])('the service %s does not wait for Temporal', (name) => {
  expect(Object.keys(service(name).depends_on)).not.toContain('temporal');
});

test('the callbacks have a process of their own, and each role of the api has one', () => {
  const roles = ['callbacks', 'api'].map((name) => service(name).environment['ONCEPAY_API_ROLES']);
  expect(roles).toEqual(['callbacks', 'api,ops']);
});

test.each([
  ['migrate', 'db:migrate'],
  ['api', 'start:api'],
  ['callbacks', 'start:api'],
  ['worker', 'start:worker'],
])('the service %s runs the command of `npm run %s`', (name, script) => {
  // The image sets the variables that the npm script sets for its shell.
  const command = scripts[script]?.replace(/^MALLOC_ARENA_MAX=2 exec /, '');
  expect(service(name).command?.join(' ')).toBe(command);
});

test.each(ours)(
  'the service %s can write nowhere and has no rights',
  (_, { cap_drop, read_only }) => {
    expect(read_only).toBe(true);
    expect(cap_drop).toEqual(['ALL']);
  },
);

test.each(OURS_THAT_STAY)('the service %s gets every required setting', (name) => {
  expect(settings(name)).toEqual(expect.arrayContaining(REQUIRED));
});

test.each(ours)('the service %s gets no setting that nobody reads', (name) => {
  for (const setting of settings(name)) expect([...REQUIRED, ...OPTIONAL]).toContain(setting);
});

test.each(ours)(
  'the service %s gets each secret as a file that is mounted',
  (name, { environment, secrets }) => {
    for (const secret of SECRETS) expect(environment).not.toHaveProperty(secret);
    const files = Object.entries(environment).filter(([key]) => key.endsWith('_FILE'));
    expect(files.map(([key]) => key)).not.toHaveLength(0);
    for (const [key, path] of files) {
      const mounted = key.replace(/_FILE$/, '').toLowerCase();
      expect([name, path]).toEqual([name, `/run/secrets/${mounted}`]);
      expect(secrets).toContain(mounted);
    }
  },
);

test('every mounted secret exists, outside the checkout, and is used', () => {
  const mounted = new Set(services.flatMap(([, { secrets }]) => secrets));
  expect([...mounted].sort()).toEqual(Object.keys(compose.secrets).sort());
  for (const [name, { file }] of Object.entries(compose.secrets)) {
    expect(file).toMatch(/^\$\{ONCEPAY_SECRETS_DIR:\?[^}]+\}\//);
    expect(file.endsWith(`/${name}`)).toBe(true);
  }
});

test('a setting without a default in production has none in the compose file', () => {
  for (const name of ['WECHATPAY_APP_ID', 'WECHATPAY_MERCHANT_ID', 'WECHATPAY_NOTIFY_URL']) {
    expect(service('api').environment[name]).toMatch(new RegExp(`^\\$\\{${name}:\\?[^}]+\\}$`));
  }
});

test('only the proxy listens to other machines', () => {
  for (const port of services.flatMap(([, { ports }]) => ports)) {
    expect(port).toMatch(/^127\.0\.0\.1:/);
  }
});

test('api and worker get more time to stop than they take, and give their work less', () => {
  const [, graceMs] = /SHUTDOWN_FORCE_MS = ([\d_]+)/.exec(read('workers/create-workers.ts')) ?? [];
  expect(Number(graceMs?.replaceAll('_', ''))).toBeLessThan(STOP_GRACE_MS);
  for (const name of OURS_THAT_STAY) {
    const seconds = Number.parseInt(service(name).stop_grace_period ?? '', 10);
    expect(seconds * 1_000).toBeGreaterThan(STOP_GRACE_MS);
  }
});

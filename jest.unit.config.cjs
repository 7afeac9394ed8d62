// The unit tier (S22): the rooms of test/ that need no server and no build.
const {
  testPathIgnorePatterns,
  transform,
  modulePathIgnorePatterns,
} = require('./jest.config.cjs');

/**
 * Every test file below these paths runs in the unit tier, new ones too. A test here that asks for
 * Postgres, Temporal or a process of Oncepay fails and names this list.
 */
const ROOMS = [
  'activities/orders',
  'activities/outbound',
  'activities/reconciliation',
  'activities/refunds',
  'activities/sharing',
  'activities/wechat',
  'api/admission',
  'api/body',
  'api/dispatcher/breaker',
  'api/health',
  'api/http/auth',
  'api/http/deadline',
  'api/http/server',
  'config',
  'database/connections/describe-failure',
  'database/connections/limit-row-waits',
  'database/encryption/decrypting-places',
  'database/encryption/field-encryption',
  'database/encryption/keyed-hash',
  'docker-compose',
  'docs',
  'domain',
  'providers',
  'tidy',
  'upgrade',
  'workers/run-workers',
];

/** Tests in those rooms that start a server, so only `npm test` runs them. */
const ON_SERVERS = ['api/body/evil-bodies', 'docs/pages-at-work', '.*-at-simulator'];

/** @type {import('jest').Config} */
module.exports = {
  testMatch: ROOMS.flatMap((room) => [
    `<rootDir>/test/${room}.test.ts`,
    `<rootDir>/test/${room}/**/*.test.ts`,
  ]),
  testPathIgnorePatterns: [
    ...testPathIgnorePatterns,
    ...ON_SERVERS.map((one) => `<rootDir>/test/${one}`),
  ],
  transform,
  modulePathIgnorePatterns,
  testTimeout: 10_000,
};

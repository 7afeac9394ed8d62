// No test may lean on the machine's time zone. The workers of jest and every process that a test
// starts have this one; the database has another (test/support/jest/global-setup.ts), and none is
// UTC.
process.env.TZ = 'America/New_York';

/** @type {import('jest').Config} */
module.exports = {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2023' },
        module: { type: 'commonjs', ignoreDynamic: true },
        sourceMaps: 'inline',
      },
    ],
  },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.data'],
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/dist/'],
  testEnvironment: '<rootDir>/test/support/jest/environment.ts',
  globalSetup: '<rootDir>/test/support/jest/global-setup.ts',
  globalTeardown: '<rootDir>/test/support/jest/global-teardown.ts',
  testTimeout: 60_000,
  testSequencer: '<rootDir>/test/support/jest/longest-first.cjs',
  // Twice as many as CI has cores: half of the files wait for time-outs most of the time.
  maxWorkers: 4,
};

// The Jest configuration of `npm run test:upgrade`.
const base = require('../../jest.config.cjs');

/** Upgrades from each release while orders are open; see docs/operate/running.md. */
module.exports = {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/upgrade/*.scenarios.ts'],
  globalSetup: '<rootDir>/test/upgrade/support/global-setup.ts',
  testTimeout: 240_000,
  // Each file runs up to five processes and thirty orders at once.
  maxWorkers: 2,
};

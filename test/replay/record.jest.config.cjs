// The Jest configuration that records histories.
const base = require('../../jest.config.cjs');

/** Plays the scenarios and writes their histories; see docs/understand/replay.md. */
module.exports = {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/replay/record.scenarios.ts'],
};

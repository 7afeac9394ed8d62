// The Jest configuration of the long runs that `npm test` plays in a short form.
const base = require('../../jest.config.cjs');

/** `npm run proof:books`; see CONTRIBUTING.md. */
module.exports = {
  ...base,
  rootDir: '../..',
  testMatch: ['<rootDir>/test/model/*.proof.ts'],
};

// A test environment whose tests can load the built code outside of Jest's sandbox.
const { join } = require('node:path');
const { TestEnvironment } = require('jest-environment-node');

const ROOT = join(__dirname, '..', '..', '..');

module.exports = class WithBuiltCode extends TestEnvironment {
  constructor(...settings) {
    super(...settings);
    this.global.oncepayBuilt = (path) => require(join(ROOT, path));
  }
};

// A test environment whose tests can load the built code outside of Jest's sandbox.
const { join } = require('node:path');
const { default: TestEnvironment } = require('../../support/jest/environment.ts');

module.exports = class WithBuiltCode extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    this.global.oncepayBuilt = (path) => require(join(config.globalConfig.rootDir, path));
  }
};

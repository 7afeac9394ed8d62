// The environment of every test that npm test runs: it loads what starts an Oncepay once per process.
//
// Jest evaluates each module anew for each test file. For the simulator, Temporal's client and Postgres's
// that costs more than most tests do, so they are loaded here, outside of the test file's sandbox.
import { TestEnvironment } from 'jest-environment-node';
import * as outside from './start-oncepay';

export default class OncepayEnvironment extends TestEnvironment {
  override async setup(): Promise<void> {
    await super.setup();
    this.global.oncepayOutside = outside;
  }
}

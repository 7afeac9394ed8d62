// The environment of every test of `npm test`: loads what starts an Oncepay once per process.
//
// Jest evaluates each module anew for each test file. For the simulator and the clients of Temporal
// and Postgres that costs more than most tests do, so they are loaded here, outside of the sandbox.
import { TestEnvironment } from 'jest-environment-node';
import * as outside from '../start-oncepay';

export default class OncepayEnvironment extends TestEnvironment {
  override async setup(): Promise<void> {
    await super.setup();
    this.global.oncepayOutside = outside;
  }
}

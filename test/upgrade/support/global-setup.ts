// Builds the releases that are not built yet, then starts the servers of the test run.
import startServers from '../../support/jest/global-setup';
import { RELEASES } from '../releases';
import { buildRelease } from './build-release';

const log = (line: string) => process.stderr.write(`${line}\n`);

export default async function globalSetup(): Promise<void> {
  const built: string[] = [];
  for (const release of RELEASES) {
    const { version, commit } = release;
    if (await buildRelease(release, log)) {
      built.push(version);
      continue;
    }
    const reason =
      `this clone lacks commit ${commit} of ${version}. It is probably shallow: ` +
      'run `git fetch --unshallow`.';
    if (process.env['CI'] === 'true') throw new Error(`The upgrade can't be tested: ${reason}`);
    log(`The upgrade from ${version} is skipped: ${reason}`);
  }
  process.env['ONCEPAY_TEST_RELEASES'] = built.join(',');
  if (built.length > 0) await startServers();
}

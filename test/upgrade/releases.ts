// The released versions from which `npm run test:upgrade` upgrades: one line for each.
import { join } from 'node:path';
import { packageRoot } from '../../config/paths';

/** A released version. */
export interface Release {
  readonly version: string;
  /** The commit that was released; it is built as it was. */
  readonly commit: string;
}

/** Each release since 0.3.0, the oldest first. */
export const RELEASES: readonly Release[] = [
  { version: '0.3.0', commit: '58405fbfb2877a74c9e18b680b278e372be392b8' },
];

/** The folder of the release's sources and its build. */
export function folderOf({ version }: Release): string {
  return join(packageRoot(), '.data', 'releases', version);
}

/** True if the global set-up has built the release. */
export function isBuilt({ version }: Release): boolean {
  return (process.env['ONCEPAY_TEST_RELEASES'] ?? '').split(',').includes(version);
}

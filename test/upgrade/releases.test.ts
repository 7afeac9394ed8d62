// Holds the table of releases to the changelog: the upgrade test leaves no released version out.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../config/paths';
import { RELEASES } from './releases';

/** Open orders of earlier versions are upgraded to this one first. */
const FIRST = '0.3.0';

/** The released versions since the first, the newest first; an unchanged newest one is left out. */
function releasedVersions(changelog: string): string[] {
  const [, ...sections] = changelog.split(/^## /m);
  const [unreleased = '', ...dated] = sections;
  const versions = dated.map((section) => /^\[([\d.]+)\] - /.exec(section)?.[1] ?? section);
  const isChanged = unreleased.replace('[Unreleased]', '').trim() !== '';
  return versions.slice(isChanged ? 0 : 1, versions.indexOf(FIRST) + 1);
}

test('each version of the changelog since 0.3.0 has its commit once the next has begun', () => {
  const changelog = readFileSync(join(packageRoot(), 'CHANGELOG.md'), 'utf8');
  const versions = RELEASES.map(({ version }) => version);
  expect(versions).toEqual(expect.arrayContaining(releasedVersions(changelog)));
  for (const { commit } of RELEASES) expect(commit).toMatch(/^[0-9a-f]{40}$/);
});

test('a version is due in the table when text stands under Unreleased, not before', () => {
  const dated =
    '## [0.4.0] - 2027-01-01\n\n- b\n\n## [0.3.0] - 2026-11-25\n\n- a\n\n## [0.2.0] - x';
  expect(releasedVersions(`# C\n\n## [Unreleased]\n\n${dated}`)).toEqual(['0.3.0']);
  expect(releasedVersions(`# C\n\n## [Unreleased]\n\n- c\n\n${dated}`)).toEqual(['0.4.0', '0.3.0']);
});

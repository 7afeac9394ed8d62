// Starts a real Postgres server on a free port.
import { randomBytes } from 'node:crypto';
import { chown, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';

import { freePort } from '../processes/free-port';
import {
  type Guardian,
  type OwnedChild,
  runToEnd,
  waitUntilReady,
} from '../processes/guardian-client';
import { findPostgres, type PostgresBinaries } from './postgres-binaries';
import { systemEnvironment } from '../processes/system-environment';

const INITDB_TIMEOUT_MS = 60_000;
const START_TIMEOUT_MS = 30_000;
const CONNECT_TIMEOUT_MS = 1_000;
/** Another process may take the port between our check and the server's bind. */
const MAX_START_TRIES = 3;
/** Enough for api, worker, simulator and a test run side by side. */
const MAX_CONNECTIONS = 200;
/**
 * With these settings a crash of the machine loses rows; a crash of Postgres doesn't, because
 * synchronous_commit stays on.
 */
const NOT_DURABLE = ['fsync=off', 'full_page_writes=off'];

/** A Postgres server that can be stopped and started again on the same port. */
export interface PostgresServer {
  /** The URL of the maintenance database `postgres`. */
  readonly url: string;
  start(): Promise<void>;
  /** SIGINT is Postgres's fast shutdown. Resolves when the server has ended. */
  stop(signal?: 'SIGINT' | 'SIGKILL'): Promise<void>;
}

interface Cluster {
  readonly guardian: Guardian;
  readonly binaries: PostgresBinaries;
  readonly folder: string;
  readonly logFile: string;
  readonly password: string;
  readonly settings: readonly string[];
}

async function initialise(cluster: Cluster, dataDir: string): Promise<void> {
  const { binaries, folder, guardian } = cluster;
  const passwordFile = join(dataDir, 'postgres-password');
  await mkdir(folder, { mode: 0o700 });
  await writeFile(passwordFile, cluster.password, { mode: 0o600 });
  if (binaries.user !== undefined) {
    await chown(folder, binaries.user.uid, binaries.user.gid);
    await chown(passwordFile, binaries.user.uid, binaries.user.gid);
  }
  const args = ['-D', folder, '-U', 'postgres', '--pwfile', passwordFile, '--no-sync'];
  args.push('--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-instructions');
  const env = systemEnvironment({ LC_ALL: 'C' });
  const spec = { command: binaries.initdb, args, env, logFile: cluster.logFile, ...binaries.user };
  await runToEnd(guardian, 'initdb', spec, INITDB_TIMEOUT_MS);
  await rm(passwordFile);
}

function urlOf(cluster: Cluster, port: number): string {
  return `postgresql://postgres:${cluster.password}@127.0.0.1:${port}/postgres`;
}

async function isReady(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('SELECT 1');
    return true;
  } finally {
    await client.end();
  }
}

async function launch(cluster: Cluster, port: number): Promise<OwnedChild> {
  const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', ...cluster.settings];
  const child = await cluster.guardian.spawn('postgres', {
    command: cluster.binaries.postgres,
    args: ['-D', cluster.folder, '-p', String(port), ...settings.flatMap((set) => ['-c', set])],
    env: systemEnvironment({ LC_ALL: 'C' }),
    logFile: cluster.logFile,
    stage: 'server',
    stopSignal: 'SIGINT',
    ...cluster.binaries.user,
  });
  await waitUntilReady(child, START_TIMEOUT_MS, () => isReady(urlOf(cluster, port)));
  return child;
}

async function launchOnFreePort(cluster: Cluster): Promise<{ child: OwnedChild; port: number }> {
  for (let tries = 1; ; tries += 1) {
    const port = await freePort();
    try {
      return { child: await launch(cluster, port), port };
    } catch (error) {
      if (tries === MAX_START_TRIES) throw error;
    }
  }
}

/** How the server runs. */
export interface PostgresOptions {
  /** False turns fsync off: faster, but a crash of the machine may lose rows. */
  readonly durable: boolean;
  /** The time zone with which sessions begin, such as `Asia/Shanghai`; the machine's by default. */
  readonly timeZone?: string;
}

/**
 * Creates a cluster in `<dataDir>/postgres` and starts it.
 * @throws one sentence that says what is missing, or the server's last log lines
 */
export async function startPostgres(
  guardian: Guardian,
  dataDir: string,
  { durable, timeZone }: PostgresOptions,
): Promise<PostgresServer> {
  const cluster: Cluster = {
    guardian,
    binaries: await findPostgres(),
    folder: join(dataDir, 'postgres'),
    logFile: join(dataDir, 'postgres.log'),
    password: randomBytes(12).toString('hex'),
    settings: [
      `max_connections=${MAX_CONNECTIONS}`,
      ...(timeZone === undefined ? [] : [`timezone=${timeZone}`]),
      ...(durable ? [] : NOT_DURABLE),
    ],
  };
  await initialise(cluster, dataDir);
  const first = await launchOnFreePort(cluster);
  let running: OwnedChild | null = first.child;
  return {
    url: urlOf(cluster, first.port),
    async start() {
      running ??= await launch(cluster, first.port);
    },
    async stop(signal = 'SIGINT') {
      const child = running;
      running = null;
      await child?.signal(signal);
      await child?.exited;
    },
  };
}

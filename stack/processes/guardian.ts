// The guardian, a process of its own: owns each child of one stack, so that none outlives the
// owner.
// It stops them all when the owner requests it, on a signal, and when the IPC channel closes,
// which
// the kernel does when the owner is killed. At the end it removes the data folder.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { rm } from 'node:fs/promises';

import {
  type ChildSpec,
  type GuardianMessage,
  type GuardianRequest,
  requestSchema,
  STOP_GRACE_MS,
} from './guardian-protocol';

interface Owned {
  readonly spec: ChildSpec;
  readonly process: ChildProcess;
  readonly exited: Promise<unknown>;
}

const dataDir = process.argv[2];
const children = new Map<number, Owned>();
let stopping: Promise<void> | undefined;

function send(message: GuardianMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) {
      resolve();
      return;
    }
    process.send(message, () => resolve());
  });
}

async function start(id: number, spec: ChildSpec): Promise<number> {
  if (stopping !== undefined) throw new Error('The stack is being stopped.');
  const log = openSync(spec.logFile, 'a');
  const child = spawn(spec.command, spec.args, {
    env: spec.env,
    stdio: ['ignore', log, log],
    ...(spec.uid === undefined ? {} : { uid: spec.uid }),
    ...(spec.gid === undefined ? {} : { gid: spec.gid }),
  });
  closeSync(log);
  await once(child, 'spawn');
  // There must be no await between here and the map, so that each living child is in the map.
  const exited = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      children.delete(id);
      void send({ type: 'exit', child: id, code, signal });
      resolve();
    });
  });
  children.set(id, { spec, process: child, exited });
  return child.pid ?? 0;
}

async function stopOne(owned: Owned): Promise<void> {
  owned.process.kill(owned.spec.stopSignal);
  const kill = setTimeout(() => owned.process.kill('SIGKILL'), STOP_GRACE_MS);
  await owned.exited;
  clearTimeout(kill);
}

async function stopAll(): Promise<void> {
  for (const stage of ['program', 'server'] as const) {
    const due = [...children.values()].filter((owned) => owned.spec.stage === stage);
    await Promise.all(due.map(stopOne));
  }
  if (dataDir !== undefined) await rm(dataDir, { recursive: true, force: true, maxRetries: 5 });
}

function shutDown(reply?: GuardianMessage): void {
  stopping ??= stopAll();
  void stopping
    .catch((error: unknown) => console.error(error))
    .then(() => (reply === undefined ? undefined : send(reply)))
    .then(() => {
      // The guardian leads its own process group, so this also ends processes that a child left
      // behind.
      if (process.platform === 'win32') process.exit(0);
      process.kill(-process.pid, 'SIGKILL');
    });
}

async function handle(request: GuardianRequest): Promise<void> {
  switch (request.type) {
    case 'spawn': {
      const pid = await start(request.id, request.spec);
      await send({ type: 'done', id: request.id, pid });
      return;
    }
    case 'signal':
      children.get(request.child)?.process.kill(request.signal);
      await send({ type: 'done', id: request.id, pid: 0 });
      return;
    case 'stop':
      shutDown({ type: 'done', id: request.id, pid: 0 });
      return;
  }
}

process.on('message', (raw) => {
  const request = requestSchema.parse(raw);
  handle(request).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    void send({ type: 'failed', id: request.id, message });
  });
});
process.on('disconnect', () => shutDown());
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => shutDown());
process.on('uncaughtException', (error) => {
  console.error(error);
  shutDown();
});

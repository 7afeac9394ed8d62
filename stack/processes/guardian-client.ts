// The owner's side of the guardian: starts children, learns when they end, stops them all.
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import {
  type ChildSpec,
  type GuardianRequest,
  messageSchema,
  type StackSignal,
} from './guardian-protocol';
import { packageRoot } from './package-root';

const LOG_TAIL_LINES = 30;
const POLL_MS = 50;

/** For a signal to a child that has ended, or a request to a guardian that has: nothing is lost. */
export const ignoreEnded = (): undefined => undefined;

/** How a child ended: its exit code, or the signal that ended it. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** A process that the guardian owns. */
export interface OwnedChild {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  readonly exited: Promise<ChildExit>;
  signal(signal: StackSignal): Promise<void>;
}

/** Owns the children of one stack; see guardian.ts. */
export interface Guardian {
  readonly pid: number;
  /** Starts a process. @throws when the program can't be executed or the stack is being stopped */
  spawn(name: string, spec: ChildSpec): Promise<OwnedChild>;
  /** Stops each child, removes the data folder, and resolves when the guardian itself has ended. */
  stop(): Promise<void>;
}

interface PendingReply {
  readonly resolve: (pid: number) => void;
  readonly reject: (error: Error) => void;
}

interface Channel {
  readonly process: ChildProcess;
  readonly pending: Map<number, PendingReply>;
  readonly exits: Map<number, (exit: ChildExit) => void>;
  readonly gone: Promise<void>;
}

function listen(guardian: ChildProcess, dataDir: string): Channel {
  const pending = new Map<number, PendingReply>();
  const exits = new Map<number, (exit: ChildExit) => void>();
  guardian.on('message', (raw) => {
    const message = messageSchema.parse(raw);
    if (message.type === 'exit') {
      exits.get(message.child)?.({ code: message.code, signal: message.signal });
      exits.delete(message.child);
      return;
    }
    const reply = pending.get(message.id);
    pending.delete(message.id);
    if (message.type === 'done') reply?.resolve(message.pid);
    else reply?.reject(new Error(message.message));
  });
  const gone = new Promise<void>((resolve) => {
    guardian.once('exit', () => {
      // A killed guardian can't end its process group, so the owner does.
      killGroup(guardian.pid);
      for (const exited of exits.values()) exited({ code: null, signal: 'SIGKILL' });
      for (const { reject } of pending.values()) reject(new Error('The stack was stopped.'));
      pending.clear();
      exits.clear();
      void rm(dataDir, { recursive: true, force: true, maxRetries: 5 }).then(resolve, resolve);
    });
  });
  return { process: guardian, pending, exits, gone };
}

function killGroup(leader: number | undefined): void {
  if (leader === undefined || process.platform === 'win32') return;
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

/**
 * Forks the guardian of one stack.
 * @param dataDir an absolute path; the guardian removes it at the end
 * @throws when dist/ has not been built
 */
export function forkGuardian(dataDir: string): Guardian {
  const script = join(packageRoot(), 'dist', 'stack', 'processes', 'guardian.js');
  if (!existsSync(script)) {
    throw new Error('dist/stack/processes/guardian.js is missing: run `npm run build` first.');
  }
  // The guardian has its own process group, so the terminal's Ctrl-C reaches only the owner, which
  // stops the children in the right order.
  const forked = fork(script, [dataDir], { detached: true, execArgv: [], stdio: 'ignore' });
  const line = listen(forked, dataDir);
  let lastId = 0;
  const request = (message: GuardianRequest): Promise<number> =>
    new Promise((resolve, reject) => {
      if (!forked.connected) {
        reject(new Error('The stack was stopped.'));
        return;
      }
      line.pending.set(message.id, { resolve, reject });
      forked.send(message);
    });
  return {
    pid: forked.pid ?? 0,
    async spawn(name, spec) {
      const id = (lastId += 1);
      const exited = new Promise<ChildExit>((resolve) => line.exits.set(id, resolve));
      const pid = await request({ type: 'spawn', id, spec });
      return {
        name,
        pid,
        logFile: spec.logFile,
        exited,
        async signal(signal) {
          await request({ type: 'signal', id: (lastId += 1), child: id, signal });
        },
      };
    },
    async stop() {
      await request({ type: 'stop', id: (lastId += 1) }).catch(ignoreEnded);
      await line.gone;
    },
  };
}

/** Returns the last lines that a child wrote, or a dash if it wrote nothing. */
export async function logTail(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  return text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n') || '-';
}

/**
 * Polls until `isReady` resolves to true.
 * @throws when the child ends first (with its last log lines) or after `timeoutMs`
 */
export async function waitUntilReady(
  child: OwnedChild,
  timeoutMs: number,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  const ended: { how?: string } = {};
  void child.exited.then((exit) => (ended.how = exit.signal ?? `code ${exit.code ?? 0}`));
  for (;;) {
    if (await isReady().catch(() => false)) return;
    const tail = () => logTail(child.logFile);
    if (ended.how !== undefined) {
      throw new Error(`${child.name} ended (${ended.how}) before it was ready:\n${await tail()}`);
    }
    if (Date.now() > deadline) {
      throw new Error(`${child.name} was not ready after ${timeoutMs} ms:\n${await tail()}`);
    }
    await delay(POLL_MS);
  }
}

/** Runs a short program to its end. @throws when it fails or takes longer than `timeoutMs` */
export async function runToEnd(
  guardian: Guardian,
  name: string,
  spec: Omit<ChildSpec, 'stage' | 'stopSignal'>,
  timeoutMs: number,
): Promise<void> {
  const child = await guardian.spawn(name, { ...spec, stage: 'program', stopSignal: 'SIGTERM' });
  const timer = setTimeout(() => void child.signal('SIGKILL').catch(ignoreEnded), timeoutMs);
  const exit = await child.exited;
  clearTimeout(timer);
  if (exit.code === 0) return;
  const how = exit.signal === null ? `code ${exit.code ?? 0}` : `${exit.signal}, ${timeoutMs} ms`;
  throw new Error(`${name} failed (${how}): ${await logTail(child.logFile)}`);
}

// Reads the CPU and memory of other processes from Linux's /proc; NaN where there is no /proc.
import { readdir, readFile } from 'node:fs/promises';
import type { Pool } from 'pg';
import type { Managed } from '../../stack/stack';

/** Linux counts a process's CPU in ticks of USER_HZ, which is 100 on every platform it runs on. */
const TICK_MS = 10;
const BYTES_PER_MIB = 1024 * 1024;
const MEMORY_SAMPLE_MS = 1_000;
/** proc(5): the fields of /proc/<pid>/stat, counted from the one after the name. */
const FIELD = { parent: 1, user: 11, system: 12, reapedUser: 13, reapedSystem: 14 } as const;

interface ProcessStat {
  readonly name: string;
  readonly parent: number;
  readonly cpuMs: number;
  /** CPU of children that have ended. */
  readonly reapedCpuMs: number;
}

async function statOf(pid: number): Promise<ProcessStat | null> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (text === null) return null;
  // The name stands in brackets and may itself contain spaces and brackets.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const field = (index: number) => Number(fields[index]);
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    parent: field(FIELD.parent),
    cpuMs: (field(FIELD.user) + field(FIELD.system)) * TICK_MS,
    reapedCpuMs: (field(FIELD.reapedUser) + field(FIELD.reapedSystem)) * TICK_MS,
  };
}

async function childrenOf(parent: number): Promise<{ pid: number; stat: ProcessStat }[]> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const stats = await Promise.all(pids.map(async (pid) => ({ pid, stat: await statOf(pid) })));
  return stats.flatMap(({ pid, stat }) => (stat?.parent === parent ? [{ pid, stat }] : []));
}

/** The CPU that a process has used so far, in ms: user and system time of all threads. */
export async function cpuMsOf(pid: number): Promise<number> {
  return (await statOf(pid))?.cpuMs ?? Number.NaN;
}

/**
 * The CPU of a Postgres server so far, in ms: the postmaster and all its children, also those that
 * ended.
 */
export async function postgresCpuMs(postmaster: number): Promise<number> {
  const [own, children] = await Promise.all([statOf(postmaster), childrenOf(postmaster)]);
  if (own === null) return Number.NaN;
  return children.reduce((sum, { stat }) => sum + stat.cpuMs, own.cpuMs + own.reapedCpuMs);
}

/** Finds the postmaster's process id: the parent of any session. */
export async function findPostmaster(sql: Pool): Promise<number> {
  const { rows } = await sql.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  const stat = await statOf(rows[0]?.pid ?? 0);
  return stat?.parent ?? 0;
}

/** Finds the Temporal server that the same stack started; 0 when the stack didn't start one. */
export async function findTemporalBeside(pid: number): Promise<number> {
  const stat = await statOf(pid);
  const siblings = stat === null ? [] : await childrenOf(stat.parent);
  return siblings.find(({ stat: { name } }) => name.startsWith('temporal'))?.pid ?? 0;
}

async function residentMibOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1];
  return kib === undefined ? Number.NaN : (Number(kib) * 1024) / BYTES_PER_MIB;
}

/** The resident memory of a process in MiB. */
export interface Memory {
  readonly start: number;
  readonly after: number;
  readonly peak: number;
}

/** Watches the memory of a process from now on. @returns the end of the watch */
export async function watchMemory({ pid }: Pick<Managed, 'pid'>): Promise<() => Promise<Memory>> {
  const start = await residentMibOf(pid);
  let peak = start;
  const timer = setInterval(() => {
    void residentMibOf(pid).then((mib) => {
      peak = Math.max(peak, mib);
    });
  }, MEMORY_SAMPLE_MS);
  return async () => {
    clearInterval(timer);
    const after = await residentMibOf(pid);
    return { start, after, peak: Math.max(peak, after) };
  };
}

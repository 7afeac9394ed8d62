// Measures callbacks per second, latency and CPU of Oncepay's api against the bare floor.
import { Pool } from 'pg';
import { freePort } from '../../stack/processes/free-port';
import { countInbox } from '../ground/closing-queries';
import type { FloorConfig } from './floor';
import type { Ground } from '../ground/ground';
import { hammer, pace, type Burst } from './send-load';
import { cpuMsOf, findPostmaster, postgresCpuMs } from '../ground/processes';
import { forged, signCallbacks, type SignedCallback } from '../ground/signed-callbacks';
import { medianOf, quantile } from '../statistics';

export const CALLERS = [16, 32] as const;
type Callers = (typeof CALLERS)[number];
const PAIRS_OF_TURNS = 3;
const CALLBACKS_PER_TURN = 2_500;
/** Callbacks until the just-in-time compiler has compiled both sides. */
const WARM_UP = 1_500;
const PACED_SECONDS = 6;

/** A server that takes callbacks, and how to measure it. */
interface Side {
  readonly origin: string;
  readonly cpuMs: () => Promise<number>;
  readonly postgresCpuMs: () => Promise<number>;
  readonly countRows: () => Promise<number>;
  /** The ids of the callbacks with the reply 204, once for each reply. */
  readonly accepted: string[];
  /** Counts of unexpected replies. A refusal is cheap and would make the server look fast. */
  readonly unexpected: Map<number, number>;
}

interface Turn {
  readonly perSecond: number;
  readonly p50Ms: number;
  /** CPU of the server and the database, for one callback. */
  readonly cpuMicros: number;
}

export type CallbackKind = 'first' | 'duplicate';

export interface SideResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly cpuMicros: number;
}

export interface CallbackResult {
  readonly bySide: ReadonlyMap<string, SideResult>;
  readonly of: (side: 'oncepay' | 'floor', kind: CallbackKind, callers: Callers) => SideResult;
  /** p50 and p99 in ms at half of the load that 16 callers reached. */
  readonly halfLoad: readonly {
    readonly kind: string;
    readonly p50: number;
    readonly p99: number;
  }[];
  /** p99 with Temporal down and with Temporal up, at the same rate. */
  readonly away: { readonly perSecond: number; readonly p99Away: number; readonly p99Up: number };
  /** Callbacks per second at 16 callers with Temporal up; the signals use the same cores. */
  readonly upPerSecond: number;
  readonly problems: readonly string[];
}

async function startFloor(ground: Ground): Promise<Side> {
  const port = await freePort();
  const databaseUrl = await ground.stack.createDatabase('bench_floor');
  const { platform, credentials } = ground;
  const config: FloorConfig = {
    port,
    databaseUrl,
    publicKeyPem: platform.publicKeyPem,
    apiV3Key: credentials.apiV3Key,
  };
  const { pid } = await ground.startScript(require.resolve('./floor'), config);
  return createSide(`http://127.0.0.1:${port}`, pid, databaseUrl, 'floor_callbacks');
}

async function startApi(ground: Ground, name: string, temporalAddress?: string): Promise<Side> {
  const databaseUrl = await ground.createDatabase(name);
  const oncepay = await ground.createOncepay(databaseUrl, temporalAddress);
  const { pid } = await oncepay.startApi();
  return createSide(oncepay.apiUrl, pid, databaseUrl, 'notification_inbox');
}

async function createSide(
  origin: string,
  pid: number,
  databaseUrl: string,
  table: 'floor_callbacks' | 'notification_inbox',
): Promise<Side> {
  const sql = new Pool({ connectionString: databaseUrl, max: 1, allowExitOnIdle: true });
  sql.on('error', () => undefined);
  const postmaster = await findPostmaster(sql);
  return {
    origin,
    cpuMs: () => cpuMsOf(pid),
    postgresCpuMs: () => postgresCpuMs(postmaster),
    countRows: () => countInbox(sql, table),
    accepted: [],
    unexpected: new Map(),
  };
}

function countReplies(side: Side, burst: Burst, expected: 204 | 401 = 204): Burst {
  side.accepted.push(...burst.acceptedIds);
  for (const [status, count] of burst.statuses) {
    if (status === expected) continue;
    side.unexpected.set(status, (side.unexpected.get(status) ?? 0) + count);
  }
  return burst;
}

async function takeTurn(
  side: Side,
  callbacks: readonly SignedCallback[],
  callers: number,
): Promise<Turn> {
  const total = async () => (await side.cpuMs()) + (await side.postgresCpuMs());
  const before = await total();
  const burst = countReplies(side, await hammer(side.origin, callbacks, callers));
  const cpuMs = (await total()) - before;
  return {
    perSecond: callbacks.length / burst.seconds,
    p50Ms: quantile(burst.latenciesMs, 0.5),
    cpuMicros: (cpuMs * 1_000) / callbacks.length,
  };
}

async function measureInTurns(
  ground: Ground,
  sides: Readonly<Record<'oncepay' | 'floor', Side>>,
): Promise<Map<string, Turn[]>> {
  const { platform, credentials } = ground;
  const turns = new Map<string, Turn[]>();
  for (const callers of CALLERS) {
    for (let pair = 0; pair < PAIRS_OF_TURNS; pair += 1) {
      const callbacks = signCallbacks(platform, credentials, CALLBACKS_PER_TURN);
      const order =
        pair % 2 === 0 ? (['oncepay', 'floor'] as const) : (['floor', 'oncepay'] as const);
      for (const name of order) {
        for (const kind of ['first', 'duplicate'] as const) {
          const key = `${name} ${kind} ${callers}`;
          const turn = await takeTurn(sides[name], callbacks, callers);
          turns.set(key, [...(turns.get(key) ?? []), turn]);
        }
      }
    }
  }
  return turns;
}

function summarise(turns: readonly Turn[]): SideResult {
  return {
    perSecond: medianOf(turns, ({ perSecond }) => perSecond),
    p50Ms: medianOf(turns, ({ p50Ms }) => p50Ms),
    cpuMicros: medianOf(turns, ({ cpuMicros }) => cpuMicros),
  };
}

async function measureHalfLoad(ground: Ground, side: Side, perSecond: number) {
  const { platform, credentials } = ground;
  const callbacks = signCallbacks(platform, credentials, Math.round(perSecond * PACED_SECONDS));
  const first = countReplies(side, await pace(side.origin, callbacks, perSecond));
  const duplicate = countReplies(side, await pace(side.origin, callbacks, perSecond));
  const rejected = countReplies(side, await pace(side.origin, forged(callbacks), perSecond), 401);
  return Object.entries({ first, duplicate, rejected }).map(([kind, { latenciesMs }]) => ({
    kind,
    p50: quantile(latenciesMs, 0.5),
    p99: quantile(latenciesMs, 0.99),
  }));
}

/**
 * Sends to both at the same rate, well below the rate that Temporal can drain, so that only the
 * replies are compared.
 */
async function compareWithoutTemporal(ground: Ground, away: Side, up: Side) {
  const { platform, credentials } = ground;
  const perSecond = 60;
  const p99 = async (side: Side) => {
    const callbacks = signCallbacks(platform, credentials, perSecond * PACED_SECONDS);
    const burst = countReplies(side, await pace(side.origin, callbacks, perSecond));
    return quantile(burst.latenciesMs, 0.99);
  };
  return { perSecond, p99Away: await p99(away), p99Up: await p99(up) };
}

/**
 * The closing query: each reply is the expected one, and there is one row for each id with the
 * reply 204.
 */
async function checkSides(sides: Readonly<Record<string, Side>>): Promise<string[]> {
  const problems: string[] = [];
  for (const [name, side] of Object.entries(sides)) {
    const [rows, ids] = [await side.countRows(), new Set(side.accepted).size];
    for (const [status, count] of side.unexpected) {
      problems.push(`${name}: ${count} callbacks got the reply ${status}`);
    }
    if (rows !== ids)
      problems.push(`${name}: ${rows} rows stored for ${ids} ids that got the reply 204`);
  }
  return problems;
}

/** Sends first and repeated callbacks to Oncepay's api and to the bare floor, in turns. */
export async function measureCallbacks(
  ground: Ground,
  log: (line: string) => void,
): Promise<CallbackResult> {
  const { platform, credentials } = ground;
  const nowhere = `127.0.0.1:${await freePort()}`;
  const oncepay = await startApi(ground, 'bench_callbacks', nowhere);
  const floor = await startFloor(ground);
  for (const side of [oncepay, floor]) {
    await takeTurn(side, signCallbacks(platform, credentials, WARM_UP), 16);
  }
  log(`callbacks: ${PAIRS_OF_TURNS} pairs of turns at ${CALLERS.join(' and ')} callers …`);
  const turns = await measureInTurns(ground, { oncepay, floor });
  const bySide = new Map([...turns].map(([key, list]) => [key, summarise(list)]));
  const of: CallbackResult['of'] = (side, kind, callers) =>
    bySide.get(`${side} ${kind} ${callers}`) ?? summarise([]);

  log('callbacks: half load, then Temporal down against Temporal up …');
  const halfLoad = await measureHalfLoad(ground, oncepay, of('oncepay', 'first', 16).perSecond / 2);
  const up = await startApi(ground, 'bench_callbacks_up');
  await takeTurn(up, signCallbacks(platform, credentials, 200), 4);
  const away = await compareWithoutTemporal(ground, oncepay, up);
  const burst = signCallbacks(platform, credentials, CALLBACKS_PER_TURN);
  const { perSecond: upPerSecond } = await takeTurn(up, burst, 16);
  const problems = await checkSides({ oncepay, floor, 'oncepay with Temporal': up });
  return { bySide, of, halfLoad, away, upPerSecond, problems };
}

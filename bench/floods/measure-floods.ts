// Measures how long good callbacks wait for their reply while others flood the api.
import { Pool } from 'pg';
import { freePort } from '../../stack/processes/free-port';
import type { Oncepay } from '../../stack/oncepay';
import { countInbox } from '../ground/closing-queries';
import type { Ground } from '../ground/ground';
import { placeOrder, stockProduct } from '../ground/place-order';
import { signCallbacks } from '../ground/signed-callbacks';
import { quantile } from '../statistics';
import type { FloodConfig } from './flood';
import { createFloodControl, type FloodTally } from './flood-control';
import { createFloods, type NamedFlood } from './floods';
import { sendGood, type GoodReply } from './send-good';

/** Orders that one list returns. */
const LISTED = 200;
const GOOD_PER_SECOND = 15;
/** How long each flood lasts, in seconds. */
const FLOOD_SECONDS = 3;
/** The flood is at its full rate before the first good callback. */
const WARM_UP_MS = 500;

/** The waits of good callbacks on one kind of connection, in ms. */
export interface Waits {
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

/** Good callbacks during one flood. */
export interface FloodResult {
  readonly name: string;
  readonly connections: number;
  readonly perSecond: number;
  readonly onNew: Waits;
  readonly onKept: Waits;
  readonly tally: FloodTally | null;
}

/** All floods against one layout of api processes. */
export interface LayoutResult {
  readonly layout: string;
  readonly floods: readonly FloodResult[];
  readonly problems: readonly string[];
}

interface Layout {
  readonly layout: string;
  readonly oncepay: Oncepay;
  readonly databaseUrl: string;
  readonly ports: Readonly<Record<NamedFlood['at'], number>>;
}

/** Makes orders: one through the api, the others as copies of its rows. */
async function makeOrders(oncepay: Oncepay, sql: Pool, port: number): Promise<void> {
  const call: Oncepay['call'] = (method, path, options) =>
    oncepay.call(method, path, { ...options, port });
  await stockProduct({ call }, LISTED);
  const first = await placeOrder({ call }, 'user-1');
  const numbers = Array.from({ length: LISTED }, (_, n) => first.slice(0, -4) + String(1_000 + n));
  for (const table of ['orders', 'order_items']) {
    await sql.query(
      `INSERT INTO ${table} SELECT
         (jsonb_populate_record(one, jsonb_build_object('out_trade_no', no))).*
       FROM ${table} one, unnest($2::text[]) no WHERE one.out_trade_no = $1`,
      [first, numbers],
    );
  }
}

function waitsOf(replies: readonly GoodReply[]): Waits {
  const times = replies.map(({ ms }) => ms);
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99), worst: Math.max(...times) };
}

/** Sends good callbacks on both kinds of connections at the same time. */
async function sendBoth(ground: Ground, port: number, seconds: number): Promise<GoodReply[][]> {
  const { platform, credentials } = ground;
  const count = Math.round(GOOD_PER_SECOND * seconds);
  return Promise.all(
    (['new', 'kept'] as const).map((kind) =>
      sendGood(port, signCallbacks(platform, credentials, count), GOOD_PER_SECOND, kind),
    ),
  );
}

/** Plays all floods against a layout, one after the other, the first turn without a flood. */
export async function measureLayout(
  ground: Ground,
  { layout, oncepay, databaseUrl, ports }: Layout,
  log: (line: string) => void,
): Promise<LayoutResult> {
  const sql = new Pool({ connectionString: databaseUrl, max: 1 });
  await makeOrders(oncepay, sql, ports.api);
  const port = await freePort();
  await ground.startScript(require.resolve('./flood'), { port } satisfies FloodConfig);
  const control = createFloodControl(`http://127.0.0.1:${port}`);
  const floods: FloodResult[] = [];
  const problems: string[] = [];
  const accepted = new Set<string>();
  let sent = 0;
  const note = (name: string, replies: readonly GoodReply[]) => {
    sent += replies.length;
    for (const { id, status } of replies) if (status === 204) accepted.add(id);
    const others = replies.filter(({ status }) => status !== 204).map(({ status }) => status);
    if (others.length === 0) return;
    const seen = [...new Set(others)].join(', ');
    problems.push(`${layout}, ${name}: ${others.length} good callbacks got the status ${seen}`);
  };
  await sendBoth(ground, ports.callbacks, 2);
  const before = await countInbox(sql, 'notification_inbox');
  for (const flood of [null, ...createFloods(ground, oncepay)]) {
    const { name, at, ...load } = flood ?? { name: 'no flood', at: 'api', ...NO_LOAD };
    if (flood) await control.begin({ ...load, target: ports[at] });
    await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
    const [onNew = [], onKept = []] = await sendBoth(ground, ports.callbacks, FLOOD_SECONDS);
    const tally = flood ? await control.end() : null;
    note(name, [...onNew, ...onKept]);
    const { connections, perSecond } = load;
    const waits = { onNew: waitsOf(onNew), onKept: waitsOf(onKept) };
    const result = { name, connections, perSecond, ...waits, tally };
    log(`${layout}: ${JSON.stringify(result)}`);
    floods.push(result);
  }
  const rows = (await countInbox(sql, 'notification_inbox')) - before;
  // A sender that hangs up doesn't see the reply to a callback that was stored all the same.
  if (rows < accepted.size || rows > sent) {
    problems.push(`${layout}: ${rows} rows for ${accepted.size} replies 204 to ${sent} callbacks`);
  }
  await sql.end();
  return { layout, floods, problems };
}

const NO_LOAD = { connections: 0, perSecond: 0, pipelined: 1, request: '' };

/** Measures one process with all roles, then callbacks in a process of their own. */
export async function measureFloods(
  ground: Ground,
  log: (line: string) => void,
): Promise<LayoutResult[]> {
  const results: LayoutResult[] = [];
  for (const layout of ['one process', 'roles apart'] as const) {
    const databaseUrl = await ground.createDatabase(`bench_floods_${results.length}`);
    const oncepay = await ground.createOncepay(databaseUrl);
    const started =
      layout === 'one process'
        ? [await oncepay.startApi()]
        : [
            await oncepay.startApi({ ONCEPAY_API_ROLES: 'callbacks' }),
            await oncepay.startApi({ ONCEPAY_API_ROLES: 'api,ops' }),
          ];
    const ports = { callbacks: started[0]?.port ?? 0, api: started.at(-1)?.port ?? 0 };
    results.push(await measureLayout(ground, { layout, oncepay, databaseUrl, ports }, log));
    for (const api of started) await api.kill();
  }
  return results;
}

// `npm run bench`: measures the cost of Oncepay, as ratios, in turns in one run.
import { parseArgs } from 'node:util';
import { measureCallbacks } from './callbacks/measure-callbacks';
import { measureFloods } from './floods/measure-floods';
import { startGround, type Ground } from './ground/ground';
import { measureMemory, MEMORY_ORDERS } from './measure-memory';
import { measureOrders } from './orders/measure-orders';
import {
  MAX_OUTAGE_MINUTES,
  measureOutage,
  OUTAGE_MINUTES,
  OUTAGE_ORDERS,
} from './outage/measure-outage';
import {
  renderCallbacks,
  renderFloods,
  renderMemory,
  renderOrders,
  renderOutage,
  type Report,
} from './render-reports';

const HELP = `npm run bench [-- callbacks|orders|memory|outage|floods]

Measures on this machine, in turns and as ratios: the callback path against a bare floor (G1), an
order against a bare workflow (G5). Takes about four minutes. The exit code is 1 only when a
closing query fails (rows are missing or wrong), or an outage breaks one of its musts. A missed
target is printed, but is no failure.

  memory          sends ${MEMORY_ORDERS} orders through api and worker, prints their memory
  outage          takes WeChat away for ${OUTAGE_MINUTES} minutes over ${OUTAGE_ORDERS} open orders
  --orders <n>    n orders instead
  --minutes <n>   takes WeChat away for n minutes instead, at most ${MAX_OUTAGE_MINUTES}
  floods          sends good callbacks while others flood the api
  --only <name>   the same as the name alone
`;

type Log = (line: string) => void;

/** The options; null where the default of the measurement counts. */
interface Size {
  readonly orders: number | null;
  readonly minutes: number;
}

type Measurement = (ground: Ground, log: Log, size: Size) => Promise<Report>;

const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  callbacks: async (ground, log) => renderCallbacks(await measureCallbacks(ground, log)),
  orders: async (ground, log) => renderOrders(await measureOrders(ground, log)),
  memory: async (ground, log, { orders }) =>
    renderMemory(await measureMemory(ground, log, orders ?? MEMORY_ORDERS)),
  outage: async (ground, log, { orders, minutes }) =>
    renderOutage(await measureOutage(ground, log, { orders: orders ?? OUTAGE_ORDERS, minutes })),
  floods: async (ground, log) => renderFloods(await measureFloods(ground, log)),
};
const BY_DEFAULT = ['callbacks', 'orders'];

interface Choice {
  readonly names: readonly string[];
  readonly size: Size;
}

/** @returns null when the help was wanted; undefined when an argument is wrong */
function readArguments(): Choice | null | undefined {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      orders: { type: 'string' },
      minutes: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help === true) return null;
  const wanted = [...positionals, ...(values.only === undefined ? [] : [values.only])];
  const names = wanted.length === 0 ? BY_DEFAULT : wanted;
  const orders = values.orders === undefined ? null : Number(values.orders);
  const minutes = Number(values.minutes ?? OUTAGE_MINUTES);
  const areKnown = names.every((name) => MEASUREMENTS[name] !== undefined);
  const isCount = orders === null || (Number.isInteger(orders) && orders > 0);
  const isTime = minutes > 0 && minutes <= MAX_OUTAGE_MINUTES;
  return areKnown && isCount && isTime ? { names, size: { orders, minutes } } : undefined;
}

async function main(): Promise<number> {
  const choice = readArguments();
  if (!choice) {
    process.stdout.write(HELP);
    return choice === null ? 0 : 2;
  }
  const { names, size } = choice;
  const log: Log = (line) => process.stderr.write(`${line}\n`);
  const reports: Report[] = [];
  for (const name of names) {
    // Each measurement has its own servers, so that none is slowed by what another left behind.
    const ground = await startGround(log);
    try {
      const report = await MEASUREMENTS[name]?.(ground, log, size);
      if (report !== undefined) reports.push(report);
    } finally {
      await ground.stack.stop();
    }
  }
  const lines = reports.map(({ line }) => line);
  const tables = reports.map(({ table }) => table);
  process.stdout.write(`\n${lines.join('\n')}\n\n${tables.join('\n\n')}\n`);
  const problems = reports.flatMap((report) => report.problems);
  for (const problem of problems) process.stdout.write(`\nThis check fails: ${problem}\n`);
  return problems.length === 0 ? 0 : 1;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`The benchmark could not finish: ${reason}\n`);
    process.exit(1);
  },
);

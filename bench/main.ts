// `npm run bench`: measures the cost of Oncepay, as ratios, in turns in one run.
import { parseArgs } from 'node:util';
import { measureCallbacks } from './callbacks/measure-callbacks';
import { startGround, type Ground } from './ground/ground';
import { measureMemory, MEMORY_ORDERS } from './measure-memory';
import { measureOrders } from './orders/measure-orders';
import { renderCallbacks, renderMemory, renderOrders, type Report } from './render-reports';

const HELP = `npm run bench [-- --only callbacks|orders|memory]

Measures on this machine, in turns and as ratios: the callback path against a bare floor (G1), an
order against a bare workflow (G5). Takes about four minutes. The exit code is 1 only when a
closing query fails (rows are missing or wrong). A missed target is printed, but is no failure.

  --only memory   sends ${MEMORY_ORDERS} orders through api and worker, prints their memory
  --orders <n>    sends n orders instead
`;

type Log = (line: string) => void;

type Measurement = (ground: Ground, log: Log, orders: number) => Promise<Report>;

const MEASUREMENTS: Readonly<Record<string, Measurement>> = {
  callbacks: async (ground, log) => renderCallbacks(await measureCallbacks(ground, log)),
  orders: async (ground, log) => renderOrders(await measureOrders(ground, log)),
  memory: async (ground, log, orders) => renderMemory(await measureMemory(ground, log, orders)),
};
const BY_DEFAULT = ['callbacks', 'orders'];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { only: { type: 'string' }, orders: { type: 'string' }, help: { type: 'boolean' } },
  });
  const names = values.only === undefined ? BY_DEFAULT : [values.only];
  const orders = Number(values.orders ?? MEMORY_ORDERS);
  const isCount = Number.isInteger(orders) && orders > 0;
  if (values.help === true || !isCount || names.some((name) => MEASUREMENTS[name] === undefined)) {
    process.stdout.write(HELP);
    return values.help === true ? 0 : 2;
  }
  const log: Log = (line) => process.stderr.write(`${line}\n`);
  const reports: Report[] = [];
  for (const name of names) {
    // Each measurement has its own servers, so that none is slowed by what another left behind.
    const ground = await startGround(log);
    try {
      const report = await MEASUREMENTS[name]?.(ground, log, orders);
      if (report !== undefined) reports.push(report);
    } finally {
      await ground.stack.stop();
    }
  }
  const lines = reports.map(({ line }) => line);
  const tables = reports.map(({ table }) => table);
  process.stdout.write(`\n${lines.join('\n')}\n\n${tables.join('\n\n')}\n`);
  const problems = reports.flatMap((report) => report.problems);
  for (const problem of problems) process.stdout.write(`\nThe closing query fails: ${problem}\n`);
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

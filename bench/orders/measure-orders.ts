// Measures orders per second, CPU and history events of Oncepay against the bare workflow.
import { Pool } from 'pg';
import { checkOrders } from '../ground/closing-queries';
import type { Ground } from '../ground/ground';
import { startBareSide, startRealSide, type OrderSide } from './order-sides';
import { cpuMsOf, findPostmaster, findTemporalBeside, postgresCpuMs } from '../ground/processes';
import { medianOf, quantile } from '../statistics';

const CALLERS = 16;
const PAIRS_OF_TURNS = 3;
const ORDERS_PER_TURN = 160;
const WARM_UP = 64;
const PREPAY_TIMEOUT_MS = 30_000;
/** How many histories are read after each turn. */
const SAMPLES = 4;

interface OrderTurn {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly workerCpuMs: number;
  readonly temporalCpuMs: number;
  readonly postgresCpuMs: number;
}

export interface OrderResult {
  readonly oncepay: OrderTurn;
  readonly bare: OrderTurn;
  /** The largest counts seen: of the whole history, and from the signal on. */
  readonly events: Readonly<Record<OrderSide['name'], { whole: number; fromSignal: number }>>;
  readonly orders: number;
  readonly problems: readonly string[];
}

/** Takes one order from the prepay's update to the end of its run. @returns the time in ms */
async function completeOrder(side: OrderSide, outTradeNo: string): Promise<number> {
  const startedMs = performance.now();
  const reply = await side.runs.prepay(outTradeNo, { round: 1, ended: 0 }, PREPAY_TIMEOUT_MS);
  if (reply !== 'awaiting_payment')
    throw new Error(`The prepay of ${outTradeNo} got the reply ${String(reply)}`);
  await side.runs.wakeForNotice(outTradeNo, await side.pay(outTradeNo));
  const result: unknown = await side.temporal.workflow.getHandle(outTradeNo).result();
  if (result !== 'fulfilled') throw new Error(`Order ${outTradeNo} ended ${String(result)}`);
  return performance.now() - startedMs;
}

async function completeOrders(side: OrderSide, numbers: readonly string[]): Promise<number[]> {
  const left = numbers[Symbol.iterator]();
  const latenciesMs: number[] = [];
  const caller = async () => {
    for (const outTradeNo of left) latenciesMs.push(await completeOrder(side, outTradeNo));
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return latenciesMs;
}

async function countEvents(side: OrderSide, outTradeNo: string) {
  const { events } = await side.temporal.workflow.getHandle(outTradeNo).fetchHistory();
  const all = events ?? [];
  const signal = all.findIndex((event) => Boolean(event.workflowExecutionSignaledEventAttributes));
  return { whole: all.length, fromSignal: all.length - signal };
}

async function createMeasure(ground: Ground, anyWorker: number) {
  const sql = new Pool({ connectionString: ground.stack.databaseUrl, max: 1 });
  const postmaster = await findPostmaster(sql);
  await sql.end();
  const temporal = await findTemporalBeside(anyWorker);
  return async (side: OrderSide, numbers: readonly string[]): Promise<OrderTurn> => {
    const cpu = () =>
      Promise.all([cpuMsOf(side.worker.pid), cpuMsOf(temporal), postgresCpuMs(postmaster)]);
    const before = await cpu();
    const startedMs = performance.now();
    const latenciesMs = await completeOrders(side, numbers);
    const seconds = (performance.now() - startedMs) / 1_000;
    const after = await cpu();
    const perOrder = (index: 0 | 1 | 2) => (after[index] - before[index]) / numbers.length;
    return {
      perSecond: numbers.length / seconds,
      p50Ms: quantile(latenciesMs, 0.5),
      workerCpuMs: perOrder(0),
      temporalCpuMs: perOrder(1),
      postgresCpuMs: perOrder(2),
    };
  };
}

function summarise(turns: readonly OrderTurn[]): OrderTurn {
  return {
    perSecond: medianOf(turns, ({ perSecond }) => perSecond),
    p50Ms: medianOf(turns, ({ p50Ms }) => p50Ms),
    workerCpuMs: medianOf(turns, ({ workerCpuMs }) => workerCpuMs),
    temporalCpuMs: medianOf(turns, ({ temporalCpuMs }) => temporalCpuMs),
    postgresCpuMs: medianOf(turns, (turn) => turn.postgresCpuMs),
  };
}

/**
 * Takes orders from prepay to fulfilled through Oncepay's worker and through the bare workflow, in
 * turns.
 */
export async function measureOrders(
  ground: Ground,
  log: (line: string) => void,
): Promise<OrderResult> {
  const oncepay = await startRealSide(ground);
  const bare = await startBareSide(ground);
  const sides = { oncepay, bare };
  const measure = await createMeasure(ground, bare.worker.pid);
  const turns: Record<OrderSide['name'], OrderTurn[]> = { oncepay: [], bare: [] };
  const events = {
    oncepay: { whole: 0, fromSignal: 0 },
    bare: { whole: 0, fromSignal: 0 },
  };
  for (const side of [oncepay, bare]) await completeOrders(side, await side.place(WARM_UP));
  log(`orders: ${PAIRS_OF_TURNS} pairs of turns of ${ORDERS_PER_TURN} at ${CALLERS} callers …`);
  for (let pair = 0; pair < PAIRS_OF_TURNS; pair += 1) {
    for (const name of pair % 2 === 0
      ? (['oncepay', 'bare'] as const)
      : (['bare', 'oncepay'] as const)) {
      const numbers = await sides[name].place(ORDERS_PER_TURN);
      turns[name].push(await measure(sides[name], numbers));
      for (const number of numbers.slice(0, SAMPLES)) {
        const { whole, fromSignal } = await countEvents(sides[name], number);
        events[name].whole = Math.max(events[name].whole, whole);
        events[name].fromSignal = Math.max(events[name].fromSignal, fromSignal);
      }
    }
  }
  const orders = WARM_UP + PAIRS_OF_TURNS * ORDERS_PER_TURN;
  const problems = await checkOrders(oncepay.sql, orders);
  for (const side of [oncepay, bare]) {
    await side.close();
    await side.worker.kill();
  }
  return {
    oncepay: summarise(turns.oncepay),
    bare: summarise(turns.bare),
    events,
    orders,
    problems,
  };
}

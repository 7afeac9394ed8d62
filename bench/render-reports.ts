// Renders the results of the measurements as lines and tables.
import { CALLERS, type CallbackKind, type CallbackResult } from './callbacks/measure-callbacks';
import type { LayoutResult, Waits } from './floods/measure-floods';
import type { MemoryResult } from './measure-memory';
import type { OrderResult } from './orders/measure-orders';
import type { OutageResult } from './outage/measure-outage';

/** The printed result of one measurement. */
export interface Report {
  readonly line: string;
  readonly table: string;
  readonly problems: readonly string[];
}

function show(value: number, digits = 0): string {
  return Number.isFinite(value) ? value.toFixed(digits) : '–';
}

/** Aligns the first column left and the others right. */
function table(rows: readonly (readonly string[])[]): string {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(width(column)) : cell.padStart(width(column)),
        )
        .join('   '),
    )
    .join('\n');
}

export function renderCallbacks(result: CallbackResult): Report {
  const { of, halfLoad, away, upPerSecond, problems } = result;
  const throughput = CALLERS.map(
    (callers) =>
      of('oncepay', 'first', callers).perSecond / of('floor', 'first', callers).perSecond,
  );
  const cpu = CALLERS.map(
    (callers) =>
      of('oncepay', 'first', callers).cpuMicros / of('floor', 'first', callers).cpuMicros,
  );
  const repeats = CALLERS.map(
    (callers) =>
      of('oncepay', 'duplicate', callers).cpuMicros / of('oncepay', 'first', callers).cpuMicros,
  );
  const list = (values: readonly number[]) => values.map((value) => show(value, 2)).join(' and ');
  const rows = CALLERS.flatMap((callers) =>
    (['first', 'duplicate'] as const).flatMap((kind: CallbackKind) =>
      (['oncepay', 'floor'] as const).map((side) => {
        const { perSecond, p50Ms, cpuMicros } = of(side, kind, callers);
        const name = `${callers} callers, ${kind}, ${side}`;
        return [name, show(perSecond), show(p50Ms, 1), show(cpuMicros)];
      }),
    ),
  );
  return {
    line:
      `G1  callbacks, Oncepay / bare floor: ${list(throughput)} × throughput (target ≥ 0.8), ` +
      `${list(cpu)} × CPU (target ≤ 1.3), at ${CALLERS.join(' and ')} callers`,
    table: [
      table([['', 'per s', 'p50 ms', 'CPU µs'], ...rows]),
      `G4  CPU of a duplicate / of a first callback: ${list(repeats)} (target ≤ 0.7)`,
      `G7  half load: ${halfLoad
        .map(({ kind, p50, p99 }) => `${kind} p50 ${show(p50, 1)} p99 ${show(p99, 1)} ms`)
        .join(' · ')} (targets p99 < 100, 20, 50)`,
      `G3  p99 with Temporal down / up at ${away.perSecond}/s: ${show(away.p99Away, 1)} / ` +
        `${show(away.p99Up, 1)} ms = ${show(away.p99Away / away.p99Up, 2)} (target ≤ 1.2)`,
      `    with Temporal up on the same cores, signals included: ${show(upPerSecond)} callbacks/s`,
    ].join('\n'),
    problems,
  };
}

export function renderOrders({ oncepay, bare, events, orders, problems }: OrderResult): Report {
  const rows = (
    [
      ['oncepay', oncepay],
      ['bare', bare],
    ] as const
  ).map(([name, turn]) => [
    name,
    show(turn.perSecond, 1),
    show(turn.p50Ms),
    show(turn.workerCpuMs, 1),
    show(turn.temporalCpuMs, 1),
    show(turn.postgresCpuMs, 1),
    show(events[name].whole),
    show(events[name].fromSignal),
  ]);
  const heads = [
    'orders/s',
    'p50 ms',
    'worker CPU ms',
    'Temporal',
    'Postgres',
    'events',
    'from signal',
  ];
  return {
    line:
      `G5  orders until fulfilled, Oncepay / bare workflow: ` +
      `${show(oncepay.perSecond / bare.perSecond, 2)} × orders/s (target ≥ 0.85), ` +
      `${show(oncepay.workerCpuMs / bare.workerCpuMs, 2)} × worker CPU; ` +
      `${events.oncepay.whole} events (≤ 36), ${events.oncepay.fromSignal} from the signal (≤ 20)`,
    table: `${table([['', ...heads], ...rows])}\n${orders} orders through Oncepay`,
    problems,
  };
}

export function renderMemory({ orders, perSecond, api, worker, problems }: MemoryResult): Report {
  return {
    line:
      `RSS after ${orders} orders: api ${show(api.after)} MiB, worker ${show(worker.after)} MiB ` +
      `(target < 400 MiB each)`,
    table: table([
      ['', 'at start', `after ${orders}`, 'peak'],
      ['api', show(api.start), show(api.after), show(api.peak)],
      ['worker', show(worker.start), show(worker.after), show(worker.peak)],
    ]).concat(`\n${show(perSecond, 1)} orders/s from POST /v1/orders to the end of the run`),
    problems,
  };
}

export function renderOutage(result: OutageResult): Report {
  const { orders, minutes, paid, spent, away, loads, memory, musts } = result;
  const seconds = (ms: number) => show(ms / 1_000, 1);
  const cores = (name: keyof typeof loads.away) =>
    [loads.open, loads.away, loads.back].map((load) => show(load[name], 2));
  const mib = ({ start, after, peak }: (typeof memory)['worker']) =>
    `${show(start)} MiB at the start, ${show(peak)} at the peak, ${show(after)} at the end`;
  return {
    line:
      `Outage of ${minutes} min over ${orders} open orders: marked after ` +
      `${seconds(result.markedAfterMs)} s, ${result.interventions} interventions, ` +
      `${result.alerts.length} alerts, all caught up ${seconds(result.caughtUpAfterMs)} s after it`,
    table: [
      table(musts.map(({ what, seen, held }) => [what, seen, held ? 'held' : 'BROKEN'])),
      table([
        ['cores used', 'before', 'away', 'back'],
        ...(['worker', 'api', 'temporal', 'postgres'] as const).map((name) => [
          name,
          ...cores(name),
        ]),
      ]),
      [
        `attempts spent: ${spent.all} of ${spent.orders} orders, at most ${spent.most} of one, ` +
          `the last ${show(spent.lastAfterMarkMs)} ms after the mark`,
        `calls to WeChat while it was away: ${away.calls}, ` +
          `${show(away.calls / (minutes * 60), 1)}/s, at most ${away.peakPerSecond} in one second`,
        `after the return: each order queried within ${seconds(result.queriedAfterMs)} s, ` +
          `the ${paid} paid ones fulfilled within ${seconds(result.caughtUpAfterMs)} s`,
        `worker: ${mib(memory.worker)}; its log ${show(result.workerLogMib, 1)} MiB`,
        `api: ${mib(memory.api)}`,
        `orders made at ${show(result.perSecond, 1)}/s before it`,
      ].join('\n'),
    ].join('\n\n'),
    problems: musts.filter(({ held }) => !held).map(({ what, seen }) => `${what}: ${seen}`),
  };
}

export function renderFloods(layouts: readonly LayoutResult[]): Report {
  const waits = ({ p50, p99, worst }: Waits) => [show(p50), show(p99), show(worst)];
  const worstOf = ({ floods }: LayoutResult) =>
    Math.max(...floods.flatMap(({ onNew, onKept }) => [onNew.p99, onKept.p99]));
  const tables = layouts.map(({ layout, floods }) =>
    table([
      [layout, 'conns', 'per s', 'new p50', 'p99', 'max', 'kept p50', 'p99', 'max', 'replies'],
      ...floods.map(({ name, connections, perSecond, onNew, onKept, tally }) => [
        name,
        show(connections),
        show(perSecond),
        ...waits(onNew),
        ...waits(onKept),
        Object.entries(tally?.statuses ?? {})
          .map(([status, count]) => `${count} × ${status}`)
          .join(', '),
      ]),
    ]),
  );
  const summary = layouts.map((one) => `${one.layout} ${show(worstOf(one))} ms`).join(', ');
  return {
    line: `Floods: the highest p99 of good callbacks: ${summary} (targets 500 and 200)`,
    table: tables.join('\n\n'),
    problems: layouts.flatMap(({ problems }) => problems),
  };
}

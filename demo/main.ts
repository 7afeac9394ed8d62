// `npm run demo`: starts everything on this machine, plays the scenarios, prints a table.
import { parseArgs } from 'node:util';
import { onStopSignals, SIGNAL_EXIT_CODES, type StopSignal } from '../config/stop-signals';
import { isNpmScript } from '../stack/processes/system-environment';
import { playScenarios, type Result } from './play-scenarios';
import { allScenarios } from './scenarios/all';
import { startDemo, type Demo } from './start-demo';
import { MARKS, renderTable } from './render-table';
import { renderWelcome } from './render-welcome';

const HELP = `npm run demo [-- --once]

Starts Postgres, Temporal, a WeChat Pay simulator and Oncepay on this machine, plays the scenarios,
prints a table of the results, and stays up until Ctrl-C.

  --once   ends after the table; the exit code is 1 if a result is not as expected
`;
const DEFAULT_COLUMNS = 140;
const PARENT_CHECK_MS = 250;
const LEGEND = `ms: the time from a scenario’s first request until its result was seen. The first
scenario takes longer because it warms everything up. The lost callback and the unpaid order run
beside the others.`;

const startedAt = performance.now();
const out = { silent: false, isUp: false };

function print(text: string): void {
  if (!out.silent) process.stdout.write(`${text}\n`);
}

function printStep(text: string): void {
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  print(`${seconds.padStart(5)} s  ${text}`);
}

function printResult({ verdict, name, ms }: Result): void {
  printStep(`  ${MARKS[verdict]} ${name} (${ms.toLocaleString('en-US')} ms)`);
}

function summary(results: readonly Result[]): string {
  const of = (verdict: Result['verdict']) =>
    results.filter((result) => result.verdict === verdict).length;
  const skipped = of('not_played') === 0 ? '' : `, ${of('not_played')} not played`;
  return `${of('ok')} of ${results.length} scenarios as expected, ${of('wrong')} wrong${skipped}.`;
}

/** @returns the exit code, when the demo ends without a signal */
async function run(demo: Demo, once: boolean): Promise<number> {
  const world = await demo.started;
  printStep('Everything runs.');
  if (world.webUiUrl !== null) printStep(`Watch the orders’ workflows at ${world.webUiUrl}`);
  printStep(`Playing ${allScenarios.length} scenarios …`);
  const results = await playScenarios(allScenarios, world, printResult);
  const columns = process.stdout.isTTY ? process.stdout.columns : DEFAULT_COLUMNS;
  print(`\n${renderTable(results, columns)}\n\n${LEGEND}\n\n${summary(results)}\n`);
  const code = results.some(({ verdict }) => verdict === 'wrong') ? 1 : 0;
  if (once) return code;
  print(renderWelcome(world));
  out.isUp = true;
  return new Promise(() => undefined);
}

/**
 * Resolves with the first signal that ends the demo. A signal to npm ends npm and its shell but
 * isn't passed on, so a parent process that is gone counts as SIGTERM. When this process ends
 * early, the stack's guardian stops the rest.
 */
function nextSignal(): Promise<StopSignal> {
  return new Promise((resolve) => {
    const parent = process.ppid;
    const watch = () => (process.ppid === parent ? undefined : resolve('SIGTERM'));
    if (isNpmScript()) setInterval(watch, PARENT_CHECK_MS).unref();
    onStopSignals({ signals: ['SIGINT', 'SIGTERM', 'SIGHUP'], stop: resolve });
  });
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { once: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  if (values.help === true) {
    print(HELP);
    return 0;
  }
  const signalled = nextSignal();
  const demo = startDemo(printStep);
  try {
    return await Promise.race([
      run(demo, values.once === true),
      signalled.then((signal) => {
        print(`\n${signal}: stopping …`);
        out.silent = true;
        return out.isUp ? 0 : SIGNAL_EXIT_CODES[signal];
      }),
    ]);
  } finally {
    await demo.stop();
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`The demo could not start: ${reason}\n`);
    process.exit(1);
  },
);

/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Random sequences of refunds: no more is refunded than was paid.
import fc from 'fast-check';
import { steps } from './support/commands';
import { drain } from './support/drain';
import { createOrderDriver } from './support/order-driver';
import { startWorld, type World } from './support/world';

/** Takes about a minute on two busy cores; more runs find more. */
const RUNS = 40;
/**
 * A slow machine does fewer runs: those that begin within this time, but at least a useful number.
 */
const TIME_MS = 80_000;
const FEWEST_RUNS = 10;
/** The least number of different steps at which processes are interrupted, where all runs fit. */
const MOST_STEPS = 8;

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.end());

const line = fc.record({
  quantity: fc.integer({ min: 1, max: 5 }),
  unitPriceFen: fc.integer({ min: 1, max: 5_000 }),
});
const shape = fc.record({
  goods: line,
  codes: fc.option(line, { freq: 2 }),
  thingFen: fc.integer({ min: 1, max: 300 }),
  noCodesYet: fc.boolean(),
  from: fc.constantFrom(
    'fulfilled' as const,
    'paid' as const,
    'fulfilled' as const,
    'created' as const,
  ),
});

test('any sequence of events refunds no more than was paid, and all sums agree', async () => {
  const endMs = Date.now() + TIME_MS;
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      shape,
      fc.commands(steps(), { maxCommands: 60, size: 'max' }),
      async (order, all) => {
        if (Date.now() > endMs) return;
        const driver = await createOrderDriver(world, order);
        await fc.asyncModelRun(() => ({ model: { asked: new Map() }, real: driver }), all);
        await drain(driver);
        runs += 1;
      },
    ),
    { numRuns: RUNS },
  );
  expect(runs).toBeGreaterThanOrEqual(FEWEST_RUNS);
  // Processes really were interrupted, early and late in their work.
  const met = new Set(world.interrupted.map(({ atStep }) => atStep));
  expect(met.size).toBeGreaterThanOrEqual(Math.min(MOST_STEPS, runs / 2));
}, 120_000);

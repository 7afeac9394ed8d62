/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import fc from 'fast-check';
import { steps } from './support/commands';
import { drain } from './support/drain';
import { createOrderDriver } from './support/order-driver';
import { startWorld, type World } from './support/world';

/** A minute's worth on two busy cores; more find more. */
const RUNS = 40;
/** A slow machine does fewer: as many as begin within this, but not too few to mean something. */
const TIME_MS = 80_000;
const FEWEST_RUNS = 10;
/** At how many different steps processes are interrupted at least, where all runs fit. */
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

test('whatever happens in whatever order, no more goes back than was paid, and all sums agree', async () => {
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

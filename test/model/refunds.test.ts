/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
import fc from 'fast-check';
import { steps } from './support/commands';
import { drain } from './support/drain';
import { createOrderDriver } from './support/order-driver';
import { startWorld, type World } from './support/world';

/** A minute's worth on two busy cores; more find more. */
const RUNS = 40;

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
  await fc.assert(
    fc.asyncProperty(
      shape,
      fc.commands(steps(), { maxCommands: 60, size: 'max' }),
      async (order, all) => {
        const driver = await createOrderDriver(world, order);
        await fc.asyncModelRun(() => ({ model: { asked: new Map() }, real: driver }), all);
        await drain(driver);
      },
    ),
    {
      numRuns: RUNS,
      interruptAfterTimeLimit: 100_000,
      markInterruptAsFailure: true,
    },
  );
}, 120_000);

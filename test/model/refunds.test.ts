/** @jest-environment <rootDir>/test/database/support/with-built-code.cjs */
// Random sequences of refunds and sharings: no more goes out than was paid.
import fc from 'fast-check';
import { steps } from './support/commands';
import { drain } from './support/drain';
import { createOrderDriver } from './support/order-driver';
import { startWorld, type World } from './support/world';

/** Each sequence is played to its end; the next test run plays others. */
const RUNS = 16;
/** The least number of different steps at which processes are interrupted. */
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
  forSharing: fc.boolean(),
});

test('any sequence of refunds, sharings and crashes gives out no more than was paid', async () => {
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(
      shape,
      fc.commands(steps(), { maxCommands: 60, size: 'max' }),
      async (order, all) => {
        const driver = await createOrderDriver(world, order);
        await fc.asyncModelRun(() => ({ model: { asked: new Map() }, real: driver }), all);
        await drain(driver);
        runs += 1;
      },
    ),
    { numRuns: RUNS },
  );
  expect(runs).toBe(RUNS);
  // Processes really were interrupted, early and late in their work.
  const met = new Set(world.interrupted.map(({ atStep }) => atStep));
  expect(met.size).toBeGreaterThanOrEqual(MOST_STEPS);
  const { rows } = await world.sql.query<{ shared: number; back: number }>(
    `SELECT (SELECT count(*)::int FROM profit_sharing_receivers WHERE result = 'SUCCESS') AS shared,
       (SELECT count(*)::int FROM profit_sharing_returns) AS back`,
  );
  expect(rows[0]?.shared).toBeGreaterThan(0);
  expect(rows[0]?.back).toBeGreaterThan(0);
}, 240_000);

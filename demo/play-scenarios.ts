// Plays the scenarios and compares what was seen with what was expected.
import type { Scenario, World } from './world';

/** The result of one scenario. */
export interface Result {
  readonly name: string;
  readonly expected: string;
  readonly seen: string;
  readonly verdict: 'ok' | 'wrong' | 'not_played';
  /** The time from its first request to the last thing it waited for. */
  readonly ms: number;
}

async function playOne(scenario: Scenario, world: World): Promise<Result> {
  const { name, expected } = scenario;
  const hindrance = scenario.hindrance?.(world) ?? null;
  if (hindrance !== null) {
    return { name, expected, seen: `not played: ${hindrance}`, verdict: 'not_played', ms: 0 };
  }
  const started = performance.now();
  const elapsed = () => Math.round(performance.now() - started);
  try {
    const { seen, note } = await scenario.play(world);
    const verdict = seen === expected ? 'ok' : 'wrong';
    const full = note === undefined ? seen : `${seen} (${note})`;
    return { name, expected, seen: full, verdict, ms: elapsed() };
  } catch (error) {
    const seen = error instanceof Error ? error.message : String(error);
    return { name, expected, seen, verdict: 'wrong', ms: elapsed() };
  }
}

/**
 * Plays the scenarios one after the other. Those that take time start first and run beside the
 * others.
 * @param onResult gets each result as soon as its scenario is over
 */
export async function playScenarios(
  scenarios: readonly Scenario[],
  world: World,
  onResult: (result: Result) => void,
): Promise<Result[]> {
  const ahead = new Map(
    scenarios
      .filter(({ takesTime }) => takesTime === true)
      .map((scenario) => [scenario, playOne(scenario, world)]),
  );
  const results: Result[] = [];
  for (const scenario of scenarios) {
    const result = await (ahead.get(scenario) ?? playOne(scenario, world));
    onResult(result);
    results.push(result);
  }
  return results;
}

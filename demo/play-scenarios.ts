import type { Scenario, World } from './world';

/** What came of a scenario. */
export interface Result {
  readonly name: string;
  readonly expected: string;
  readonly seen: string;
  readonly verdict: 'ok' | 'wrong' | 'not_played';
  /** From its first request to the last thing it waited for. */
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
 * Plays one after the other; those that take time start first and go on beside the others.
 * @param onResult is told of each as soon as it is over
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
